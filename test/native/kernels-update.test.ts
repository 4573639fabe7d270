/** Weights that are solved for in the launch that measures, against the TypeScript rules on the same statistics. */
import { beforeAll, describe, expect, it } from 'vitest';
import { computeUpdate } from '../../lib/mixer/update.js';
import type { Moments } from '../../lib/statistics/statistics.js';
import { mulberry32 } from '../support/gradients.js';
import { drawMeasurement, type KernelResult, Kernels, type Measurement } from './kernels.js';
import {
  compareUpdate,
  difference,
  type NativeOutput,
  nativeInput,
  RULES,
  randomInput,
  randomLosses,
  randomOptions,
} from './update-problems.js';

const long = Boolean(process.env.PIKE_TEST_LONG);

let kernels: Kernels;
beforeAll(async () => {
  kernels = await Kernels.load();
}, 240_000);

const repeat = (count: number, rows: number) => new Array<number>(count).fill(rows);

/** Tasks, and how they are measured: each kind of launch that can solve for weights. */
const LAUNCHES: [name: string, form: 'measure' | 'stream', rowsPerTask: number[], inner: boolean][] = [
  ['2, in registers', 'measure', [4, 4], true],
  ['3, in registers', 'measure', [2, 1, 4], true],
  ['3, without products', 'measure', [8, 0, 3], false],
  ['8, in tiles', 'measure', repeat(8, 4), true],
  ['33, in tiles', 'measure', repeat(33, 3), true],
  ['33, without products', 'measure', repeat(33, 2), false],
  ['128, without products', 'measure', repeat(128, 2), false],
  ['2, streamed', 'stream', [2, 3], true],
  ['8, streamed without products', 'stream', repeat(8, 2), false],
  ['128, streamed', 'stream', repeat(128, 2), true],
  ['128, streamed without products', 'stream', repeat(128, 2), false],
];

/** What the launch measured, as the Mixer would get it. */
function momentsOf(measurement: Measurement, result: KernelResult): Moments {
  return {
    microBatches: Int32Array.from(measurement.rows, (task) => task.length),
    samples: Float64Array.from(measurement.samples, (sizes) => sizes.reduce((a, b) => a + b, 0)),
    deviation: result.deviation,
    meanNormSquared: result.meanNormSquared,
    meanInner: null,
    rowDeviation: null,
    rowAlignment: null,
  };
}

describe.each(LAUNCHES)('%s tasks', (_, form, rowsPerTask, inner) => {
  it.each(RULES)('the weights of %s', (rule) => {
    const K = rowsPerTask.length;
    const random = mulberry32(K + 1000 * RULES.indexOf(rule));
    const problems = (K > 100 ? 1 : K > 30 ? 2 : 8) * (long ? 6 : 1);
    const schedules = long ? kernels.schedules.thorough : kernels.schedules.short;
    let moved = 0;
    for (let problem = 0; problem < problems; problem++) {
      let options = randomOptions(random, rule, K);
      // Where few problems are tried, none at which next to nothing can move.
      while (K > 30 && (options.maxLogStep < 0.1 || options.minWeight > 0.6 / K))
        options = randomOptions(random, rule, K);
      let input = randomInput(random, options);
      for (let update = 0; update < 2; update++) {
        const measurement = drawMeasurement({ lengths: [40, 3], rowsPerTask, inner }, random);
        const losses = randomLosses(random, K);
        const counts = Float64Array.from([
          ...rowsPerTask,
          ...measurement.samples.map((sizes) => sizes.reduce((a, b) => a + b, 0)),
        ]);
        const run = { update: { ...nativeInput(input, losses), counts } };
        const result = kernels[form](measurement, run);
        if (update === 0) {
          const schedule = 1 + (problem % (schedules.length - 1));
          expect(kernels[form](measurement, { ...run, schedule })).toStrictEqual(result);
        }

        const expected = computeUpdate(input, momentsOf(measurement, result), losses, undefined);
        const { wrong, weights } = compareUpdate(input, expected, result as unknown as NativeOutput);
        expect(wrong, `problem ${problem}, update ${update}`).toStrictEqual([]);
        expect(weights).toBeLessThanOrEqual(1e-12);
        if (difference(expected.report.weights, expected.report.previous) > 1e-6) moved++;
        input = { ...input, ...expected, step: update + 1 };
      }
    }
    // The problems are not all ones where nothing happens.
    expect(moved).toBeGreaterThanOrEqual(problems / 4);
  });
});

it('is refused for more tasks than a launch can solve for', () => {
  const options = randomOptions(mulberry32(1), 'pike', 129);
  const native = nativeInput(randomInput(mulberry32(1), options), randomLosses(mulberry32(1), 129));
  const run = { update: { ...native, counts: new Float64Array(2 * 129).fill(2) } };
  const measurement = drawMeasurement(
    { lengths: [3], rowsPerTask: repeat(129, 2), inner: false },
    mulberry32(1),
  );
  for (const form of ['measure', 'stream'] as const)
    expect(() => kernels[form](measurement, run)).toThrow(/ERR_SHAPE.*129 tasks/);
});
