/** Standard errors against known truth: of single measurements, and of averages over them. */
import { describe, expect, it } from 'vitest';
import { estimate } from '../../lib/statistics/estimators.js';
import { initSmoothing, smooth, smoothedStatistics } from '../../lib/statistics/smoothing.js';
import type { Moments, Statistics } from '../../lib/statistics/statistics.js';
import { gaussian, mulberry32 } from '../support/gradients.js';

const MEASUREMENTS = 10_000;
/** Eigenvalues of the covariance of one sample's gradient: a few directions hold most of the noise. */
const SPECTRUM = Array.from({ length: 8 }, (_, c) => 1 / (1 + c));
const SPECTRA: [name: string, spectrum: number[]][] = [
  ['noise in a few directions', SPECTRUM],
  ['in one direction', [1]],
  ['in many directions alike', new Array<number>(48).fill(1)],
];
const traceOf = (spectrum: readonly number[]) => spectrum.reduce((sum, x) => sum + x, 0);
const TRACE = traceOf(SPECTRUM);
const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
const deviation = (values: readonly number[], truth: number) =>
  Math.sqrt(mean(values.map((x) => (x - truth) ** 2)));

function gaussians(seed: number): () => number {
  const random = mulberry32(seed);
  return () => gaussian(random);
}

/** Sums over one task's rows of Gaussian noise around μ, whose elements are all the same. */
function momentsOf(next: () => number, sizes: readonly number[], N: number, spectrum = SPECTRUM): Moments {
  const d = spectrum.length;
  const n = sizes.reduce((sum, s) => sum + s, 0);
  const rows = sizes.map((s) => spectrum.map((v) => Math.sqrt(N / d) + Math.sqrt(v / s) * next()));
  const average = spectrum.map((_, c) => rows.reduce((sum, row, i) => sum + (sizes[i] / n) * row[c], 0));
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, c) => sum + x * b[c], 0);
  const away = rows.map((row) => row.map((x, c) => x - average[c]));
  const rowDeviation = Float64Array.from(away, (row) => dot(row, row));
  return {
    microBatches: Int32Array.of(sizes.length),
    samples: Float64Array.of(n),
    deviation: Float64Array.of(dot(sizes, Array.from(rowDeviation))),
    meanNormSquared: Float64Array.of(dot(average, average)),
    meanInner: null,
    rowDeviation,
    rowAlignment: Float64Array.from(away, (row) => dot(row, average)),
  };
}

/** Standard deviations of the estimates themselves, for Gaussian rows of equal size. */
function trueDeviations(m: number, n: number, N: number, spectrum = SPECTRUM) {
  const square = spectrum.reduce((sum, x) => sum + x * x, 0);
  const along = (N / spectrum.length) * traceOf(spectrum); // μᵀΣμ
  return {
    normSquared: Math.sqrt(((2 * square) / n ** 2) * (m / (m - 1)) + (4 * along) / n),
    variance: Math.sqrt((2 * square) / (m - 1)),
  };
}

const kinds = ['normSquared', 'variance'] as const;

const STRENGTHS: [name: string, strength: number][] = [
  ['all noise', 0],
  ['N as large as its noise', 1],
  ['N far above its noise', 1000],
];

describe.each([3, 4, 5, 6, 7, 8])('of one measurement of %i micro-batches', (m) => {
  const within = (ratio: number) => {
    expect(ratio).toBeGreaterThan(0.9);
    expect(ratio).toBeLessThan(2.2);
  };

  describe.each(SPECTRA)('%s', (_name, spectrum) => {
    it.each(STRENGTHS)('is on average 0.9 to 2.2 times the true deviation: %s', (_, strength) => {
      const sizes = new Array<number>(m).fill(4);
      const n = 4 * m;
      const trace = traceOf(spectrum);
      const N = (strength * trace) / n;
      const next = gaussians(m + 10 * strength + spectrum.length);
      const found = Array.from({ length: MEASUREMENTS }, () =>
        estimate(momentsOf(next, sizes, N, spectrum), [sizes]),
      );
      const truth = trueDeviations(m, n, N, spectrum);
      for (const kind of kinds) {
        // The estimates scatter as they should: the measurements simulated are those of the formula.
        const estimates = found.map((statistics) => statistics[kind][0]);
        const ratio = deviation(estimates, kind === 'variance' ? trace : N) / truth[kind];
        expect(Math.abs(ratio - 1)).toBeLessThan(0.06);
        const reported = mean(found.map(({ standardError }) => standardError![kind][0]));
        within(reported / truth[kind]);
        // Where N is all but linear in the rows, its error is neither too large nor too small.
        if (kind === 'normSquared' && strength > 100)
          expect(Math.abs(reported / truth[kind] - 1)).toBeLessThan(0.03);
      }
    });
  });

  it.each(STRENGTHS)('is so for micro-batches of different sizes, too: %s', (_, strength) => {
    const sizes = Array.from({ length: m }, (_, i) => 1 + (i % 4));
    const N = (strength * TRACE) / sizes.reduce((sum, s) => sum + s, 0);
    const next = gaussians(100 + m + strength);
    const found = Array.from({ length: MEASUREMENTS }, () => estimate(momentsOf(next, sizes, N), [sizes]));
    for (const kind of kinds) {
      const estimates = found.map((statistics) => statistics[kind][0]);
      const reported = mean(found.map(({ standardError }) => standardError![kind][0]));
      within(reported / deviation(estimates, kind === 'variance' ? TRACE : N));
    }
  });
});

describe('of averages over updates', () => {
  const sizes = [4, 4, 4, 4];
  const N = 0.3;
  const truth = trueDeviations(4, 16, N);
  /** The estimates of one measurement, with their exact errors in place of estimated ones. */
  function measured(next: () => number, sized = sizes): Statistics {
    const raw = estimate(momentsOf(next, sized, N));
    const own = trueDeviations(sized.length, 4 * sized.length, N);
    const standardError = {
      normSquared: Float64Array.of(own.normSquared),
      variance: Float64Array.of(own.variance),
    };
    return { ...raw, standardError };
  }
  const missed = (raw: Statistics): Statistics => ({
    ...raw,
    normSquared: Float64Array.of(Number.NaN),
    variance: Float64Array.of(Number.NaN),
    standardError: null,
  });

  it.each([0, 0.5, 0.9])('is the deviation of the average, β = %f', (beta) => {
    const next = gaussians(7);
    const last = { normSquared: [] as number[], variance: [] as number[] };
    let errors: Statistics['standardError'] = null;
    for (let run = 0; run < 4000; run++) {
      let state = initSmoothing(1, false);
      let raw = measured(next);
      // Of more and of fewer micro-batches, with misses among them.
      for (const [update, m] of [4, 4, 8, 0, 3, 4, 4, 0].entries()) {
        raw = measured(next, new Array<number>(m || 2).fill(4));
        state = smooth(state, beta, m > 0 || update === 0 ? raw : missed(raw));
      }
      const { statistics } = smoothedStatistics(state, raw, false);
      for (const kind of kinds) last[kind].push(statistics[kind][0]);
      errors ??= statistics.standardError;
    }
    expect(deviation(last.normSquared, N) / errors!.normSquared[0]).toBeCloseTo(1, 1);
    expect(deviation(last.variance, TRACE) / errors!.variance[0]).toBeCloseTo(1, 1);
  });

  it('is by hand: β = ½, two measurements of the same precision', () => {
    const raw = measured(gaussians(1));
    const state = smooth(smooth(initSmoothing(1, false), 0.5, raw), 0.5, raw);
    const { standardError } = smoothedStatistics(state, raw, false).statistics;
    // Shares 1/3 and 2/3.
    expect(standardError!.normSquared[0]).toBeCloseTo((truth.normSquared * Math.sqrt(5)) / 3, 12);
    expect(standardError!.variance[0]).toBeCloseTo((truth.variance * Math.sqrt(5)) / 3, 12);
  });

  it('takes a measurement without an error of its own as one like the others', () => {
    const raw = measured(gaussians(2));
    const without = { ...raw, standardError: null };
    const three = (second: Statistics) => {
      let state = initSmoothing(1, false);
      for (const given of [raw, second, raw]) state = smooth(state, 0.8, given);
      return smoothedStatistics(state, raw, false).statistics.standardError!.normSquared[0];
    };
    expect(three(without)).toBeCloseTo(three(raw), 12);
    expect(three(missed(raw))).not.toBeCloseTo(three(raw), 3);
  });

  it('is not known where no measurement had one, and stays through misses that let the sums vanish', () => {
    const raw = measured(gaussians(3));
    const without = smooth(initSmoothing(1, false), 0.9, { ...raw, standardError: null });
    expect(smoothedStatistics(without, raw, false).statistics.standardError).toBeNull();
    let state = smooth(initSmoothing(1, false), 0.5, raw);
    for (let update = 0; update < 3000; update++) state = smooth(state, 0.5, missed(raw));
    expect(state.normSquared.denominator).toEqual([0]);
    const { standardError } = smoothedStatistics(state, raw, false).statistics;
    expect(standardError!.normSquared[0]).toBeCloseTo(truth.normSquared, 12);
    state = smooth(state, 0.5, raw);
    expect(smoothedStatistics(state, raw, false).statistics.standardError).toEqual(standardError);
  });

  it('survives errors that overflow once they are weighted', () => {
    const raw = measured(gaussians(4));
    const standardError = { normSquared: Float64Array.of(1e308), variance: Float64Array.of(1e308) };
    let state = smooth(initSmoothing(1, false), 0.9, { ...raw, standardError });
    // ω of N is 192: its error is no number any more, that of σ² (ω = 3) still is.
    expect(state.errors.normSquared.known).toEqual([false]);
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
    state = smooth(state, 0.9, { ...raw, standardError });
    state = smooth(state, 0.9, raw);
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
    const { normSquared, variance } = state.errors;
    expect([normSquared.error[0] > 0, variance.error[0] > 1e307]).toEqual([true, true]);
  });
});
