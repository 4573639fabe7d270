import { describe, expect, it } from 'vitest';
import { emptyAverage } from '../../lib/statistics/average.js';
import { advance, initSmoothing, smooth, smoothedStatistics } from '../../lib/statistics/smoothing.js';
import type { Statistics } from '../../lib/statistics/statistics.js';
import { golden } from '../support/golden.js';

interface GoldenAverage {
  beta: number;
  x: (number | null)[];
  weight: number[];
  estimate: number[];
}

const measurement = (normSquared: number[], variance: number[], m: number[], n: number[]): Statistics => ({
  tasks: m.length,
  microBatches: Int32Array.from(m),
  samples: Float64Array.from(n),
  normSquared: Float64Array.from(normSquared),
  variance: Float64Array.from(variance),
  inner: null,
  standardError: null,
});

describe('smoothing', () => {
  it.each((golden('estimators').ema as GoldenAverage[]).map((e) => [e.beta, e] as const))(
    'golden average, beta %d',
    (_, expected) => {
      let average = emptyAverage(1);
      expected.x.forEach((x, i) => {
        average = advance(average, expected.beta, [x ?? Number.NaN], [expected.weight[i]]);
        expect(average.estimate[0]).toBeCloseTo(expected.estimate[i], 13);
      });
    },
  );

  it('weights N by n²(1 − 1/m) and the variance by m − 1', () => {
    const beta = 0.5;
    let state = smooth(initSmoothing(1, false), beta, measurement([1], [10], [2], [8]));
    state = smooth(state, beta, measurement([3], [20], [4], [16]));
    const weights = [beta * 8 * 8 * (1 / 2), 16 * 16 * (3 / 4)];
    expect(state.normSquared.estimate[0]).toBeCloseTo(
      (weights[0] * 1 + weights[1] * 3) / (weights[0] + weights[1]),
      14,
    );
    expect(state.variance.estimate[0]).toBeCloseTo((beta * 1 * 10 + 3 * 20) / (beta * 1 + 3), 14);
  });

  it('weights products by n_j n_k', () => {
    const beta = 0.5;
    const pair = (g: number, n: number[]): Statistics => ({
      ...measurement([1, 1], [1, 1], [2, 2], n),
      inner: Float64Array.of(1, g, g, 1),
    });
    let state = smooth(initSmoothing(2, true), beta, pair(2, [4, 6]));
    state = smooth(state, beta, pair(-1, [10, 2]));
    const expected = (beta * 24 * 2 - 20) / (beta * 24 + 20);
    const { statistics } = smoothedStatistics(state, pair(0, [4, 6]), true);
    expect(statistics.inner![1]).toBeCloseTo(expected, 14);
    expect(statistics.inner![2]).toBe(statistics.inner![1]);
  });

  it('keeps the last estimate through misses, with beta 0 and when the denominator underflows', () => {
    for (const beta of [0, 0.5]) {
      let average = advance(emptyAverage(1), beta, [7], [2]);
      for (let i = 0; i < 1200; i++) average = advance(average, beta, [Number.NaN], [2]);
      expect(average.denominator[0]).toBe(0);
      expect(average.estimate[0]).toBe(7);
      expect(advance(average, beta, [-1], [2]).estimate[0]).toBe(-1);
    }
  });

  it('averages before it clips', () => {
    let state = initSmoothing(1, false);
    const truth = 0.1;
    const draws = [-0.9, 1.1, -0.4, 0.6];
    for (const x of draws) state = smooth(state, 0.999, measurement([x], [1], [2], [4]));
    const { statistics, clipped } = smoothedStatistics(state, measurement([0], [1], [2], [4]), true);
    expect(statistics.normSquared[0]).toBeCloseTo(truth, 2);
    expect(clipped).toEqual([]);
  });

  it('clips the smoothed norm at 0 and says so; without clipping it stays negative', () => {
    const raw = measurement([-2, 1], [1, 1], [2, 2], [4, 4]);
    const state = smooth(initSmoothing(2, false), 0.9, raw);
    const { statistics, clipped } = smoothedStatistics(state, raw, true);
    expect(Array.from(statistics.normSquared)).toEqual([0, 1]);
    expect(clipped).toEqual([0]);
    expect(smoothedStatistics(state, raw, false).statistics.normSquared[0]).toBeCloseTo(-2, 14);
  });

  it('has no estimate for a task never measured', () => {
    const raw = measurement([Number.NaN, 1], [Number.NaN, 1], [0, 2], [0, 4]);
    const { statistics } = smoothedStatistics(smooth(initSmoothing(2, false), 0.9, raw), raw, true);
    expect(statistics.normSquared[0]).toBeNaN();
    expect(statistics.variance[0]).toBeNaN();
  });

  it('leaves the state it is given as it is', () => {
    const state = initSmoothing(1, false);
    const before = structuredClone(state);
    smooth(state, 0.9, measurement([1], [1], [2], [4]));
    expect(state).toEqual(before);
  });
});
