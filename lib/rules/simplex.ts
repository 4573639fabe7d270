/**
 * Arithmetic on the probability simplex in log-weights. Log-weights are kept as such: eight updates of −100
 * would make a plain weight 0 for ever.
 */
import { longestFittingStep, roundingOf } from './step-length.js';

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
  for (let k = 0; k < result.length; k++) result[k] = plus(logWeights[k], -max);
  const shift = logMass - logSumExp(result);
  for (let k = 0; k < result.length; k++) result[k] = plus(result[k], shift);
  return result;
}

/** A log-weight and a change of it. Finite if the log-weight is: one of −Infinity would stay so for ever. */
function plus(logWeight: number, change: number): number {
  return logWeight === -Infinity ? logWeight : Math.max(logWeight + change, -Number.MAX_VALUE);
}

/** The smallest convenient x with exp(x) >= weight, so that a floor holds exactly in weights, too. */
export function logAtLeast(weight: number): number {
  let x = Math.log(weight);
  while (Math.exp(x) < weight) x += Math.abs(x) * 2 ** -52 + Number.MIN_VALUE;
  return x;
}

/**
 * The point of {w >= floor, sum w = exp(logMass)} nearest in Kullback–Leibler divergence: weights below the
 * floor are raised to it, the others share what is left in their old proportions. What meets the floor already
 * comes back as it is, to the last bit: so does every result.
 *
 * @param logWeights normalised to `logMass`; −Infinity is allowed and is raised too
 * @param floor smallest weight; 0 leaves everything as it is. length · floor <= exp(logMass)
 * @returns the projected log-weights
 */
export function projectOntoFloor(logWeights: ArrayLike<number>, floor: number, logMass = 0): Float64Array {
  const result = Float64Array.from(logWeights);
  const K = result.length;
  if (!(floor > 0)) return result;
  const logFloor = logAtLeast(floor);
  const raised = new Array<boolean>(K).fill(false);
  let count = 0;
  const raiseBelow = (shift: number) => {
    const before = count;
    for (let k = 0; k < K; k++)
      if (!raised[k] && !(logWeights[k] + shift >= logFloor)) {
        raised[k] = true;
        count++;
      }
    return count > before;
  };
  for (let changed = raiseBelow(0); changed; ) {
    if (count === K) return result.fill(logFloor);
    const shift = Math.log(Math.exp(logMass) - count * floor) - logSumExpOfFree(result, raised);
    changed = raiseBelow(shift);
    if (!changed) for (let k = 0; k < K; k++) result[k] = raised[k] ? logFloor : logWeights[k] + shift;
  }
  return result;
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
  const { minWeight, maxLogStep } = options;
  const result = projectOntoFloor(logWeights, minWeight);
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
    for (let k = 0; k < moved.length; k++) moved[k] = plus(start[k], t * direction[k]);
    return projectOntoFloor(normalize(moved, logMass), minWeight, logMass);
  };
  // From no higher than this the floor ends every fall within the limit, so that falls set none: a weight that has
  // climbed by the limit may fall back, and does not hold up all others for the rounding of its climb.
  const nearFloor = minWeight > 0 ? logAtLeast(minWeight) + maxLogStep + roundingOf(maxLogStep) : -Infinity;
  const largestMove = (step: Float64Array) => {
    let largest = 0;
    for (let k = 0; k < step.length; k++) {
      const rises = step[k] > start[k];
      if (rises || (step[k] < start[k] && start[k] > nearFloor))
        largest = Math.max(largest, Math.abs(step[k] - start[k]));
    }
    return largest;
  };

  let step = stepBy(1);
  const atOne = largestMove(step);
  const limited = atOne > maxLogStep;
  if (limited) {
    const spread = Math.max(...direction) - Math.min(...direction);
    const t = longestFittingStep((length) => largestMove(stepBy(length)), maxLogStep, spread, atOne);
    step = t > 0 ? stepBy(t) : start;
  }

  active.forEach((k, i) => {
    result[k] = step[i];
  });
  return { logWeights: result, floored: onFloor(result, minWeight), limited };
}

/** The result of a rule that has nothing to go by. The floor holds all the same: it may have come with a restore. */
export function stay(logWeights: Float64Array, minWeight: number): StepResult {
  const result = projectOntoFloor(logWeights, minWeight);
  return { logWeights: result, floored: onFloor(result, minWeight), limited: false };
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
