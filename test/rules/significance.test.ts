/** Exponents within noise of each other do not move weights: by hand, and by properties. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveOptions } from '../../lib/mixer/options.js';
import { encodeLogWeights, type WeightRule } from '../../lib/rules/rule.js';
import { rules } from '../../lib/rules/rules.js';
import { heterogeneity, linearErrors, shrinkNoise } from '../../lib/rules/significance.js';
import type { Statistics } from '../../lib/statistics/statistics.js';
import { expectError } from '../support/expect.js';
import { gaussian, mulberry32 } from '../support/gradients.js';

const numbers = (...x: number[]) => Float64Array.from(x);

describe('shrinking', () => {
  it('of two tasks is that of their difference by z √(s_1² + s_2²)', () => {
    const [e, s] = [numbers(3, -1), numbers(0.3, 0.4)];
    const { exponents, held } = shrinkNoise(e, s, 2);
    expect(exponents[0] - exponents[1]).toBeCloseTo(4 - 2 * 0.5, 12);
    // The precision-weighted mean stays where it was.
    const mean = (x: Float64Array) => (x[0] / 0.09 + x[1] / 0.16) / (1 / 0.09 + 1 / 0.16);
    expect(mean(exponents)).toBeCloseTo(mean(e), 12);
    expect(held).toEqual([]);
    // A difference of 4 is 8 standard errors.
    expect(shrinkNoise(e, s, 7.99).held).toEqual([]);
    const within = shrinkNoise(e, s, 8.01);
    expect(within.held).toEqual([0, 1]);
    expect(within.exponents[0]).toBe(within.exponents[1]);
  });

  it('of three is by hand', () => {
    // Equal errors: ē = 2, each difference has the error √(1 − 1/3).
    const { exponents, held } = shrinkNoise(numbers(0, 2, 4), numbers(1, 1, 1), 1);
    const t = Math.sqrt(2 / 3);
    expect(exponents[0]).toBeCloseTo(t, 12);
    expect(exponents[1]).toBeCloseTo(2, 12);
    expect(exponents[2]).toBeCloseTo(4 - t, 12);
    expect(held).toEqual([1]);
  });

  it('leaves all as it is at z = 0, and a task whose error is unknown at any', () => {
    const e = numbers(1, 5, 9);
    expect(shrinkNoise(e, numbers(9, 9, 9), 0)).toEqual({ exponents: e, held: [] });
    const { exponents, held } = shrinkNoise(e, numbers(9, 9, Number.NaN), 1);
    expect([...exponents]).toEqual([3, 3, 9]);
    expect(held).toEqual([0, 1]);
    expect(shrinkNoise(e, numbers(Number.NaN, Number.NaN, 1), 5)).toEqual({ exponents: e, held: [] });
  });

  it('holds the others to a task without error', () => {
    const { exponents, held } = shrinkNoise(numbers(7, 6, 9), numbers(0, 1, 1), 1.5);
    expect([...exponents]).toEqual([7, 7, 7.5]);
    expect(held).toEqual([1]);
  });

  it('survives the largest numbers', () => {
    const max = Number.MAX_VALUE;
    for (const s of [0, 1e-320, 1, max, Infinity])
      for (const z of [1e-300, 1, max]) {
        const { exponents } = shrinkNoise(numbers(max, -max, 0), numbers(s, max, 1e-300), z);
        expect(exponents.every(Number.isFinite)).toBe(true);
      }
  });

  const problem = fc.record({
    tasks: fc.array(
      fc.record({
        e: fc.double({ min: -9, max: 9, noNaN: true }),
        s: fc.double({ min: 1e-3, max: 9, noNaN: true }),
      }),
      { minLength: 2, maxLength: 12 },
    ),
    z: fc.double({ min: 0.01, max: 5, noNaN: true }),
  });

  it('permutes with its tasks, moves with a constant, and never turns a difference around', () => {
    fc.assert(
      fc.property(problem, fc.double({ min: -100, max: 100, noNaN: true }), ({ tasks, z }, constant) => {
        const e = Float64Array.from(tasks, (task) => task.e);
        const s = tasks.map((task) => task.s);
        const { exponents } = shrinkNoise(e, s, z);
        const reversed = shrinkNoise(e.slice().reverse(), [...s].reverse(), z).exponents.reverse();
        const shifted = shrinkNoise(
          e.map((x) => x + constant),
          s,
          z,
        ).exponents.map((x) => x - constant);
        for (let k = 0; k < e.length; k++) {
          expect(Math.abs(reversed[k] - exponents[k])).toBeLessThan(1e-12 * 10);
          expect(Math.abs(shifted[k] - exponents[k])).toBeLessThan(1e-12 * 100);
        }
        const spread = (x: Float64Array) => Math.max(...x) - Math.min(...x);
        expect(spread(exponents)).toBeLessThanOrEqual(spread(e) + 1e-12);
      }),
    );
  });

  it('holds nearly all tasks that differ by noise alone, and hardly one that differs by much more', () => {
    const random = mulberry32(3);
    let still = 0;
    let found = 0;
    for (let run = 0; run < 2000; run++) {
      const s = Array.from({ length: 5 }, () => 0.2 + random());
      const e = Float64Array.from(s, (error) => error * gaussian(random));
      still += shrinkNoise(e, s, 2).held.length;
      e[4] += 6 * s[4];
      found += shrinkNoise(e, s, 2).held.includes(4) ? 0 : 1;
    }
    // Two standard errors hold 95.4 % of a normal distribution.
    expect(still / 10_000).toBeGreaterThan(0.945);
    expect(still / 10_000).toBeLessThan(0.965);
    expect(found / 2000).toBeGreaterThan(0.98);
  });
});

describe('heterogeneity', () => {
  it('is by hand', () => {
    expect(heterogeneity([3, -1], [0.3, 0.4])).toBeCloseTo(8, 12);
    expect(heterogeneity([0, 2, 4], [1, 1, 1])).toBeCloseTo(2, 12);
    expect(heterogeneity([5, 5, 5], [1, 0, 2])).toBe(0);
    expect(heterogeneity([5, 6], [0, 0])).toBe(Infinity);
    expect(heterogeneity([5, 6, Number.NaN], [Number.NaN, 1, 1])).toBeNull();
  });

  it('is about 1 where all is noise: its mean square is 1', () => {
    const random = mulberry32(5);
    let sum = 0;
    for (let run = 0; run < 4000; run++) {
      const s = Array.from({ length: 6 }, () => 0.2 + random());
      sum +=
        heterogeneity(
          s.map((error) => 3 + error * gaussian(random)),
          s,
        )! ** 2;
    }
    expect(sum / 4000).toBeCloseTo(1, 1);
  });
});

it('the error of an exponent is that of N and of σ² together; of a weight of 0 that stays there none', () => {
  const errors = { normSquared: numbers(1, 2, 3), variance: numbers(10, 20, 30) };
  const of = (minWeight: number) =>
    linearErrors(
      errors,
      [-1, -Infinity, -2],
      minWeight,
      () => 0.5,
      () => -0.01,
    );
  expect([...of(0)]).toEqual([0.6, Number.NaN, 1.8]);
  expect([...of(0.1)]).toEqual([0.6, 1.2, 1.8]);
  expect([
    ...linearErrors(
      null,
      [0],
      0,
      () => 1,
      () => 1,
    ),
  ]).toEqual([Number.NaN]);
});

describe.each(['pike', 'mirror', 'balanced'])('%s', (name) => {
  const rule: WeightRule = rules[name];
  const K = 3;
  const start = { logWeights: encodeLogWeights(numbers(0.2, 0.3, 0.5).map(Math.log)) };
  const statistics = (error: number | null, N = [3, 2, 1]): Statistics => ({
    tasks: K,
    microBatches: new Int32Array(K).fill(4),
    samples: new Float64Array(K).fill(16),
    normSquared: Float64Array.from(N),
    variance: numbers(4, 5, 6),
    inner: null,
    standardError:
      error === null
        ? null
        : { normSquared: numbers(error, 2 * error, error), variance: numbers(error, error, error) },
  });
  const run = (significance: number, given: Statistics) => {
    const options = resolveOptions({
      tasks: ['a', 'b', 'c'],
      batchSize: 8,
      rule,
      significance,
      priorPull: 0,
      minWeight: 0,
      maxLogStep: Infinity,
      zeta1: 0.3,
      learningRate: 0.1,
      smoothness: 1,
    });
    const context = { step: 0, losses: numbers(1, 1.2, 0.9), options };
    const result = rule.update(structuredClone(start), given, context);
    return { ...result, weights: result.state.logWeights.map((x) => Math.exp(Number(x))) };
  };

  it('does not move where all is noise, and moves as ever where nothing is', () => {
    const noisy = run(2, statistics(50));
    expect(noisy.held).toEqual([0, 1, 2]);
    [0.2, 0.3, 0.5].forEach((w, k) => {
      expect(noisy.weights[k]).toBeCloseTo(w, 12);
    });
    const plain = run(0, statistics(50));
    expect(plain.held).toEqual([]);
    expect(plain.weights[0]).toBeGreaterThan(0.201);
    expect(run(2, statistics(0)).weights).toEqual(plain.weights);
    expect(run(2, statistics(null))).toMatchObject({ weights: plain.weights, held: [] });
  });

  it('moves less, the more noise there is', () => {
    const moves = [0, 0.05, 0.1, 0.2, 0.4].map((error) => {
      const { weights } = run(1, statistics(error, [9, 2, 1]));
      return weights[0] - 0.2;
    });
    for (let i = 1; i < moves.length; i++) expect(moves[i]).toBeLessThan(moves[i - 1]);
    expect(moves[4]).toBeGreaterThan(0);
  });
});

describe('the option', () => {
  const base = { tasks: ['a', 'b'], batchSize: 8 };
  it('is refused where the rule would not heed it, and for what is no number of standard errors', async () => {
    const bound = { learningRate: 0.1, smoothness: 1 };
    await expectError('ERR_INVALID_OPTION', /'conceptual' does not heed significance/, () =>
      resolveOptions({ ...base, ...bound, rule: 'conceptual', significance: 1 }),
    );
    await expectError('ERR_INVALID_OPTION', /'own' does not heed/, () =>
      resolveOptions({
        ...base,
        rule: { ...rules.pike, name: 'own', heedsSignificance: false },
        significance: 1,
      }),
    );
    for (const significance of [-1, Number.NaN, Infinity, '2' as never])
      await expectError('ERR_INVALID_OPTION', /significance must be/, () =>
        resolveOptions({ ...base, significance }),
      );
    expect(resolveOptions({ ...base, ...bound, rule: 'conceptual' }).significance).toBe(0);
  });
});
