import { describe, expect, it } from 'vitest';
import { Mixer, type MixerOptions, type UpdateReport } from '../../lib/index.js';
import { expectError } from '../support/expect.js';

const mixerOf = (options: object = {}) =>
  new Mixer({ tasks: ['a', 'b'], batchSize: 8, backend: 'reference', ...options } as MixerOptions);
const row = (...x: number[]) => Float32Array.from(x);

describe('options', () => {
  it.each([
    [{ tasks: ['a'] }, /at least two data sources/],
    [{ tasks: 'ab' }, /at least two data sources/],
    [{ tasks: ['a', 'a'] }, /"a" stands there twice/],
    [{ tasks: ['a', ''] }, /non-empty names/],
    [{ tasks: ['a', 3] }, /non-empty names/],
    [{ batchSize: 0 }, /batchSize must be a positive integer/],
    [{ batchSize: 1.5 }, /batchSize must be a positive integer/],
    [{ batchSize: undefined }, /batchSize must be a positive integer/],
    [{ minPerTask: 5 }, /too small for 2 tasks of at least 5/],
    [
      { rule: 'nonsense' },
      /no rule "nonsense". The rules are pike, .*; or pass what proportional\({ sizes }\), temperature\(.*doremi\(/,
    ],
    [{ rule: {} }, /name of a rule or an object/],
    [{ updateInterval: 0 }, /updateInterval/],
    [{ microBatchSize: -1 }, /microBatchSize/],
    [{ zeta1: Number.NaN }, /zeta1/],
    [{ zeta2: -1 }, /zeta2/],
    [{ scale: 'log' }, /scale must be one of 'relative', 'absolute'/],
    [{ minWeight: 0.6 }, /minWeight must be a number from 0 to 0.5/],
    [{ maxLogStep: 0 }, /maxLogStep must be a number > 0, but is 0/],
    [{ priorPull: 2 }, /priorPull/],
    [{ smoothing: 1 }, /smoothing must be a number from 0 to below 1, but is 1/],
    [{ clipNorms: 1 }, /clipNorms must be true or false/],
    [{ learningRate: 0 }, /learningRate/],
    [{ backend: 'gpu' }, /backend must be one of/],
    [{ threads: 0 }, /threads/],
    [{ seed: -1 }, /seed must be an integer >= 0, but/],
    [{ seed: 2 ** 60 }, /seed must be an integer >= 0 up to 9007199254740991, but/],
    [{ batchSize: 2 ** 53 }, /batchSize must be a positive integer up to 9007199254740991/],
    [{ initialWeights: [0.5, 0.6] }, /sum to 1/],
    [
      { initialWeights: { a: 0.5, c: 0.5 } },
      /initialWeights names "c", which is no task. The tasks are a, b/,
    ],
    [{ miniBatches: 3 }, /no option "miniBatches"/],
  ])('%j', async (options, message) => {
    await expectError('ERR_INVALID_OPTION', message, () => mixerOf(options));
  });

  it('one micro-batch', async () => {
    await expectError('ERR_TOO_FEW_MICROBATCHES', /at least 2/, () => mixerOf({ microBatches: 1 }));
  });

  it('initial weights of another length', async () => {
    await expectError('ERR_SHAPE', /2 weights/, () => mixerOf({ initialWeights: [1] }));
  });

  it('no options', async () => {
    await expectError('ERR_INVALID_OPTION', /object of options/, () => new Mixer(undefined as never));
  });
});

describe('observe', () => {
  const detached = () => {
    const array = row(1, 2);
    structuredClone(array.buffer, { transfer: [array.buffer] });
    return array;
  };
  // ES2022's types do not know of resizable buffers.
  const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer;
  const resizable = () => new Float32Array(new Resizable(8, { maxByteLength: 16 }));

  it.each([
    ['ERR_INVALID_OPTION', /no task "c". The tasks are a, b/, ['c', row(1), { samples: 1 }]],
    ['ERR_INVALID_OPTION', /samples must be a positive integer/, ['a', row(1), { samples: 0 }]],
    ['ERR_INVALID_OPTION', /samples must be a positive integer/, ['a', row(1), { samples: 1.5 }]],
    ['ERR_INVALID_OPTION', /samples/, ['a', row(1), undefined]],
    ['ERR_INVALID_OPTION', /loss must be a number/, ['a', row(1), { samples: 1, loss: '2' }]],
    ['ERR_INVALID_OPTION', /no option "size"/, ['a', row(1), { samples: 1, size: 2 }]],
    [
      'ERR_INVALID_OPTION',
      /preconditioner must hold finite numbers >= 0/,
      ['a', row(1), { samples: 1, preconditioner: row(-1) }],
    ],
    ['ERR_SHAPE', /no elements/, ['a', row(), { samples: 1 }]],
    ['ERR_SHAPE', /empty list/, ['a', [], { samples: 1 }]],
    ['ERR_SHAPE', /no elements/, ['a', [row(), row()], { samples: 1 }]],
    [
      'ERR_SHAPE',
      /preconditioner has 2 elements where gradient has 1/,
      ['a', row(1), { samples: 1, preconditioner: row(1, 1) }],
    ],
    ['ERR_DTYPE', /expected a Float32Array/, ['a', [1, 2], { samples: 1 }]],
    ['ERR_DTYPE', /expected a Float32Array/, ['a', null, { samples: 1 }]],
    ['ERR_DTYPE', /expected a Float32Array/, ['a', new Uint16Array(2), { samples: 1 }]],
    [
      'ERR_DTYPE',
      /expected a Float32Array/,
      ['a', { data: new Uint16Array(2), dtype: 'float8' }, { samples: 1 }],
    ],
    ['ERR_DETACHED', /detached buffer/, ['a', detached(), { samples: 1 }]],
    ['ERR_DETACHED', /resizable buffer/, ['a', resizable(), { samples: 1 }]],
  ] as const)('%s %s', async (code, message, args) => {
    const mixer = mixerOf();
    const before = mixer.state();
    await expectError(code, message, () => (mixer.observe as (...args: unknown[]) => unknown)(...args));
    expect(mixer.state()).toEqual(before);
  });

  it('another length, dtype, metric or order than before, and the measurement goes on', async () => {
    const mixer = mixerOf();
    await mixer.observe('a', row(1, 2), { samples: 1 });
    await expectError('ERR_SHAPE', /3 elements where the first of this measurement has 2/, () =>
      mixer.observe('a', row(1, 2, 3), { samples: 1 }),
    );
    await expectError('ERR_SHAPE', /2 tensors where the first of this measurement has 1/, () =>
      mixer.observe('a', [row(1), row(2)], { samples: 1 }),
    );
    await expectError('ERR_DTYPE', /float64 where the first of this measurement is float32/, () =>
      mixer.observe('a', Float64Array.of(1, 2), { samples: 1 }),
    );
    await expectError('ERR_INVALID_OPTION', /for every gradient of a measurement or for none/, () =>
      mixer.observe('a', row(1, 2), { samples: 1, preconditioner: row(1, 1) }),
    );
    await mixer.observe('b', row(1, 2), { samples: 1 });
    await expectError('ERR_ORDER', /Task 'a' comes back after 'b'/, () =>
      mixer.observe('a', row(3, 4), { samples: 1 }),
    );
    await mixer.observe('b', row(3, 2), { samples: 1 });
    const { missed, statistics } = await mixer.update();
    expect(missed).toEqual([{ task: 'a', reason: 'fewer than two micro-batches' }]);
    expect(statistics.variance[1]).toBeCloseTo(2, 12);
  });

  it('takes tasks in any order with inner: true', async () => {
    const mixer = mixerOf({ inner: true });
    for (const x of [1, 3])
      for (const task of ['a', 'b']) await mixer.observe(task, row(x, 2), { samples: 1 });
    const { missed, statistics } = await mixer.update();
    expect(missed).toEqual([]);
    expect(statistics.inner![1]).toBeCloseTo(8, 12);
  });

  it('shows the caller’s line in the stack of an error', async () => {
    const mixer = mixerOf();
    async function theUsersFunction() {
      await mixer.observe('a', row(1), { samples: 1, preconditioner: row(-1) });
    }
    const error = await expectError('ERR_INVALID_OPTION', /preconditioner/, theUsersFunction);
    expect(error.stack).toContain('theUsersFunction');
  });
});

describe('measure', () => {
  it.each([
    ['ERR_SHAPE', /rows must be a list/, [null, { samples: [] }]],
    ['ERR_SHAPE', /samples must be 2 lists/, [[[row(1)], [row(1)]], {}]],
    [
      'ERR_SHAPE',
      /rows\[1\] has 2 gradients, but samples\[1\] has 1 sizes/,
      [
        [
          [row(1), row(2)],
          [row(1), row(2)],
        ],
        { samples: [[1, 1], [1]] },
      ],
    ],
    ['ERR_SHAPE', /rows has 1 tasks, but this mixer has 2/, [[[row(1), row(2)]], { samples: [[1, 1]] }]],
    [
      'ERR_SHAPE',
      /rows\[1\]\[0\] has 2 elements where rows\[0\]\[0\] has 1/,
      [
        [
          [row(1), row(2)],
          [row(1, 2), row(2)],
        ],
        {
          samples: [
            [1, 1],
            [1, 1],
          ],
        },
      ],
    ],
    [
      'ERR_INVALID_OPTION',
      /samples\[0\]\[1\] must be a positive integer/,
      [
        [
          [row(1), row(2)],
          [row(1), row(2)],
        ],
        {
          samples: [
            [1, 0.5],
            [1, 1],
          ],
        },
      ],
    ],
    [
      'ERR_SHAPE',
      /losses must be lists shaped like samples/,
      [
        [
          [row(1), row(2)],
          [row(1), row(2)],
        ],
        {
          samples: [
            [1, 1],
            [1, 1],
          ],
          losses: [1, 2],
        },
      ],
    ],
    ['ERR_TOO_FEW_MICROBATCHES', /at least two/, [[[row(1)], [row(1)]], { samples: [[1], [1]] }]],
    ['ERR_TOO_FEW_MICROBATCHES', /at least two/, [[[], []], { samples: [[], []] }]],
    [
      'ERR_INVALID_OPTION',
      /learningRate/,
      [
        [
          [row(1), row(2)],
          [row(1), row(2)],
        ],
        {
          samples: [
            [1, 1],
            [1, 1],
          ],
          learningRate: -1,
        },
      ],
    ],
  ] as const)('%s %s', async (code, message, args) => {
    const mixer = mixerOf();
    const before = mixer.state();
    await expectError(code, message, () => (mixer.measure as (...args: unknown[]) => unknown)(...args));
    expect(mixer.state()).toEqual(before);
  });

  it('while a measurement is open', async () => {
    const mixer = mixerOf();
    await mixer.observe('a', row(1), { samples: 1 });
    await expectError('ERR_ORDER', /call update or discard first/, () =>
      mixer.measure(
        [
          [row(1), row(2)],
          [row(1), row(2)],
        ],
        {
          samples: [
            [1, 1],
            [1, 1],
          ],
        },
      ),
    );
  });
});

describe('misses', () => {
  const good = [row(1, 2), row(2, 1)];
  const samples = [
    [2, 2],
    [2, 2],
  ];
  const values = (report: UpdateReport) => [...report.weights, ...report.smoothed.normSquared];

  it.each([Number.NaN, Infinity, -Infinity])('a gradient with %d', async (bad) => {
    for (const path of ['observe', 'measure'] as const) {
      const mixer = mixerOf();
      await mixer.measure([good, good], { samples });
      const skipped: unknown[] = [];
      mixer.on('skip', (miss) => skipped.push(miss));
      const before = mixer.weights;
      let report: UpdateReport;
      if (path === 'measure') report = await mixer.measure([[row(1, bad), row(1, 1)], good], { samples });
      else {
        for (const gradient of [row(1, bad), row(1, 1)]) await mixer.observe('a', gradient, { samples: 2 });
        for (const gradient of good) await mixer.observe('b', gradient, { samples: 2 });
        report = await mixer.update();
      }
      expect(report.missed).toEqual([{ task: 'a', reason: 'non-finite gradient' }]);
      expect(skipped).toEqual([{ step: 0, task: 'a', reason: 'non-finite gradient' }]);
      expect(report.statistics.normSquared[0]).toBeNaN();
      // Both tasks had the same estimates before, and the last estimate stays: nothing pulls them apart.
      expect(Math.abs(mixer.weights[0] - before[0])).toBeLessThan(1e-12);
      for (const x of values(report)) expect(Number.isFinite(x)).toBe(true);
    }
  });

  it('a loss that is not finite', async () => {
    const mixer = mixerOf();
    const report = await mixer.measure([good, good], {
      samples,
      losses: [
        [1, 2],
        [Number.NaN, 1],
      ],
    });
    expect(report.missed).toEqual([{ task: 'b', reason: 'non-finite loss' }]);
    expect(report.losses![0]).toBe(1.5);
  });

  it('a task never measured keeps its weight while the others move', async () => {
    const mixer = new Mixer({ tasks: ['a', 'b', 'c'], batchSize: 8, backend: 'reference', minWeight: 0 });
    const large = [row(9, 9), row(9, 8)];
    const report = await mixer.measure([good, large, []], { samples: [[2, 2], [2, 2], []] });
    expect(report.weights[2]).toBe(report.previous[2]);
    expect(report.weights[1]).toBeGreaterThan(report.weights[0]);
    expect(report.missed).toEqual([{ task: 'c', reason: 'not measured' }]);
  });

  it('an update without any measurement changes nothing but the time, and warns', async () => {
    const mixer = mixerOf();
    await mixer.measure([good, good], { samples });
    const before = mixer.state();
    const warnings: string[] = [];
    mixer.on('warning', ({ code }) => warnings.push(code));
    const report = await mixer.measure(
      [
        [row(Number.NaN), row(1)],
        [row(Infinity), row(1)],
      ],
      { samples },
    );
    expect(report.missed.length).toBe(2);
    expect(report.weights).toEqual(report.previous);
    expect(mixer.state()).toEqual(before);
    expect(warnings).toEqual(['WARN_NOTHING_MEASURED']);
  });
});

describe('aborting and disposing', () => {
  it('an aborted call changes nothing, and the calls behind it run', async () => {
    const mixer = mixerOf();
    const stop = new AbortController();
    const first = mixer.observe('a', row(1, 2), { samples: 1 });
    const aborted = mixer.observe('a', row(100, 100), { samples: 1, signal: stop.signal });
    const last = mixer.observe('a', row(3, 2), { samples: 1 });
    stop.abort();
    await first;
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
    await last;
    const { statistics } = await mixer.update();
    expect(statistics.microBatches[0]).toBe(2);
    expect(statistics.variance[0]).toBeCloseTo(2, 12);
  });

  it('a reason that is no error comes as ERR_ABORTED with it as cause', async () => {
    const error = await expectError('ERR_ABORTED', /tired/, () =>
      mixerOf().update({ signal: AbortSignal.abort('tired') }),
    );
    expect(error.cause).toBe('tired');
  });

  it('a disposed mixer refuses calls', async () => {
    const mixer = mixerOf();
    await mixer.observe('a', row(1), { samples: 1 });
    mixer.dispose();
    mixer[Symbol.dispose]();
    await expectError('ERR_DISPOSED', /disposed/, () => mixer.next());
    await expectError('ERR_DISPOSED', /disposed/, () => mixer.observe('a', row(1), { samples: 1 }));
    await expectError('ERR_DISPOSED', /disposed/, () => mixer.update());
    await expectError('ERR_DISPOSED', /disposed/, () => mixer.measure([], { samples: [] }));
  });
});
