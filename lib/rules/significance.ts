/**
 * Exponents that differ by more than their noise (ours, not the paper's). An exponentiated step moves weights by the
 * differences of its exponents, so what is to be compared with noise is the difference of each task's exponent e_k from
 * what all have in common. With s_k the standard error of e_k, that is their precision-weighted mean
 *
 *     ē = sum_j p_j e_j / sum_j p_j,   p_j = 1/s_j²,
 *
 * and e_k − ē has the standard error √(s_k² − 1/sum_j p_j) (derived; for two tasks e_k − ē over it is
 * (e_1 − e_2)/√(s_1² + s_2²), the usual test of a difference, for both). Differences are shrunk towards ē by z times
 * that, those within it to nothing (soft thresholding):
 *
 *     e_k ← ē + sign(e_k − ē) · max(0, |e_k − ē| − z √(s_k² − 1/sum_j p_j))
 *
 * A constant added to every exponent is added to every result, and permuting tasks permutes results. A task whose error
 * is not known keeps its exponent and has no part in ē.
 */
import type { StandardErrors } from '../statistics/statistics.js';
import { bound } from './simplex.js';

/** How far the exponents of K tasks are from their common mean. Tasks left out have NaN. */
interface Comparison {
  /** Indices of the tasks with an exponent and a standard error. */
  readonly members: readonly number[];
  /** ē; NaN without members. */
  readonly mean: number;
  /** Standard errors of e_k − ē, length K. */
  readonly errors: Float64Array;
}

function compare(exponents: ArrayLike<number>, errors: ArrayLike<number>): Comparison {
  const members: number[] = [];
  let least = Infinity;
  for (let k = 0; k < exponents.length; k++) {
    if (Number.isNaN(exponents[k]) || !(errors[k] >= 0)) continue;
    members.push(k);
    least = Math.min(least, bound(errors[k]));
  }
  // Relative to the largest precision, so that nothing over- or underflows; errors of 0 leave no say to others.
  const precision = (k: number) => (errors[k] <= least ? 1 : (least / bound(errors[k])) ** 2);
  const total = members.reduce((sum, k) => sum + precision(k), 0);
  const mean = members.reduce((sum, k) => sum + (precision(k) / total) * exponents[k], 0);
  const away = new Float64Array(exponents.length).fill(Number.NaN);
  for (const k of members) away[k] = bound(errors[k]) * Math.sqrt(Math.max(0, 1 - precision(k) / total));
  return { members, mean: members.length > 0 ? bound(mean) : Number.NaN, errors: away };
}

/**
 * @param exponents of K tasks; NaN for those that take no part
 * @param errors their standard errors; NaN where unknown
 * @param z how many standard errors a difference must exceed; 0 leaves all as it is
 * @returns the exponents after shrinking, and the indices of the tasks that were held at the common mean
 */
export function shrinkNoise(
  exponents: Float64Array,
  errors: ArrayLike<number>,
  z: number,
): { exponents: Float64Array; held: number[] } {
  if (!(z > 0)) return { exponents, held: [] };
  const { members, mean, errors: away } = compare(exponents, errors);
  const shrunk = exponents.slice();
  const held: number[] = [];
  for (const k of members) {
    const difference = bound(exponents[k] - mean);
    const threshold = bound(z * away[k]);
    // The one task whose error is known, or one without error, is not held: it is what the others are held to.
    if (!(threshold > 0)) continue;
    if (Math.abs(difference) <= threshold) {
      shrunk[k] = mean;
      held.push(k);
    } else shrunk[k] = bound(mean + Math.sign(difference) * (Math.abs(difference) - threshold));
  }
  return { exponents: shrunk, held };
}

/**
 * H of Higgins and Thompson, Statistics in Medicine 21 (2002) — physicists' Birge ratio: how many times farther the exponents
 * lie apart than their standard errors explain,
 *
 *     H = √( sum_k (e_k − ē)²/s_k² / (K − 1) ).
 *
 * About 1 where all differences are noise. Over the tasks whose error is known.
 *
 * @returns null where fewer than two are
 */
export function heterogeneity(exponents: ArrayLike<number>, errors: ArrayLike<number>): number | null {
  const { members, mean } = compare(exponents, errors);
  if (members.length < 2) return null;
  const sum = members.reduce((total, k) => {
    const difference = exponents[k] - mean;
    return total + (difference === 0 ? 0 : (difference / errors[k]) ** 2);
  }, 0);
  return Math.sqrt(sum / (members.length - 1));
}

/**
 * Standard errors of exponents a N_k + b σ_k², by the triangle inequality: N_k and σ_k² come from the same rows, so their
 * errors are not independent.
 *
 * @param logWeights of K tasks. One of weight 0 that stays there is nobody's measure: its error is NaN
 * @param a and @param b the coefficients of a task
 * @returns length K; NaN where unknown; all NaN without `errors`
 */
export function linearErrors(
  errors: StandardErrors | null | undefined,
  logWeights: ArrayLike<number>,
  minWeight: number,
  a: (task: number) => number,
  b: (task: number) => number,
): Float64Array {
  return Float64Array.from(logWeights, (logWeight, k) => {
    if (!errors || (logWeight === -Infinity && !(minWeight > 0))) return Number.NaN;
    return bound(bound(Math.abs(a(k)) * errors.normSquared[k]) + bound(Math.abs(b(k)) * errors.variance[k]));
  });
}
