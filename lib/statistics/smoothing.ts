/**
 * Averages of noisy estimates over updates. Single estimates scatter by more than their size, so rules act on
 * numerator/denominator averages with the precision ω of each estimate as its weight:
 *
 *     num ← β·num + (1−β)·ω·x,   den ← β·den + (1−β)·ω,   estimate = num/den
 *
 * with ω = n²(1 − 1/m) for N, m − 1 for σ², n_j n_k for G_jk. ω = 1 would be Adam's bias-corrected average.
 * A miss has ω = 0: num and den decay and the last estimate stays, also when den underflows or β = 0.
 */
import { type Average, emptyAverage } from './average.js';
import { type AverageError, advanceError, emptyAverageError, errorsOf } from './smoothed-errors.js';
import type { StandardErrors, Statistics } from './statistics.js';

/** The smoothed statistics of K tasks, as plain JSON. `inner` holds the pairs j < k row by row, or is empty. */
export interface SmoothingState {
  /** Of N. */
  normSquared: Average;
  /** Of σ². */
  variance: Average;
  /** Of G. */
  inner: Average;
  /** Their standard errors. */
  errors: {
    /** Of N. */
    normSquared: AverageError;
    /** Of σ². */
    variance: AverageError;
  };
}

export function initSmoothing(tasks: number, inner: boolean): SmoothingState {
  return {
    normSquared: emptyAverage(tasks),
    variance: emptyAverage(tasks),
    inner: emptyAverage(inner ? (tasks * (tasks - 1)) / 2 : 0),
    errors: { normSquared: emptyAverageError(tasks), variance: emptyAverageError(tasks) },
  };
}

/**
 * One step of an average. `average` itself is left as it is.
 *
 * @param beta β in [0, 1)
 * @param values the new estimates; NaN is a miss
 * @param precisions ω of each
 */
export function advance(
  average: Average,
  beta: number,
  values: ArrayLike<number>,
  precisions: ArrayLike<number>,
): Average {
  const next: Average = {
    numerator: average.numerator.slice(),
    denominator: average.denominator.slice(),
    estimate: average.estimate.slice(),
    known: average.known.slice(),
  };
  for (let i = 0; i < values.length; i++) {
    // What would overflow is no measurement either: Infinity would stay in the average for good.
    const missed = !Number.isFinite(values[i] * precisions[i]) || !(precisions[i] > 0);
    const weight = missed ? 0 : (1 - beta) * precisions[i];
    next.numerator[i] = beta * average.numerator[i] + (missed ? 0 : weight * values[i]);
    next.denominator[i] = beta * average.denominator[i] + weight;
    if (missed) continue;
    next.estimate[i] = next.numerator[i] / next.denominator[i];
    next.known[i] = true;
  }
  return next;
}

/**
 * Takes one measurement into the averages. `state` itself is left as it is.
 *
 * @param solved the averages of N and σ² after the same measurement, where a backend has formed them
 */
export function smooth(
  state: SmoothingState,
  beta: number,
  raw: Statistics,
  solved?: Pick<SmoothingState, 'normSquared' | 'variance'>,
): SmoothingState {
  const { tasks, microBatches: m, samples: n, inner, standardError } = raw;
  const pairs: number[] = [];
  const pairPrecisions: number[] = [];
  if (state.inner.estimate.length > 0)
    for (let j = 0; j < tasks; j++)
      for (let k = j + 1; k < tasks; k++) {
        pairs.push(inner ? inner[j * tasks + k] : Number.NaN);
        pairPrecisions.push(n[j] * n[k]);
      }
  const precisions = {
    normSquared: n.map((samples, k) => samples * samples * (1 - 1 / m[k])),
    variance: Float64Array.from(m, (count) => count - 1),
  };
  const average = (of: 'normSquared' | 'variance') =>
    solved ? solved[of] : advance(state[of], beta, raw[of], precisions[of]);
  const next = { normSquared: average('normSquared'), variance: average('variance') };
  const error = (of: 'normSquared' | 'variance') =>
    advanceError(state.errors[of], next[of], beta, raw[of], precisions[of], standardError?.[of] ?? null);
  return {
    ...next,
    inner: advance(state.inner, beta, pairs, pairPrecisions),
    errors: { normSquared: error('normSquared'), variance: error('variance') },
  };
}

/**
 * The smoothed estimates as statistics: what rules act on. NaN where there never was an estimate.
 *
 * @param raw the measurement that was just taken in; its m and n are passed on
 * @param clipNorms raise negative smoothed N to 0
 * @returns the statistics and the indices of the tasks whose N was clipped
 */
export function smoothedStatistics(
  state: SmoothingState,
  raw: Statistics,
  clipNorms: boolean,
): { statistics: Statistics; clipped: number[] } {
  const { tasks } = raw;
  const normSquared = estimates(state.normSquared);
  const clipped: number[] = [];
  if (clipNorms)
    for (let k = 0; k < tasks; k++)
      if (normSquared[k] < 0) {
        normSquared[k] = 0;
        clipped.push(k);
      }
  let inner: Float64Array | null = null;
  // One task alone has no pairs, but products all the same.
  if (state.inner.estimate.length > 0 || (tasks === 1 && raw.inner)) {
    const pairs = estimates(state.inner);
    inner = new Float64Array(tasks * tasks);
    for (let j = 0, p = 0; j < tasks; j++) {
      inner[j * tasks + j] = normSquared[j];
      for (let k = j + 1; k < tasks; k++, p++) inner[j * tasks + k] = inner[k * tasks + j] = pairs[p];
    }
  }
  const statistics: Statistics = {
    tasks,
    microBatches: raw.microBatches,
    samples: raw.samples,
    normSquared,
    variance: estimates(state.variance),
    inner,
    standardError: standardErrors(state.errors),
  };
  return { statistics, clipped };
}

function standardErrors(errors: SmoothingState['errors']): StandardErrors | null {
  const normSquared = errorsOf(errors.normSquared);
  const variance = errorsOf(errors.variance);
  return normSquared && variance && { normSquared, variance };
}

function estimates(average: Average): Float64Array {
  return Float64Array.from(average.estimate, (value, i) => (average.known[i] ? value : Number.NaN));
}
