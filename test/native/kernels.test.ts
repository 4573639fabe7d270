/**
 * The CUDA kernels, run in the emulator, against the TypeScript reference: every path, dtype, tail and alignment,
 * and under adversarial schedules the same bits. PIKE_TEST_LONG=1 (npm run test:kernels) takes more of everything.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { mulberry32 } from '../support/gradients.js';
import {
  DEVICE_DTYPES,
  drawMeasurement,
  drawMemory,
  type KernelResult,
  Kernels,
  largestError,
  type Measurement,
  type MeasurementOptions,
  type Run,
  referenceMoments,
} from './kernels.js';

const long = Boolean(process.env.PIKE_TEST_LONG);
/** What is promised for random data, and in the worst case. */
const TYPICAL = 1e-6;
const WORST = 1.6e-5;

let kernels: Kernels;
let schedules: readonly string[];
beforeAll(async () => {
  kernels = await Kernels.load();
  schedules = long ? kernels.schedules.thorough : kernels.schedules.short;
}, 240_000);

type Form = 'measure' | 'stream';

/** The result under every schedule, which must be the same to the last bit. */
function runAll(measurement: Measurement, form: Form = 'measure', run: Run = {}): KernelResult {
  const first = kernels[form](measurement, run);
  for (let schedule = 1; schedule < schedules.length; schedule++)
    expect(kernels[form](measurement, { ...run, schedule }), schedules[schedule]).toStrictEqual(first);
  expect(first.atRest).toBe(true);
  return first;
}

async function check(options: MeasurementOptions, seed = 1, form: Form = 'measure', epsilon = TYPICAL) {
  const measurement = drawMeasurement(options, mulberry32(seed));
  const result = runAll(measurement, form);
  expect(largestError(result, await referenceMoments(measurement))).toBeLessThan(epsilon);
  return { measurement, result };
}

const repeat = (count: number, rows: number) => new Array<number>(count).fill(rows);

/** Rows per task, and the path that they take with and without products. */
const SHAPES: [rowsPerTask: number[], inner: boolean, path: string][] = [
  [[2, 2], true, 'registers'],
  [[1, 2], true, 'registers'],
  [[3, 0, 4], true, 'registers'],
  [[4, 4, 4, 4], true, 'registers'],
  [[2, 1, 2, 2], true, 'registers'],
  [[5], true, 'registers'],
  [[2, 4, 2], true, 'registers'],
  [[8, 1, 3], false, 'registers'],
  [repeat(20, 2), false, 'registers'],
  [[8, 5], true, 'registers'],
  [[5, 2, 2], true, 'tiles'],
  [[9, 2], true, 'tiles'],
  [repeat(5, 2), true, 'tiles'],
  [repeat(8, 8), true, 'tiles'],
  [repeat(64, 2), true, 'tiles'],
  [[128], true, 'tiles'],
  [[127, 1], true, 'tiles'],
  [repeat(20, 1), true, 'tiles'],
  [[33, 0, 2, 17], true, 'tiles'],
  [[9, 100, 2], false, 'tiles'],
];

describe.each(DEVICE_DTYPES)('%s', (dtype) => {
  it.each(SHAPES.filter((_, i) => long || dtype === 'float32' || i % 3 === 0))(
    '%j rows, inner %j, by %s',
    async (rowsPerTask, inner, path) => {
      const lengths = long ? [8192 * 3 + 77, 0, 5, 4099] : [8192 + 77, 0, 5, 1027];
      const { result } = await check({ dtype, lengths, rowsPerTask, inner });
      expect(result.path).toBe(path);
    },
  );

  it('any length of tensors, and rows out of alignment', async () => {
    for (const rowsPerTask of [[2, 2], repeat(5, 2)])
      for (const length of long
        ? [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 63, 1023, 8191, 8193]
        : [1, 3, 9, 8193]) {
        const random = mulberry32(length + 1);
        const lengths = [length, 3, length];
        const shifted = drawMeasurement({ dtype, lengths, rowsPerTask, shift: (row) => row % 4 }, random);
        const result = runAll(shifted);
        expect(largestError(result, await referenceMoments(shifted))).toBeLessThan(TYPICAL);
        const rows = shifted.rows.map((task) => task.map((row) => row.map((tensor) => tensor.slice())));
        expect(kernels.measure({ ...shifted, rows })).toStrictEqual(result);
      }
  });

  it('in a metric of any dtype', async () => {
    const metric = DEVICE_DTYPES;
    for (const rowsPerTask of [[2, 3], repeat(6, 3), repeat(20, 1)])
      await check({ dtype, lengths: [1029, 17, 8, 2048], rowsPerTask, metric });
  });

  it('streamed, with and without products, in a metric and without', async () => {
    for (const inner of [true, false])
      for (const metric of [undefined, DEVICE_DTYPES])
        await check(
          {
            dtype,
            lengths: [8192 + 9, 1, 100],
            rowsPerTask: [2, 0, 5],
            inner,
            ...(metric ? { metric } : {}),
          },
          3,
          'stream',
        );
  });
});

describe('sums', () => {
  it('do not depend on how many blocks there are', () => {
    for (const rowsPerTask of [[2, 2], repeat(6, 3)]) {
      const measurement = drawMeasurement({ lengths: [8192 * 11 + 5], rowsPerTask }, mulberry32(4));
      const first = kernels.measure(measurement);
      expect(first.virtualBlocks).toBe(12);
      for (const blocks of [1, 2, 5])
        for (let schedule = 0; schedule < schedules.length; schedule++)
          expect(kernels.measure(measurement, { blocks, schedule })).toStrictEqual(first);
    }
  });

  it('are the same again with the same workspace', () => {
    for (const rowsPerTask of [[2, 2], repeat(6, 3)]) {
      const measurement = drawMeasurement({ lengths: [8192 * 7], rowsPerTask }, mulberry32(5));
      const first = kernels.measure(measurement);
      for (let schedule = 0; schedule < schedules.length; schedule++)
        expect(kernels.measure(measurement, { launches: 3, schedule })).toStrictEqual(first);
    }
  });

  it('of many columns, so that blocks share groups and chains are flushed', async () => {
    for (const rowsPerTask of [[2, 2], repeat(5, 2)]) {
      const lengths = [long ? 2_000_003 : 400_003];
      const measurement = drawMeasurement({ lengths, rowsPerTask }, mulberry32(6));
      const result = kernels.measure(measurement, { blocks: 3, schedule: 1 });
      expect(kernels.measure(measurement)).toStrictEqual(result);
      expect(largestError(result, await referenceMoments(measurement))).toBeLessThan(TYPICAL);
    }
  });

  it('of more virtual blocks than chunks can have each: several chunks to a block', async () => {
    const measurement = drawMeasurement({ lengths: repeat(3000, 3), rowsPerTask: [2, 2] }, mulberry32(7));
    const result = kernels.measure(measurement, { blocks: 4, schedule: 1 });
    expect(result.virtualBlocks).toBe(1500);
    expect(largestError(result, await referenceMoments(measurement))).toBeLessThan(TYPICAL);
  });

  it('of few rows are flushed in the middle of a virtual block', async () => {
    // Sets share the virtual blocks: with more than 1024 of them each has one, here of five chunks, 160 terms a thread.
    const lengths = [8192 * 5];
    const random = mulberry32(13);
    const tensors = Array.from({ length: 3 }, () => drawMemory('float32', lengths[0], random));
    const rows = Array.from({ length: 1025 }, (_, k) => [[tensors[k % 3]]]);
    const measure = (tasks: typeof rows): Measurement => {
      return { dtype: 'float32', lengths, rows: tasks, samples: tasks.map(() => [1]), inner: false };
    };
    const result = kernels.measure(measure(rows));
    expect(result.virtualBlocks).toBe(1);
    const { moments } = await referenceMoments(measure(rows.slice(0, 3)));
    for (let k = 0; k < rows.length; k++)
      expect(Math.abs(result.meanNormSquared[k] / moments.meanNormSquared[k % 3] - 1)).toBeLessThan(TYPICAL);
  });

  it.runIf(long)('of a stream are flushed in the middle of a virtual block', async () => {
    // Each of so many tensors is a chunk, nine of them a virtual block: 144 terms a thread.
    const lengths = repeat(2048 * 9, 1);
    const options = { dtype: 'bfloat16', lengths, rowsPerTask: [2], inner: false } as const;
    const measurement = drawMeasurement(options, mulberry32(14));
    const result = kernels.stream(measurement);
    expect(largestError(result, await referenceMoments(measurement))).toBeLessThan(TYPICAL);
  });

  it('need no more shared memory than any GPU has', () => {
    for (const rowsPerTask of [repeat(60, 1), repeat(64, 1), repeat(64, 2)]) {
      const options = { dtype: 'bfloat16', lengths: [100], rowsPerTask } as const;
      expect(kernels.measure(drawMeasurement(options, mulberry32(16))).path).toBe('tiles');
    }
  });

  it('keep the promise for the worst case: constants, and twelve orders of magnitude', async () => {
    const lengths = [50_000];
    const fill = (value: (i: number) => number) =>
      Float32Array.from({ length: lengths[0] }, (_, i) => value(i));
    for (const rowsPerTask of [[4, 4], repeat(5, 2), [20, 30]]) {
      const random = mulberry32(8);
      for (const value of [() => 0.1, () => 1 / 3, (i: number) => 10 ** ((i % 13) - 6)]) {
        const rows = rowsPerTask.map((m) => Array.from({ length: m }, () => [fill(value)]));
        const base = drawMeasurement({ lengths: [1], rowsPerTask }, random);
        const measurement = { ...base, lengths, rows };
        expect(largestError(kernels.measure(measurement), await referenceMoments(measurement))).toBeLessThan(
          WORST,
        );
      }
    }
  });

  it('of one task do not suffer from what is not finite in another', () => {
    for (const rowsPerTask of [[2, 2, 2], repeat(7, 2)]) {
      const measurement = drawMeasurement({ lengths: [3000], rowsPerTask }, mulberry32(9));
      const clean = kernels.measure(measurement);
      for (const value of [Number.NaN, Infinity]) {
        const rows = measurement.rows.map((task, k) =>
          task.map(([tensor], i) => [
            k === 1 && i === 0 ? tensor.map((x, c) => (c === 2999 ? value : x)) : tensor,
          ]),
        );
        const broken = kernels.measure({ ...measurement, rows });
        for (let k = 0; k < rowsPerTask.length; k++) {
          if (k === 1) expect(broken.meanNormSquared[k]).not.toSatisfy(Number.isFinite);
          else expect(broken.meanNormSquared[k]).toBe(clean.meanNormSquared[k]);
          if (k !== 1) expect(broken.deviation[k]).toBe(clean.deviation[k]);
        }
        expect(broken.pairs![0]).not.toSatisfy(Number.isFinite); // (0,1)
        expect(broken.pairs![1]).toBe(clean.pairs![1]); // (0,2)
      }
    }
  });

  it('come with the place of the first element that a preconditioner must not have', () => {
    for (const form of ['measure', 'stream'] as const)
      for (const rowsPerTask of [[2, 2], repeat(6, 2)])
        for (const wrong of [-1, Number.NaN, Infinity]) {
          const lengths = [700, 9000];
          const measurement = drawMeasurement({ lengths, rowsPerTask, metric: ['float32'] }, mulberry32(10));
          expect(kernels[form](measurement).firstInvalid).toBe(-1);
          const tensors = measurement.preconditioner!.tensors.map((tensor) => tensor.slice());
          tensors[1][8500] = tensors[1][8301] = wrong;
          const broken = { ...measurement, preconditioner: { ...measurement.preconditioner!, tensors } };
          const result = runAll(broken, form);
          expect(result.firstInvalid).toBe(700 + 8301);
          // Vectors are updated in place: nothing may have been, and the next launch finds all as it was.
          if (form === 'stream') expect(result.deviation).toEqual(new Float64Array(rowsPerTask.length));
          expect(result.atRest).toBe(true);
        }
  });
});

describe('row after row', () => {
  it('more than 128 rows go there, and tasks of more than 128', () => {
    const path = (rowsPerTask: number[], inner: boolean) =>
      kernels.measure(drawMeasurement({ lengths: [4], rowsPerTask, inner }, mulberry32(11))).path;
    expect(path(repeat(65, 2), true)).toBe('welford');
    expect(path(repeat(65, 2), false)).toBe('registers');
    expect(path([129], false)).toBe('welford');
    expect(path([64, 65], true)).toBe('welford');
  });

  it.each([65, 70, 130])('%i tasks: products of means from panels of 64', async (tasks) => {
    const rowsPerTask = Array.from({ length: tasks }, (_, k) => (k % 9 === 4 ? 0 : 2));
    const measurement = drawMeasurement({ lengths: [300, 3], rowsPerTask }, mulberry32(tasks));
    const result = kernels.stream(measurement);
    expect(largestError(result, await referenceMoments(measurement))).toBeLessThan(TYPICAL);
    for (let schedule = 1; schedule < (long ? schedules.length : 3); schedule++)
      expect(kernels.stream(measurement, { schedule })).toStrictEqual(result);
  });
});

describe('shapes that cannot be', () => {
  const measurement = () => drawMeasurement({ lengths: [4], rowsPerTask: [2, 2] }, mulberry32(12));
  it('no rows', () => {
    expect(() => kernels.measure({ ...measurement(), rows: [[], []], samples: [[], []] })).toThrow(
      /ERR_SHAPE/,
    );
  });
  it('products of more tasks than there could be tables for', () => {
    const none = new Array<never[]>(4097).fill([]);
    const given = measurement();
    const rows = [...given.rows, ...none];
    const samples = [...given.samples, ...none];
    expect(() => kernels.measure({ ...given, rows, samples })).toThrow(/ERR_SHAPE.*4099 tasks/);
    expect(kernels.measure({ ...given, rows, samples, inner: false }).deviation.length).toBe(4099);
  });
  it('tensors of negative length', () => {
    expect(() => kernels.measure({ ...measurement(), lengths: [-1] })).toThrow(/ERR_SHAPE/);
  });
});

describe('any measurement', () => {
  it('is right, and the same under a random schedule', async () => {
    const dtype = fc.constantFrom(...DEVICE_DTYPES);
    await fc.assert(
      fc.asyncProperty(
        dtype,
        fc.array(fc.constantFrom(0, 1, 5, 64, 515, 1031, 8195), { minLength: 1, maxLength: 4 }),
        fc.array(fc.constantFrom(0, 1, 2, 2, 3, 4, 4, 7, 12), { minLength: 1, maxLength: 7 }),
        fc.boolean(),
        fc.option(fc.array(dtype, { minLength: 1, maxLength: 2 }), { nil: undefined }),
        fc.nat(1000),
        async (type, lengths, rowsPerTask, inner, metric, seed) => {
          fc.pre(rowsPerTask.some((m) => m > 0) && lengths.some((length) => length > 0));
          const shift = (row: number) => (seed * (row + 1)) % 3;
          const options = { dtype: type, lengths, rowsPerTask, inner, shift, ...(metric ? { metric } : {}) };
          const measurement = drawMeasurement(options, mulberry32(seed));
          const expected = await referenceMoments(measurement);
          const schedule = seed % schedules.length;
          for (const form of ['measure', 'stream'] as const) {
            const result = kernels[form](measurement);
            expect(kernels[form](measurement, { schedule, blocks: 1 + (seed % 3) })).toStrictEqual(result);
            expect(largestError(result, expected)).toBeLessThan(TYPICAL);
          }
        },
      ),
      { numRuns: long ? 600 : 40 },
    );
  });
});
