/**
 * Arithmetic on the probability simplex in log-weights. Log-weights are kept as such: eight updates of −100
 * would make a plain weight 0 for ever.
 */
import { longestFittingStep } from './step-length.js';

/** log sum_k exp(x_k), exact to rounding for any finite range; −Infinity for nothing or only −Infinity. */
export function logSumExp(x: ArrayLike<number>): number {
  let max = -Infinity;
  for (let k = 0; k < x.length; k++) max = Math.max(max, x[k]);
  if (max === -Infinity) return -Infinity;
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += Math.exp(x[k] - max);
  return max + Math.log(sum);
}

/** Shifts log-weights, one of them finite, so that the weights sum to exp(`logMass`). */
export function normalize(logWeights: ArrayLike<number>, logMass = 0): Float64Array {
  let max = -Infinity;
  for (let k = 0; k < logWeights.length; k++) max = Math.max(max, logWeights[k]);
  // The maximum goes first: where all are about −1e300, the logarithm of their number would be lost in rounding.
  const result = new Float64Array(logWeights.length);
  for (let k = 0; k < result.length; k++) result[k] = logWeights[k] - max;
  const shift = logMass - logSumExp(result);
  for (let k = 0; k < result.length; k++) result[k] += shift;
  return result;
}

/** The smallest convenient x with exp(x) >= weight, so that a floor holds exactly in weights, too. */
export function logAtLeast(weight: number): number {
  let x = Math.log(weight);
  while (Math.exp(x) < weight) x += Math.abs(x) * 2 ** -52 + Number.MIN_VALUE;
  return x;
}

/**
 * The point of {w >= floor, sum w = exp(logMass)} nearest in Kullback–Leibler divergence: weights below the
 * floor are raised to it, the others share what is left in their old proportions.
 *
 * @param logWeights normalised to `logMass`; −Infinity is allowed and is raised too
 * @param floor smallest weight; 0 leaves everything as it is. length · floor <= exp(logMass)
 * @returns the projected log-weights and the indices that stand on the floor
 */
export function projectOntoFloor(
  logWeights: ArrayLike<number>,
  floor: number,
  logMass = 0,
): { logWeights: Float64Array; floored: number[] } {
  const result = Float64Array.from(logWeights);
  const K = result.length;
  if (!(floor > 0)) return { logWeights: result, floored: [] };
  const logFloor = logAtLeast(floor);
  const raised = new Array<boolean>(K).fill(false);
  for (let count = 0, changed = true; changed; ) {
    changed = false;
    const shift = Math.log(Math.exp(logMass) - count * floor) - logSumExpOfFree(result, raised);
    for (let k = 0; k < K; k++)
      if (!raised[k] && !(logWeights[k] + shift > logFloor)) {
        raised[k] = changed = true;
        count++;
      }
    if (!changed && count > 0)
      for (let k = 0; k < K; k++) result[k] = raised[k] ? logFloor : logWeights[k] + shift;
    if (count === K) return { logWeights: result.fill(logFloor), floored: indices(raised) };
  }
  return { logWeights: result, floored: indices(raised) };
}

/** `logSumExp` of those that are not raised. */
function logSumExpOfFree(x: Float64Array, raised: readonly boolean[]): number {
  let max = -Infinity;
  for (let k = 0; k < x.length; k++) if (!raised[k]) max = Math.max(max, x[k]);
  if (max === -Infinity) return -Infinity;
  let sum = 0;
  for (let k = 0; k < x.length; k++) if (!raised[k]) sum += Math.exp(x[k] - max);
  return max + Math.log(sum);
}

/** What every multiplicative rule does after it has its exponents. */
export interface StepOptions {
  /** Smallest weight. */
  readonly minWeight: number;
  /** Largest change of any log-weight in one step. */
  readonly maxLogStep: number;
  /** λ: log w ← (1−λ)·log w + λ·log prior + exponent. */
  readonly priorPull: number;
  /** Log-weights that `priorPull` pulls towards. */
  readonly logPrior: ArrayLike<number>;
}

export interface StepResult {
  readonly logWeights: Float64Array;
  /** Tasks that stand on `minWeight`. */
  readonly floored: number[];
  /** Whether `maxLogStep` shortened the step. */
  readonly limited: boolean;
  /** Tasks whose exponent was held at the mean, being within noise of it; see significance.ts. */
  readonly held?: readonly number[] | undefined;
  /** Frobenius norm of what was added to G to make it positive semidefinite; of rules that read G. */
  readonly projected?: number;
}

/**
 * One exponentiated-gradient step: w_k ← w_k exp(exponent_k), normalised, onto the floor. A constant added to
 * every exponent changes nothing. A task whose exponent is NaN (never measured) keeps its weight, and the
 * others are updated among themselves with their sum kept. `maxLogStep` shortens the step as a whole, so its
 * direction stays.
 */
export function exponentiatedStep(
  logWeights: ArrayLike<number>,
  exponents: ArrayLike<number>,
  options: StepOptions,
): StepResult {
  // A weight below the floor is raised first, among all tasks: the floor is a condition, not a step.
  const { minWeight } = options;
  const result = projectOntoFloor(logWeights, minWeight).logWeights;
  const active: number[] = [];
  for (let k = 0; k < result.length; k++) if (!Number.isNaN(exponents[k])) active.push(k);
  const start = Float64Array.from(active, (k) => result[k]);
  const logMass = active.length === result.length ? 0 : logSumExp(start);
  if (logMass === -Infinity) return stay(result, minWeight);
  const direction = stepDirection(
    start,
    active.map((k) => exponents[k]),
    active.map((k) => options.logPrior[k]),
    options.priorPull,
  );
  // Taken many times where a step is too long: plain loops, not a function for every element.
  const stepBy = (t: number) => {
    const moved = new Float64Array(start.length);
    for (let k = 0; k < moved.length; k++) moved[k] = start[k] + t * direction[k];
    return projectOntoFloor(normalize(moved, logMass), minWeight, logMass).logWeights;
  };
  const largestMove = (step: Float64Array) => {
    let largest = 0;
    for (let k = 0; k < step.length; k++)
      if (step[k] !== start[k]) largest = Math.max(largest, Math.abs(step[k] - start[k]));
    return largest;
  };

  let step = stepBy(1);
  const atOne = largestMove(step);
  const limited = atOne > options.maxLogStep;
  if (limited) {
    const spread = Math.max(...direction) - Math.min(...direction);
    const t = longestFittingStep((length) => largestMove(stepBy(length)), options.maxLogStep, spread, atOne);
    step = t > 0 ? stepBy(t) : start;
  }

  active.forEach((k, i) => {
    result[k] = step[i];
  });
  return { logWeights: result, floored: onFloor(result, minWeight), limited };
}

/** The result of a rule that has nothing to go by. */
export function stay(logWeights: Float64Array, minWeight: number): StepResult {
  return { logWeights, floored: onFloor(logWeights, minWeight), limited: false };
}

/** Indices of the tasks that stand on the floor. */
export function onFloor(logWeights: ArrayLike<number>, minWeight: number): number[] {
  if (!(minWeight > 0)) return [];
  const logFloor = logAtLeast(minWeight);
  return indices(Array.from(logWeights, (x) => x <= logFloor));
}

/** The change of log-weights before normalisation, shifted so that its maximum is 0. */
function stepDirection(
  start: Float64Array,
  exponents: readonly number[],
  logPrior: readonly number[],
  priorPull: number,
): Float64Array {
  // The maximum goes first: next to an exponent of 1e15 the log-weight itself would be lost in rounding.
  // A weight of 0 stays 0, so its exponent is nobody's measure.
  const max = Math.max(...exponents.filter((_, k) => start[k] > -Infinity));
  return Float64Array.from(exponents, (exponent, k) => {
    if (start[k] === -Infinity) return 0;
    const relative = Math.max(exponent - max, -Number.MAX_VALUE);
    if (priorPull === 0) return relative;
    return Math.max(relative + priorPull * (logPrior[k] - start[k]), -Number.MAX_VALUE);
  });
}

/** An infinite number becomes the largest finite one; NaN stays. */
export function bound(x: number): number {
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, x));
}

/** Weights of log-weights; at most 1, which rounding may pass by. */
export function weightsOf(logWeights: ArrayLike<number>): Float64Array {
  return Float64Array.from(logWeights, (x) => Math.min(1, Math.exp(x)));
}

function indices(flags: readonly boolean[]): number[] {
  return flags.flatMap((flag, k) => (flag ? [k] : []));
}
