import { describe, expect, it, vi } from 'vitest';
import { Allocator, Mixer, type MixerWarning, type WeightRule } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { mixerOf, row, samples, spyOnDispose } from '../support/small.js';

const good = [
  [row(1), row(2)],
  [row(1), row(2)],
];

describe('Mixer', () => {
  it('losses are averaged over samples, by both paths', async () => {
    const [a, b] = [mixerOf(), mixerOf()];
    const rows = [
      [row(1), row(2)],
      [row(1), row(2)],
    ];
    const sizes = [
      [1, 3],
      [1, 1],
    ];
    const x = await a.measure(rows, {
      samples: sizes,
      losses: [
        [1, 5],
        [2, 2],
      ],
    });
    for (const k of [0, 1])
      for (const i of [0, 1])
        await b.observe(b.tasks[k], rows[k][i], {
          samples: sizes[k][i],
          ...(k === 0 ? { loss: [1, 5][i] } : {}),
        });
    const y = await b.update();
    expect(x.losses![0]).toBe(4);
    expect(y.losses![0]).toBe(4);
    expect(y.losses![1]).toBeNaN();
    expect(y.missed).toEqual([]); // a loss that was not given is no broken loss
    expect(x.seconds).toBeLessThan(1);
  });
  it('moments to measure stay in order where updates fail', async () => {
    const mixer = mixerOf({ updateInterval: 1 });
    mixer.next();
    const signal = AbortSignal.abort();
    await Promise.allSettled([mixer.update({ signal }), mixer.update({ signal })]);
    expect(mixer.state()).toMatchObject({ pending: [0, 1], passedOver: 0 });
    mixer.next();
    expect(mixer.state()).toMatchObject({ pending: [1, 2], passedOver: 1 });
  });
  it('loss weights are copies in a report, outlive an empty update, and come through a state', async () => {
    const rule: WeightRule = {
      name: 'y',
      needs: {},
      init: (K) => ({ logWeights: new Array<number>(K).fill(-Math.log(K)) }),
      update: (state) => ({ state, lossWeights: Float64Array.of(2, 0.5) }),
    };
    const mixer = mixerOf({ rule });
    const report = await mixer.measure(
      [
        [row(1), row(2)],
        [row(1), row(2)],
      ],
      { samples },
    );
    report.lossWeights.fill(9);
    mixer.on('warning', () => {});
    expect(Array.from((await mixer.update()).lossWeights)).toEqual([2, 0.5]);
    expect(
      Array.from(Mixer.restore(JSON.parse(JSON.stringify(mixer.state())), { rule }).lossWeights),
    ).toEqual([2, 0.5]);
  });
  it('a non-finite loss takes the task out of statistics too', async () => {
    const mixer = mixerOf({ inner: true });
    const r = await mixer.measure(
      [
        [row(1), row(2)],
        [row(1), row(2)],
      ],
      {
        samples,
        losses: [
          [1, 1],
          [Number.NaN, 1],
        ],
      },
    );
    expect(r.statistics.normSquared[1]).toBeNaN();
    expect(Array.from(r.statistics.inner!, Number.isNaN)).toEqual([false, true, true, true]);
  });
  it('a state is a copy, counts what was passed over, and during an update is due anew', async () => {
    const mixer = mixerOf();
    for (let i = 0; i < 11; i++) mixer.next();
    const state = mixer.state();
    expect(state.passedOver).toBe(1);
    const before = JSON.stringify(state);
    mixer.next();
    await mixer.measure(
      [
        [row(1), row(2)],
        [row(1), row(9)],
      ],
      { samples },
    );
    expect(JSON.stringify(state)).toBe(before);
    state.rule.logWeights[0] = Number.NaN;
    expect(mixer.weights[0]).not.toBeNaN();
    const given = JSON.parse(before);
    const restored = Mixer.restore(given);
    given.rule.logWeights[0] = Number.NaN;
    given.smoothing.normSquared.numerator[0] = Number.NaN;
    expect(restored.state()).toEqual(JSON.parse(before));
    mixer.next();
    const update = mixer.measure(
      [
        [row(1), row(2)],
        [row(1), row(9)],
      ],
      { samples },
    );
    expect(mixer.state().pending).toEqual([mixer.step]);
    await update;
  });
  it('a measurement not called for is in the state as due, too', async () => {
    const mixer = mixerOf();
    for (let i = 0; i < 4; i++) mixer.next();
    await mixer.observe('a', row(1), { samples: 1 });
    expect([mixer.due, Mixer.restore(mixer.state()).due]).toEqual([false, true]);
  });
  it('warns when only the backend changed', async () => {
    const state = mixerOf().state();
    const warned = vi.fn();
    Mixer.restore(state, { backend: 'cpu' }).on('warning', warned);
    await new Promise(setImmediate);
    expect(warned.mock.calls[0][0].message).toMatch(/backend was reference and is cpu/);
  });
  it('calls in flight end in order when the mixer is disposed', async () => {
    const mixer = mixerOf({ backend: 'cpu' });
    const big = () => new Float32Array(2_000_000).fill(1);
    const calls = [mixer.observe('a', big(), { samples: 1 }), mixer.observe('a', big(), { samples: 1 })];
    const update = mixer.update();
    await calls[0];
    mixer.dispose();
    await calls[1];
    expect((await update).statistics.microBatches[0]).toBe(2);
  });
  it('several moments that failed updates gave back are served in order', async () => {
    const mixer = mixerOf({ updateInterval: 1 });
    mixer.next();
    await mixer.update({ signal: AbortSignal.abort(new Error('x')) }).catch(() => {});
    expect(mixer.state().pending).toEqual([0, 1]);
  });
  it('frees the vectors of every measurement', async () => {
    const mixer = mixerOf();
    const freed = spyOnDispose();
    await mixer.observe('a', row(1), { samples: 1 });
    mixer.on('warning', () => {});
    await mixer.update();
    expect(freed).toHaveBeenCalledTimes(1);
    await mixer.observe('a', row(1), { samples: 1, preconditioner: row(-1) }).catch(() => {});
    expect(freed).toHaveBeenCalledTimes(2);
    freed.mockRestore();
  });
});

it('a task with a non-finite loss does not enter the averages', async () => {
  const mixer = mixerOf();
  const first = await mixer.measure(good, { samples });
  const r = await mixer.measure([good[0], [row(1e6), row(1e6)]], {
    samples,
    losses: [
      [1, 1],
      [1, Number.NaN],
    ],
  });
  expect(r.smoothed.normSquared[1]).toBe(first.smoothed.normSquared[1]);
  expect(r.smoothed.variance[1]).toBe(first.smoothed.variance[1]);
});

it('loss weights: a copy out, and refused when a rule breaks them', async () => {
  const mixer = mixerOf();
  mixer.lossWeights.fill(0);
  expect(Array.from(mixer.lossWeights)).toEqual([1, 1]);
  for (const bad of [[1], [Number.NaN, 1], [-1, 3]]) {
    const rule: WeightRule = {
      name: 'bad',
      needs: {},
      init: (K) => ({ logWeights: new Array<number>(K).fill(-Math.log(K)) }),
      update: (state) => ({ state, lossWeights: Float64Array.from(bad) }),
    };
    await expect(mixerOf({ rule }).measure(good, { samples })).rejects.toMatchObject({ code: 'ERR_STATE' });
  }
});

it('tasks are a frozen copy', () => {
  const tasks = ['a', 'b'];
  const mixer = mixerOf({ tasks });
  tasks[0] = 'x';
  expect(mixer.tasks).toEqual(['a', 'b']);
  expect(Object.isFrozen(mixer.tasks)).toBe(true);
});

it('a state handed out stays as it is when changed by its receiver, and a damaged one is refused', async () => {
  const mixer = mixerOf();
  const state = mixer.state();
  state.rule.logWeights[0] = Number.NaN;
  expect(mixer.weights[0]).toBe(0.5);
  expect(() => Mixer.restore({ ...mixer.state(), passedOver: -1 })).toThrow(/passedOver/);
  expect(() => Allocator.restore({ batchSize: 8, tasks: 2, minPerTask: 0, residual: [1e9, -1e9] })).toThrow(
    /residual/,
  );
});

it('dispose frees an open measurement', async () => {
  const mixer = mixerOf();
  const freed = spyOnDispose();
  await mixer.observe('a', row(1), { samples: 1 });
  mixer.dispose();
  await new Promise(setImmediate);
  expect(freed).toHaveBeenCalledTimes(1);
  freed.mockRestore();
});

it('a measurement into which nothing went is dropped in silence', async () => {
  const mixer = mixerOf();
  const warn = vi.fn();
  mixer.on('warning', warn);
  await mixer.observe('a', row(1), { samples: 1, preconditioner: row(-1) }).catch(() => {});
  mixer.next();
  mixer.next();
  await new Promise(setImmediate);
  expect(warn).not.toHaveBeenCalled();
});

describe('a measurement', () => {
  const warningsOf = (mixer: Mixer) => {
    const codes: string[] = [];
    mixer.on('warning', ({ code }: MixerWarning) => codes.push(code));
    return codes;
  };
  it('begun off the schedule and never ended is discarded, too', async () => {
    const mixer = mixerOf();
    const warnings = warningsOf(mixer);
    for (let i = 0; i < 3; i++) mixer.next();
    await mixer.observe('a', row(100), { samples: 1 });
    for (let i = 0; i < 7; i++) mixer.next();
    for (const task of mixer.tasks) for (const x of [1, 2]) await mixer.observe(task, row(x), { samples: 1 });
    const report = await mixer.update();
    expect(Array.from(report.statistics.microBatches)).toEqual([2, 2]);
    expect(warnings).toEqual(['WARN_MEASUREMENT_DISCARDED']);
  });
  it('is not discarded because an older moment passed', async () => {
    const mixer = mixerOf({ updateInterval: 1 });
    const warnings = warningsOf(mixer);
    mixer.next();
    for (const task of mixer.tasks) for (const x of [1, 2]) await mixer.observe(task, row(x), { samples: 1 });
    mixer.next();
    const report = await mixer.update();
    expect(report.missed).toEqual([]);
    expect(report.passedOver).toBe(1);
    expect(warnings).toEqual([]);
  });
  it('can be abandoned', async () => {
    const mixer = mixerOf();
    await mixer.observe('b', row(100), { samples: 1 });
    await mixer.discard();
    for (const task of mixer.tasks) for (const x of [1, 3]) await mixer.observe(task, row(x), { samples: 1 });
    expect(Array.from((await mixer.update()).statistics.variance)).toEqual([2, 2]);
  });
  it('whose update failed too late counts as passed over', async () => {
    const mixer = mixerOf();
    const stop = new AbortController();
    const update = mixer.update({ signal: stop.signal });
    for (let i = 0; i < 3; i++) mixer.next();
    stop.abort();
    await update.catch(() => {});
    expect([mixer.due, mixer.state().passedOver]).toEqual([false, 1]);
  });
});

describe('nothing silent', () => {
  it('initial weights below the floor are raised with a warning', async () => {
    const mixer = mixerOf({ initialWeights: [1, 0] });
    const warning = await new Promise<MixerWarning>((resolve) => mixer.on('warning', resolve));
    expect(warning).toMatchObject({
      code: 'WARN_INITIAL_WEIGHTS_RAISED',
      message: expect.stringContaining('of b are below minWeight 0.25'),
    });
  });
  it('overrides that are undefined change nothing', () => {
    const state = mixerOf({ zeta1: 0.25 }).state();
    expect(Mixer.restore(state, { zeta1: undefined } as never).state()).toEqual(state);
  });
  it('the result of a rule is a copy that survives JSON, or refused', async () => {
    const rule = (state: unknown, needs: unknown = {}) =>
      ({
        name: 'own',
        needs,
        init: (K: number) => ({ logWeights: new Array<number>(K).fill(-Math.log(K)) }),
        update: () => state,
      }) as never;
    const half = Math.log(0.5);
    const kept = { logWeights: [half, half], list: [1] };
    const mixer = mixerOf({ rule: rule({ state: kept }) });
    await mixer.measure(good, { samples });
    kept.logWeights[0] = Number.NaN;
    expect(mixer.weights[0]).toBe(0.5);
    for (const bad of [
      undefined,
      { state: null },
      { state: { logWeights: [half, half], best: Infinity } },
      { state: { logWeights: [half, half], when: new Date() } },
    ])
      await expectError('ERR_STATE', /state/, () => mixerOf({ rule: rule(bad) }).measure(good, { samples }));
    await expectError('ERR_INVALID_OPTION', /name of a rule or an object/, () =>
      mixerOf({ rule: rule({}, null) }),
    );
  });
  it('sizes that no Int32Array holds, signals that are none, and options that are null', async () => {
    await expectError('ERR_INVALID_OPTION', /at most 2147483647/, () => mixerOf({ batchSize: 2 ** 31 }));
    await expectError(
      'ERR_INVALID_OPTION',
      /at most 2147483647/,
      () => new Allocator({ batchSize: 2 ** 31, tasks: 2 }),
    );
    await expectError('ERR_INVALID_OPTION', /batchSize/, () => new Allocator(undefined as never));
    const mixer = mixerOf();
    await expectError('ERR_INVALID_OPTION', /object of options/, () => mixer.update(null as never));
    await expectError('ERR_INVALID_OPTION', /AbortSignal/, () => mixer.update({ signal: {} } as never));
    await expectError('ERR_INVALID_OPTION', /AbortSignal/, () =>
      mixer.observe('a', row(1), { samples: 1, signal: {} } as never),
    );
  });
  it('a moment later than the step is no state', async () => {
    const state = mixerOf().state();
    await expectError('ERR_STATE', /pending/, () => Mixer.restore({ ...state, pending: [1e9] }));
  });
  it('numbers that would overflow an average are a miss of it', async () => {
    const mixer = mixerOf();
    const huge = [Float64Array.of(1e153), Float64Array.of(1e153)];
    const report = await mixer.measure([huge, [Float64Array.of(1), Float64Array.of(1)]], {
      samples: [
        [2 ** 20, 2 ** 20],
        [2 ** 20, 2 ** 20],
      ],
    });
    expect(report.missed).toEqual([{ task: 'a', reason: 'non-finite gradient' }]);
    expect(report.weights.every(Number.isFinite)).toBe(true);
    expect(Mixer.restore(JSON.parse(JSON.stringify(mixer.state()))).weights).toEqual(report.weights);
  });
});

it('Allocator takes from no count that stands on its floor', () => {
  const a = Allocator.restore({ batchSize: 6, tasks: 3, minPerTask: 1, residual: [-2.6, 1.3, 1.3] });
  for (let i = 0; i < 5; i++) {
    const c = a.next([0.2, 0.4, 0.4]);
    expect(Math.min(...c)).toBeGreaterThanOrEqual(1);
    expect(c[0] + c[1] + c[2]).toBe(6);
  }
});
