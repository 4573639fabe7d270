/** What is known of some of the tasks, from what is known of all: a problem of its own. */

import type { Average } from './average.js';
import type { AverageError } from './smoothed-errors.js';
import type { SmoothingState } from './smoothing.js';
import type { Moments } from './statistics.js';

/** @param tasks indices of those to keep, ascending */
export function momentsOf(moments: Moments, tasks: readonly number[]): Moments {
  const { microBatches, meanInner } = moments;
  const K = microBatches.length;
  const pick = (list: Float64Array) => Float64Array.from(tasks, (k) => list[k]);
  const firstRow = new Int32Array(K + 1);
  for (let k = 0; k < K; k++) firstRow[k + 1] = firstRow[k] + microBatches[k];
  const rows = (list: Float64Array | null) =>
    list && Float64Array.from(tasks.flatMap((k) => Array.from(list.subarray(firstRow[k], firstRow[k + 1]))));
  return {
    microBatches: Int32Array.from(tasks, (k) => microBatches[k]),
    samples: pick(moments.samples),
    deviation: pick(moments.deviation),
    meanNormSquared: pick(moments.meanNormSquared),
    meanInner: meanInner && Float64Array.from(tasks.flatMap((j) => tasks.map((k) => meanInner[j * K + k]))),
    rowDeviation: rows(moments.rowDeviation),
    rowAlignment: rows(moments.rowAlignment),
  };
}

/** Of K tasks without any measurement. */
export function noMoments(K: number, inner: boolean): Moments {
  return {
    microBatches: new Int32Array(K),
    samples: new Float64Array(K),
    deviation: new Float64Array(K),
    meanNormSquared: new Float64Array(K),
    meanInner: inner ? new Float64Array(K * K) : null,
    rowDeviation: null,
    rowAlignment: null,
  };
}

/** @param tasks indices of those to keep, ascending */
export function smoothingOf(smoothing: SmoothingState, tasks: readonly number[]): SmoothingState {
  const K = smoothing.normSquared.estimate.length;
  // Place of the pair j < k, row by row.
  const pair = (j: number, k: number) => (j * (2 * K - j - 1)) / 2 + (k - j - 1);
  const pairs = tasks.flatMap((j, i) => tasks.slice(i + 1).map((k) => pair(j, k)));
  const { inner, errors } = smoothing;
  return {
    normSquared: averageOf(smoothing.normSquared, tasks),
    variance: averageOf(smoothing.variance, tasks),
    inner: averageOf(inner, inner.estimate.length > 0 ? pairs : []),
    errors: {
      normSquared: errorOf(errors.normSquared, tasks),
      variance: errorOf(errors.variance, tasks),
    },
  };
}

function averageOf(
  { numerator, denominator, estimate, known }: Average,
  entries: readonly number[],
): Average {
  return {
    numerator: entries.map((i) => numerator[i]),
    denominator: entries.map((i) => denominator[i]),
    estimate: entries.map((i) => estimate[i]),
    known: entries.map((i) => known[i]),
  };
}

function errorOf(error: AverageError, entries: readonly number[]): AverageError {
  return {
    weighted: entries.map((i) => error.weighted[i]),
    precisionOfKnown: entries.map((i) => error.precisionOfKnown[i]),
    precision: entries.map((i) => error.precision[i]),
    error: entries.map((i) => error.error[i]),
    known: entries.map((i) => error.known[i]),
  };
}
