/**
 * What is promised of a result (docs/kernels.md), and how much of it a result uses up. Nothing here needs a GPU.
 */
import { createReferenceBackend } from '../backends/reference.js';
import { type Gradient, viewGradient } from '../gradients/gradient.js';
import type { Dtype } from '../gradients/layout.js';
import { estimate } from '../statistics/estimators.js';
import type { Moments } from '../statistics/statistics.js';
import { dtypesOf, type Inputs, type Memory, type Problem } from './inputs.js';

/** ε of the promise, for random data and for any. */
export const TYPICAL_ERROR = 1e-6;
export const WORST_ERROR = 1.6e-5;
/** Of float64, for any data. */
export const DOUBLE_ERROR = 1e-12;

export interface Expected {
  readonly moments: Moments;
  /** u_k = max_i ‖g_ki‖, length K. */
  readonly largestNorm: Float64Array;
}

/** The sums of a problem by the TypeScript reference. */
export async function expectedMoments(problem: Problem<Dtype>, inputs: Inputs): Promise<Expected> {
  const backend = createReferenceBackend();
  const { inner, metric } = problem;
  const dtypes = dtypesOf(problem);
  const views = inputs.rows.map((task) => task.map((row) => viewGradient(hostGradient(row, dtypes), 'row')));
  const preconditioner =
    metric && inputs.metric && viewGradient(hostGradient(inputs.metric, metric), 'preconditioner');
  const ask = { preconditioner, inner, rowScalars: true };
  const moments = await backend.moments({ ...ask, rows: views, samples: inputs.samples });
  const alone = views.flat().map((view) => [view]);
  const norms = await backend.moments({ ...ask, inner: false, rows: alone, samples: alone.map(() => [1]) });
  let first = 0;
  const largestNorm = Float64Array.from(views, (task) => {
    const own = norms.meanNormSquared.subarray(first, first + task.length);
    first += task.length;
    return Math.sqrt(Math.max(0, ...own));
  });
  return { moments, largestNorm };
}

/** Tensors as a user would hand them in. */
export function hostGradient(tensors: readonly Memory[], dtypes: readonly Dtype[]): Gradient {
  return tensors.map((data, t) =>
    !(data instanceof Uint16Array)
      ? data
      : { data, dtype: dtypes[t % dtypes.length] as 'bfloat16' | 'float16' },
  );
}

/**
 * The largest error of a result as a multiple of ε = 1: of products in u_j u_k, of N and of norms in u_k², of σ² in
 * n_k u_k², of what belongs to a row in 2 and 4 u_k². Infinity where a number is missing or not finite.
 *
 * @param rows whether the two scalars per row must be there
 */
export function largestError(actual: Moments, { moments, largestNorm }: Expected, rows: boolean): number {
  const K = largestNorm.length;
  const { microBatches: m, samples: n } = moments;
  let largest = 0;
  const compare = (a: number | undefined, b: number, scale: number) => {
    if (Object.is(a, b) || a === b) return;
    const error = a === undefined ? Infinity : Math.abs(a - b) / scale;
    largest = Math.max(largest, Number.isNaN(error) ? Infinity : error);
  };
  const [own, reference] = [estimate(actual), estimate(moments)];
  let row = 0;
  for (let k = 0; k < K; k++) {
    const u2 = largestNorm[k] ** 2;
    compare(actual.microBatches[k], m[k], 0);
    compare(actual.samples[k], n[k], 0);
    compare(own.normSquared[k], reference.normSquared[k], u2);
    compare(own.variance[k], reference.variance[k], n[k] * u2);
    compare(actual.meanNormSquared[k], moments.meanNormSquared[k], u2);
    for (let j = 0; j < K && moments.meanInner; j++) {
      const expected = moments.meanInner[j * K + k];
      compare(actual.meanInner?.[j * K + k], expected, largestNorm[j] * largestNorm[k]);
    }
    for (let i = 0; rows && i < m[k]; i++, row++) {
      compare(actual.rowDeviation?.[row], moments.rowDeviation![row], 4 * u2);
      compare(actual.rowAlignment?.[row], moments.rowAlignment![row], 2 * u2);
    }
  }
  return largest;
}

/** All numbers of a result in one order, for comparing bits: norms, deviations, products j < k, scalars per row. */
export function flatten(moments: Moments): number[] {
  const K = moments.microBatches.length;
  const products: number[] = [];
  for (let k = 1; k < K && moments.meanInner; k++)
    for (let j = 0; j < k; j++) products.push(moments.meanInner[j * K + k]);
  return [
    ...moments.meanNormSquared,
    ...moments.deviation,
    ...products,
    ...(moments.rowDeviation ?? []),
    ...(moments.rowAlignment ?? []),
  ];
}

/** How many numbers differ in any bit; all of them where there is another number of them. */
export function differentBits(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Math.max(a.length, b.length);
  return a.filter((x, i) => !Object.is(x, b[i])).length;
}
