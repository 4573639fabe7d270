import { describe, expect, it } from 'vitest';
import { Mixer, type MixerOptions, type MixerState } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { drawGradient, mulberry32 } from '../support/gradients.js';

const tasks = ['a', 'b', 'c'];
const means = [
  [2, 0, 1],
  [0, 1, 0],
  [0.2, 0, 0],
];
const base: MixerOptions = { tasks, batchSize: 10, updateInterval: 3, backend: 'reference', zeta1: 0.5 };
const throughJson = (state: MixerState): MixerState => JSON.parse(JSON.stringify(state));

/** Steps `from` … `to`; the gradients of a step depend on the step alone, so a resumed run sees the same. */
async function run(mixer: Mixer, from: number, to: number): Promise<string[]> {
  const trace: string[] = [];
  for (let step = from; step < to; step++) {
    if (mixer.due) {
      const random = mulberry32(step + 1);
      for (const [k, task] of tasks.entries())
        for (let i = 0; i < 3; i++)
          await mixer.observe(task, drawGradient(means[k], 1, 2, random), { samples: 2 });
      await mixer.update();
    }
    const counts = mixer.next();
    trace.push(JSON.stringify([step, Array.from(counts), Array.from(mixer.weights)]));
  }
  return trace;
}

describe('state', () => {
  it.each([
    ['defaults', {}],
    ['inner products', { inner: true }],
    ['floors of batches', { minPerTask: 1 }],
    ['a weight of 0 as −Infinity', { initialWeights: [0.5, 0.5, 0], minWeight: 0, maxLogStep: Infinity }],
  ])('saved at any step and restored through JSON, a run goes on the same: %s', async (_, options) => {
    const whole = await run(new Mixer({ ...base, ...options }), 0, 25);
    for (const at of [0, 1, 2, 3, 7, 13]) {
      const first = new Mixer({ ...base, ...options });
      await run(first, 0, at);
      const state = first.state();
      expect(throughJson(state)).toEqual(state);
      const warnings: string[] = [];
      const second = Mixer.restore(throughJson(state));
      // The tasks do conflict late in the run, restored or not.
      second.on('warning', ({ code }) => code === 'WARN_BOUND_BROKEN' || warnings.push(code));
      expect(await run(second, at, 25)).toEqual(whole.slice(at));
      expect(warnings).toEqual([]);
    }
  });

  it('keeps −Infinity and Infinity through JSON', () => {
    const mixer = new Mixer({ ...base, initialWeights: [1, 0, 0], minWeight: 0, maxLogStep: Infinity });
    const state = throughJson(mixer.state());
    expect(state.rule.logWeights).toEqual([0, '-Infinity', '-Infinity']);
    expect(state.options.maxLogStep).toBe('Infinity');
    expect(Mixer.restore(state).state()).toEqual(mixer.state());
  });

  it('during a measurement it is the state before, and the measurement is due anew', async () => {
    const mixer = new Mixer(base);
    await run(mixer, 0, 3);
    mixer.next();
    const before = mixer.state();
    await mixer.observe('a', Float32Array.of(1, 2, 3), { samples: 1 });
    const during = mixer.state();
    expect({ ...during, pending: before.pending }).toEqual(before);
    const restored = Mixer.restore(throughJson(during));
    expect(restored.due).toBe(true);
    restored.next();
    expect(restored.due).toBe(true);
  });

  it('takes overrides, and warns when the run cannot go on bit for bit', async () => {
    const state = throughJson(new Mixer(base).state());
    const restored = Mixer.restore(state, { zeta1: 0.25, batchSize: 20 });
    expect(restored.state().options).toMatchObject({ zeta1: 0.25, batchSize: 20 });
    expect(restored.next().reduce((a, b) => a + b, 0)).toBe(20);

    state.origin.node = 'v0.0.0';
    const warned = new Promise<string>((resolve) => {
      Mixer.restore(state).on('warning', ({ code, message }) => resolve(`${code} ${message}`));
    });
    expect(await warned).toMatch(/WARN_RESUME_NOT_EXACT .*node was v0.0.0 and is v/);
  });

  it('changes nothing in what it was given', async () => {
    const state = new Mixer({ ...base, inner: true }).state();
    const before = structuredClone(state);
    await run(Mixer.restore(state), 0, 4);
    expect(state).toEqual(before);
  });

  // biome-ignore lint/suspicious/noExplicitAny: damaged on purpose
  const damage: [string, RegExp, (state: any) => unknown][] = [
    ['nothing', /no state of a Mixer/, () => null],
    ['something else', /no state of a Mixer/, () => ({ step: 3 })],
    ['another version', /version 1, but this release reads version 3/, (s) => ({ ...s, version: 1 })],
    ['a missing part', /smoothing of a state must be an object/, ({ smoothing: _, ...s }) => s],
    ['a negative step', /step of a state/, (s) => ({ ...s, step: -1 })],
    ['a moment that is none', /pending/, (s) => ({ ...s, pending: ['x'] })],
    [
      'one task fewer',
      /logWeights must be a list of 2/,
      (s) => ({ ...s, options: { ...s.options, tasks: ['a', 'b'] }, lossWeights: [1, 1] }),
    ],
    ['NaN as a log-weight', /not NaN/, (s) => ({ ...s, rule: { logWeights: [Number.NaN, -1, -1] } })],
    ['null as a log-weight', /not null/, (s) => ({ ...s, rule: { logWeights: [null, -1, -1] } })],
    ['weights that do not sum to 1', /must sum to 1/, (s) => ({ ...s, rule: { logWeights: [-1, -1, -2] } })],
    [
      'null in a rule',
      /rule.more.0 of a state must not be null/,
      (s) => ({ ...s, rule: { ...s.rule, more: [null] } }),
    ],
    [
      'null in the averages',
      /smoothing.variance.estimate .* not null/,
      (s) => {
        s.smoothing.variance.estimate[1] = null;
        return s;
      },
    ],
    [
      'the errors of averages missing',
      /smoothing.errors.normSquared.weighted/,
      ({ smoothing: { errors: _, ...smoothing }, ...s }) => ({ ...s, smoothing }),
    ],
    [
      'averages of another shape',
      /smoothing.inner.numerator/,
      (s) => {
        s.smoothing.inner.numerator = [1];
        return s;
      },
    ],
    [
      'residuals of another shape',
      /residual must be a list of 3/,
      (s) => ({ ...s, allocator: { ...s.allocator, residual: [0] } }),
    ],
    [
      'an option that is wrong',
      /options of this state cannot be used/,
      (s) => ({ ...s, options: { ...s.options, smoothing: 3 } }),
    ],
    [
      'loss weights with NaN',
      /lossWeights of a state must hold finite numbers/,
      (s) => ({ ...s, lossWeights: [1, Number.NaN, 1] }),
    ],
  ];
  it.each(damage)('refuses %s', async (_, message, change) => {
    const state = throughJson(new Mixer(base).state());
    await expectError('ERR_STATE', message, () => Mixer.restore(change(state) as MixerState));
  });

  it('refuses other tasks or another rule as overrides', async () => {
    const state = new Mixer(base).state();
    await expectError('ERR_STATE', /cannot be replaced/, () =>
      Mixer.restore(state, { tasks: ['x', 'y', 'z'] }),
    );
    await expectError('ERR_STATE', /rule 'pike'/, () => Mixer.restore(state, { rule: 'mirror' }));
    await expectError('ERR_STATE', /smoothing.inner/, () => Mixer.restore(state, { inner: true }));
  });
});
