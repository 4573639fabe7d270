/**
 * native/math/gramian.h against lib/rules/gramian.ts on random problems, K up to 128. Both do the same sums in the same
 * order, so that all but logarithms agrees to the last bit, also where the problem is badly conditioned. Only where
 * tasks are left out, whose weight is found by a logarithm, does the condition matter: so none is left out of those
 * whose norms lie magnitudes apart.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeWeightUpdate } from '../../lib/backends/weight-update.js';
import { describeUpdate } from '../../lib/mixer/solving.js';
import { gramianRule } from '../../lib/rules/gramian.js';
import { decodeLogWeights, initialLogWeights } from '../../lib/rules/rule.js';
import { weightsOf } from '../../lib/rules/simplex.js';
import { mulberry32 } from '../support/gradients.js';
import { GRAMIANS, randomGramian } from '../support/gramians.js';
import { loadTestAddon } from './compile.js';
import { difference, pick, randomInput, randomLosses, randomOptions } from './update-problems.js';

interface GramianAddon {
  gramian(
    tasks: number,
    options: Record<string, number>,
    inner: Float64Array,
    variances: Float64Array,
    logPrior: Float64Array,
    logWeights: Float64Array,
  ): { logWeights: Float64Array; projected: number; limited: boolean };
}

const PROBLEMS = 10_000;

let addon: GramianAddon;
beforeAll(async () => {
  addon = await loadTestAddon<GramianAddon>({ name: 'math', sources: ['test/native/math_addon.cpp'] });
}, 120_000);

describe('native/math', () => {
  it('gives the weights of the reference: gramian', () => {
    const random = mulberry32(11);
    let worst = 0;
    let moved = 0;
    let projected = 0;
    let limited = 0;
    for (let problem = 0; problem < PROBLEMS; problem++) {
      const K = problem % 101 === 0 ? 128 : pick(random, [2, 3, 3, 5, 8, 8, 1, 20]);
      const drawn = { ...randomOptions(random, 'pike', K), rule: gramianRule };
      // All tasks are known of, and next to nothing but wᵀGw counts: the worst condition there is.
      const hard = random() < 0.2;
      const options = hard ? { ...drawn, learningRate: 1e4 } : drawn;
      const input = randomInput(random, options);
      const kind = GRAMIANS[problem % GRAMIANS.length];
      const size = pick(random, [1, 1, 1, 1e-6, 1e4, 1e-290, 1e250, 1e300]);
      const { inner, variance } = randomGramian(random, K, kind, size);
      if (kind !== 'graded' && !hard) {
        if (random() < 0.1) inner[0] = Number.NaN;
        if (random() < 0.1) variance[K - 1] = Number.NaN;
      }
      if (K > 1 && random() < 0.1) inner[1] = Number.NaN;
      // Next to which all others, and their squares, are nothing.
      if (K > 1 && random() < 0.2) inner[K * K - 1] = pick(random, [-1e308, 1e308]);
      const statistics = {
        tasks: K,
        microBatches: new Int32Array(K).fill(4),
        samples: new Float64Array(K).fill(32),
        normSquared: inner.filter((_, i) => i % (K + 1) === 0),
        variance,
        inner,
        standardError: null,
      };
      const expected = gramianRule.update(input.rule, statistics, { step: 0, losses: null, options });
      const native = encodeWeightUpdate(describeUpdate('pike', input, randomLosses(random, K), undefined));
      const before = decodeLogWeights(input.rule.logWeights, K);
      const actual = addon.gramian(K, native.options, inner, variance, initialLogWeights(options), before);
      const weights = weightsOf(decodeLogWeights(expected.state.logWeights, K));
      const apart = difference(weightsOf(actual.logWeights), weights);
      const what = `problem ${problem}, ${kind}, K = ${K}`;
      if (!(apart <= 1e-12)) expect.fail(`${what}: weights differ by ${apart}`);
      expect(actual.projected, what).toBe(expected.projected);
      if (options.maxLogStep > 1e-6) expect(actual.limited, what).toBe(expected.limited);
      worst = Math.max(worst, apart);
      if (difference(weights, weightsOf(before)) > 1e-6) moved++;
      if (expected.projected! > 0) projected++;
      if (expected.limited) limited++;
    }
    expect(worst).toBeLessThanOrEqual(1e-12);
    // The problems are not all ones where nothing happens.
    expect(moved).toBeGreaterThan(PROBLEMS / 2);
    expect(projected).toBeGreaterThan(PROBLEMS / 10);
    expect(limited).toBeGreaterThan(PROBLEMS / 10);
  }, 600_000);
});
