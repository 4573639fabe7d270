/** What holds for every rule, on random statistics. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rules } from '../../lib/index.js';
import { type ResolvedOptions, resolveOptions } from '../../lib/mixer/options.js';
import { decodeLogWeights, encodeLogWeights } from '../../lib/rules/rule.js';
import { normalize, projectOntoFloor, weightsOf } from '../../lib/rules/simplex.js';
import { largestDifference } from '../support/expect.js';

const K = 5;

interface Problem {
  weights: number[];
  normSquared: number[];
  variance: number[];
  losses: number[];
  options: ResolvedOptions;
}

const magnitudes = fc.constantFrom(1e-6, 1, 1, 1e8);
const perTask = (values: fc.Arbitrary<number>) => fc.array(values, { minLength: K, maxLength: K });
const number = (min: number, max: number) => fc.double({ min, max, noNaN: true });

const problems = (rule: string): fc.Arbitrary<Problem> =>
  fc
    .record({
      raw: perTask(number(1e-6, 1)),
      prior: perTask(number(1e-3, 1)),
      // A 0 among them: no signal. NaN is set by the tests that want it.
      norms: perTask(fc.oneof(number(0.01, 1), fc.constant(0), number(-0.3, 0))),
      noise: perTask(number(0, 50)),
      losses: perTask(number(0, 5)),
      size: magnitudes,
      minWeight: fc.constantFrom(0, 1e-3, 0.05, 1 / K),
      maxLogStep: fc.constantFrom(0.3, Infinity, 1e-3),
      priorPull: fc.constantFrom(0, 0.05, 1),
      scale: fc.constantFrom<('relative' | 'absolute')[]>('relative', 'absolute'),
      batchSize: fc.constantFrom(8, 1024),
      alpha: fc.constantFrom(undefined, 0.1),
    })
    .map((p) => {
      const sum = p.prior.reduce((a, b) => a + b, 0);
      const options = resolveOptions({
        tasks: Array.from({ length: K }, (_, k) => `task${k}`),
        batchSize: p.batchSize,
        rule,
        initialWeights: p.prior.map((x) => x / sum),
        minWeight: p.minWeight,
        maxLogStep: p.maxLogStep,
        priorPull: p.priorPull,
        scale: p.scale,
        zeta1: 0.4,
        learningRate: 0.3,
        smoothness: 2,
        ...(p.alpha === undefined ? {} : { alpha: p.alpha }),
      });
      const start = projectOntoFloor(normalize(p.raw.map(Math.log)), p.minWeight).logWeights;
      return {
        weights: Array.from(start),
        normSquared: p.norms.map((x) => x * p.size),
        variance: p.noise.map((x) => x * p.size),
        losses: p.losses,
        options,
      };
    });

function run({ weights, normSquared, variance, losses, options }: Problem) {
  const result = options.rule.update(
    { logWeights: encodeLogWeights(Float64Array.from(weights)) },
    {
      tasks: K,
      microBatches: new Int32Array(K).fill(4),
      samples: new Float64Array(K).fill(32),
      normSquared: Float64Array.from(normSquared),
      variance: Float64Array.from(variance),
      inner: options.rule.needs.inner ? productsOf(normSquared) : null,
      standardError: null,
    },
    { step: 0, losses: Float64Array.from(losses), options },
  );
  const logWeights = decodeLogWeights(result.state.logWeights, K);
  return { ...result, logWeights, weights: weightsOf(logWeights) };
}

/** Products of tasks that are alike by a fifth, with the norms on the diagonal; NaN where one of two is unknown. */
const productsOf = (norms: readonly number[]) =>
  Float64Array.from({ length: K * K }, (_, i) => {
    const [a, b] = [norms[Math.floor(i / K)], norms[i % K]];
    return i % (K + 1) === 0 ? a : 0.2 * Math.sqrt(Math.max(a, 0)) * Math.sqrt(Math.max(b, 0));
  });

/** Task k of the result is task order[k] of the problem. */
function reorder(p: Problem, order: readonly number[]): Problem {
  const of = (x: readonly number[]) => order.map((k) => x[k]);
  return {
    weights: of(p.weights),
    normSquared: of(p.normSquared),
    variance: of(p.variance),
    losses: of(p.losses),
    options: { ...p.options, initialWeights: of(p.options.initialWeights) },
  };
}

const sum = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0);

describe.each(Object.keys(rules))('%s', (rule) => {
  it('gives weights that sum to 1 and respect the floor, and names those on it', () => {
    let floored = 0;
    let moved = 0;
    fc.assert(
      fc.property(problems(rule), (p) => {
        const { minWeight } = p.options;
        const result = run(p);
        expect(Math.abs(sum(result.weights) - 1)).toBeLessThan(1e-12);
        for (const w of result.weights) expect(w).toBeGreaterThanOrEqual(minWeight);
        for (const k of result.floored!) expect(result.weights[k]).toBeLessThan(minWeight * (1 + 1e-12));
        floored += result.floored!.length;
        if (largestDifference(result.weights, p.weights.map(Math.exp)) > 1e-9) moved++;
      }),
      { numRuns: 300 },
    );
    expect(floored).toBeGreaterThan(50);
    expect(moved).toBeGreaterThan(100);
  });

  it('moves no log-weight by more than maxLogStep, and says when it held back', () => {
    fc.assert(
      fc.property(problems(rule), (p) => {
        const { maxLogStep } = p.options;
        const result = run(p);
        const move = largestDifference(result.logWeights, p.weights);
        if (maxLogStep === Infinity) expect(result.limited).toBe(false);
        else expect(move).toBeLessThanOrEqual(maxLogStep + 1e-14);
        const aims = rule === 'conceptual' || rule === 'gramian';
        if (result.limited && p.options.priorPull < 1 && !aims)
          expect(move).toBeGreaterThan(maxLogStep - 1e-12);
      }),
      { numRuns: 300 },
    );
  });

  it('does not care for the order of tasks', () => {
    fc.assert(
      fc.property(problems(rule), fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: K }), (p, order) => {
        const expected = run(p);
        const result = run(reorder(p, order));
        expect(
          largestDifference(
            result.weights,
            order.map((k) => expected.weights[k]),
          ),
        ).toBeLessThan(1e-11);
        expect(
          largestDifference(
            result.lossWeights ?? [],
            expected.lossWeights ? order.map((k) => expected.lossWeights![k]) : [],
          ),
        ).toBeLessThan(1e-13);
      }),
      { numRuns: 300 },
    );
  });

  it('lets tasks that were never measured keep their weight, and the others their sum', () => {
    fc.assert(
      fc.property(
        problems(rule),
        fc.subarray([0, 1, 2, 3, 4], { minLength: 1, maxLength: K - 1 }),
        (p, unknown) => {
          const part = (x: readonly number[]) => x.map((v, k) => (unknown.includes(k) ? Number.NaN : v));
          const result = run({ ...p, normSquared: part(p.normSquared), variance: part(p.variance) });
          for (const k of unknown) expect(Math.abs(result.logWeights[k] - p.weights[k])).toBeLessThan(1e-14);
          expect(Math.abs(sum(result.weights) - 1)).toBeLessThan(1e-12);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('does not write into its state', () => {
    fc.assert(
      fc.property(problems(rule), (p) => {
        const before = { ...p, weights: p.weights.slice() };
        expect(run(p).logWeights).toEqual(run(before).logWeights);
        expect(p.weights).toEqual(before.weights);
      }),
      { numRuns: 20 },
    );
  });
});

// The minimiser of 'conceptual' jumps where tasks tie, so its own test has statistics where it does not.
describe.each(['pike', 'mirror'])('%s', (rule) => {
  it('is not moved by a constant that is added to every exponent', () => {
    fc.assert(
      fc.property(problems(rule), number(0, 20), (p, constant) => {
        // Noise that all have: (ζ2/2b)σ² or (Lη²/2b)σ² more for each.
        const options = { ...p.options, scale: 'absolute' as const };
        const scale = Math.max(...p.variance, 1e-6);
        const noisier = { ...p, options, variance: p.variance.map((x) => x + constant * scale) };
        expect(largestDifference(run(noisier).weights, run({ ...p, options }).weights)).toBeLessThan(1e-6);
      }),
      { numRuns: 300 },
    );
  });
});
