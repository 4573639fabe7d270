/** The parts of the GPU bench that decide whether a promise is kept: each must also be able to say no. */
import { describe, expect, it } from 'vitest';
import { compareReports } from '../../bench/gpu/mixer.js';
import { adversarialProblems, bitProblems, randomProblems } from '../../bench/gpu/problems.js';
import { bfloat16ToNumber, float16ToNumber } from '../../lib/gradients/half.js';
import type { Moments } from '../../lib/statistics/statistics.js';
import {
  differentBits,
  expectedMoments,
  flatten,
  largestError,
  TYPICAL_ERROR,
} from '../../lib/verification/compare.js';
import { drawInputs, encodeHalf, problem } from '../../lib/verification/inputs.js';
import { weightError } from '../../lib/verification/solved-weights.js';

const given = problem({ lengths: [50, 3], rowsPerTask: [3, 2, 2], inner: true });
const expected = await expectedMoments(given, drawInputs(given));

/** The same sums, one array of them changed. */
function changed(name: keyof Moments, change: (values: Float64Array) => void): Moments {
  const values = Float64Array.from(expected.moments[name]!);
  change(values);
  return { ...expected.moments, [name]: values };
}

describe('the error of sums', () => {
  it('is none for the very same sums', () => {
    expect(largestError(expected.moments, expected, true)).toBe(0);
  });

  it.each([
    ['meanNormSquared', 1],
    ['deviation', 0],
    ['meanInner', 5],
    ['rowDeviation', 6],
    ['rowAlignment', 2],
    ['microBatches', 1],
    ['samples', 2],
  ] as const)('is too large when %s is wrong, missing or not finite', (name, index) => {
    const { largestNorm } = expected;
    const slightly = 40 * TYPICAL_ERROR * Math.max(...largestNorm) ** 2;
    for (const wrong of [(x: number) => x + slightly, (x: number) => -x - slightly, () => Number.NaN]) {
      const moments = changed(name, (values) => {
        values[index] = wrong(values[index]!);
      });
      expect(largestError(moments, expected, true)).toBeGreaterThan(TYPICAL_ERROR);
    }
    const short = changed(name, () => {});
    const missing = { ...short, [name]: (short[name] as Float64Array).subarray(0, index) };
    expect(largestError(missing, expected, true)).toBeGreaterThan(TYPICAL_ERROR);
  });

  it('is too large without products that were asked for, or without scalars per row', () => {
    expect(largestError({ ...expected.moments, meanInner: null }, expected, true)).toBe(Infinity);
    const bare = { ...expected.moments, rowDeviation: null, rowAlignment: null };
    expect(largestError(bare, expected, true)).toBe(Infinity);
    expect(largestError(bare, expected, false)).toBe(0);
  });

  it('is that of the promise: in u² of the largest row of the task', () => {
    const u2 = expected.largestNorm[0]! ** 2;
    const moments = changed('meanNormSquared', (values) => {
      values[0]! += 1e-3 * u2;
    });
    expect(largestError(moments, expected, true)).toBeCloseTo(1e-3, 12);
  });
});

describe('bits', () => {
  it('differ by any bit, by NaN, by number', () => {
    const numbers = flatten(expected.moments);
    expect(numbers).toHaveLength(3 + 3 + 3 + 7 + 7);
    expect(differentBits(numbers, [...numbers])).toBe(0);
    for (const wrong of [numbers[4]! * (1 + Number.EPSILON), Number.NaN, -numbers[4]!])
      expect(differentBits(Object.assign([...numbers], { 4: wrong }), numbers)).toBe(1);
    expect(differentBits(numbers.slice(1), numbers)).toBe(numbers.length);
    expect(differentBits([], numbers)).toBe(numbers.length);
    expect(differentBits([0], [-0])).toBe(1);
  });
});

describe('the error of weights', () => {
  const weights = [0.2, 0.3, 0.5];
  const statistics = { normSquared: Float64Array.of(1, 2, 3), variance: Float64Array.of(4, 5, Number.NaN) };
  const right = {
    logWeights: Float64Array.from(weights, Math.log),
    lossWeights: Float64Array.of(1, 1, 1),
    raw: statistics,
    smoothed: statistics,
    measured: true,
  };
  const report = { weights: Float64Array.from(weights), statistics, smoothed: statistics, missed: [] };
  const errorOf = (change: object) =>
    weightError({ ...right, ...change } as never, { report, lossWeights: right.lossWeights } as never);

  it('is rounding for the same weights', () => {
    expect(errorOf({})).toBeLessThan(1e-15);
  });

  it.each([
    ['a weight', { logWeights: Float64Array.of(Math.log(0.2) + 1e-11, Math.log(0.3), Math.log(0.5)) }],
    ['a weight that is NaN', { logWeights: Float64Array.of(Number.NaN, Math.log(0.3), Math.log(0.5)) }],
    ['a loss weight', { lossWeights: Float64Array.of(1, 1, 1 + 1e-11) }],
    ['a raw norm', { raw: { ...statistics, normSquared: Float64Array.of(1, 2 + 1e-10, 3) } }],
    ['a raw variance', { raw: { ...statistics, variance: Float64Array.of(4, 5, 6) } }],
    ['a smoothed norm', { smoothed: { ...statistics, normSquared: Float64Array.of(1, Number.NaN, 3) } }],
    [
      'a smoothed variance',
      { smoothed: { ...statistics, variance: Float64Array.of(4, 5.0001, Number.NaN) } },
    ],
    ['what was measured', { measured: false }],
  ])('is too large when %s differs', (_, change) => {
    expect(errorOf(change)).toBeGreaterThan(1e-12);
  });
});

describe('reports of two mixers', () => {
  const report = (normSquared: number, variance: number, weight: number) => ({
    statistics: {
      normSquared: Float64Array.of(normSquared),
      variance: Float64Array.of(variance),
      samples: Float64Array.of(4),
    },
    weights: Float64Array.of(weight),
  });
  const kept = (...given: Parameters<typeof report>) =>
    compareReports('', [report(...given), report(1, 2, 0.5)] as never, Float64Array.of(10)).map(
      (check) => check.kept,
    );

  it('must agree about statistics and weights', () => {
    expect(kept(1 + 0.9e-4, 2 + 3.9e-4, 0.5 + 1e-6)).toEqual([true, true]);
    expect(kept(1 + 1.1e-4, 2, 0.5)).toEqual([false, true]);
    expect(kept(1, 2 + 4.1e-4, 0.5)).toEqual([false, true]);
    expect(kept(1, 2, 0.5 + 2e-5)).toEqual([true, false]);
    expect(kept(Number.NaN, 2, Number.NaN)).toEqual([false, false]);
  });
});

describe('inputs', () => {
  it('are the same for the same seed', () => {
    expect(drawInputs(given)).toEqual(drawInputs(given));
    expect(drawInputs({ ...given, seed: 2 })).not.toEqual(drawInputs(given));
  });

  it('are 16-bit numbers next to what was meant, and finite', () => {
    for (const value of [1, -1, 1 / 3, 1e-3, -30_000, 65504, 6.2e-5]) {
      expect(Math.abs(bfloat16ToNumber(encodeHalf('bfloat16', value)) / value - 1)).toBeLessThan(2 ** -7);
      expect(Math.abs(float16ToNumber(encodeHalf('float16', value)) / value - 1)).toBeLessThan(2 ** -10);
    }
    expect([1e6, -1e6, 1e-6].map((value) => float16ToNumber(encodeHalf('float16', value)))).toEqual([
      65504, -65504, 0,
    ]);
  });

  it('have what they are named after', () => {
    const first = (values: 'constant' | 'magnitudes' | 'spike') =>
      drawInputs(problem({ lengths: [40], rowsPerTask: [2], values })).rows[0]![1]![0]!;
    expect(new Set(first('constant')).size).toBe(1);
    expect(Math.max(...first('magnitudes')) / Math.min(...first('magnitudes'))).toBeGreaterThan(0.9e12);
    expect(first('spike').filter((x) => Math.abs(x) > 1)).toEqual(Float32Array.of(30_000));
  });

  it('cover dtypes, metrics, shifts, products, streams, and more rows than fit at once', () => {
    for (const size of ['full', 'quick'] as const) {
      const all = [...randomProblems(size), ...adversarialProblems(size)];
      for (const dtype of ['float32', 'bfloat16', 'float16'])
        for (const streamed of [false, true])
          for (const inner of [false, true])
            for (const metric of [false, true])
              expect(
                all.some(
                  (each) =>
                    each.dtype === dtype &&
                    each.streamed === streamed &&
                    each.inner === inner &&
                    (each.metric !== null) === metric,
                ),
                [size, dtype, streamed, inner, metric].join(' '),
              ).toBe(true);
      expect(all.some((each) => each.shift > 0 && !each.streamed)).toBe(true);
      expect(all.some((each) => Math.max(...each.rowsPerTask) > 128)).toBe(true);
      expect(all.some((each) => each.lengths.length > 1000)).toBe(true);
    }
    expect(bitProblems().length).toBeGreaterThan(20);
  });
});
