/**
 * native/math against the TypeScript that it repeats: updates on random problems, of every fourth problem three in a row
 * so that states are handed on; PIKE_TEST_LONG=1 (npm run test:kernels) does so in all of them.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { computeUpdate } from '../../lib/mixer/update.js';
import { mulberry32 } from '../support/gradients.js';
import { loadTestAddon } from './compile.js';
import {
  compareUpdate,
  difference,
  type NativeOutput,
  nativeInput,
  pick,
  RULES,
  randomInput,
  randomLosses,
  randomMoments,
  randomOptions,
} from './update-problems.js';

interface MathAddon {
  update(
    tasks: number,
    options: Record<string, number>,
    moments: Float64Array,
    inputs: Float64Array,
  ): NativeOutput;
}

const SIZES = [2, 3, 8, 2, 3, 8, 1, 33];
const PROBLEMS = 10_000;
const long = Boolean(process.env.PIKE_TEST_LONG);

let addon: MathAddon;
beforeAll(async () => {
  addon = await loadTestAddon<MathAddon>({ name: 'math', sources: ['test/native/math_addon.cpp'] });
}, 120_000);

describe('native/math', () => {
  it.each(RULES)(
    'gives the weights of the reference: %s',
    (rule) => {
      const random = mulberry32(1 + RULES.indexOf(rule));
      let worst = 0;
      let moved = 0;
      let limited = 0;
      for (let problem = 0; problem < PROBLEMS; problem++) {
        const K = problem % 200 === 0 ? 128 : SIZES[problem % SIZES.length];
        const options = randomOptions(random, rule, K);
        let input = randomInput(random, options);
        const size = pick(random, [1, 1, 1, 1e-6, 1e4, 1e-290, 1e250, 1e304]);
        const updates = long || problem % 4 === 0 ? 3 : 1;
        for (let update = 0; update < updates; update++) {
          const moments = randomMoments(random, K, size);
          const losses = randomLosses(random, K);
          const expected = computeUpdate(input, moments, losses, undefined);
          const { microBatches, samples, deviation, meanNormSquared } = moments;
          const block = [...microBatches, ...samples, ...deviation, ...meanNormSquared];
          const native = nativeInput(input, losses);
          const actual = addon.update(K, native.options, Float64Array.from(block), native.inputs);
          const { wrong, weights } = compareUpdate(input, expected, actual);
          if (wrong.length > 0 || !(weights <= 1e-12))
            expect.fail(`problem ${problem}, update ${update}, K = ${K}: weights ${weights}; ${wrong}`);
          worst = Math.max(worst, weights);
          if (difference(expected.report.weights, expected.report.previous) > 1e-6) moved++;
          if (expected.report.limited) limited++;
          input = { ...input, ...expected, step: update + 1 };
        }
      }
      expect(worst).toBeLessThanOrEqual(1e-12);
      // The problems are not all ones where nothing happens.
      expect(moved).toBeGreaterThan(PROBLEMS / 4);
      expect(limited).toBeGreaterThan(PROBLEMS / 10);
    },
    600_000,
  );
});
