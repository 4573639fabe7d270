/**
 * Conceptual PiKE, eq. (9) of Li et al., arXiv 2502.06244: the mixture that minimises the bound on the loss after
 * one SGD step,
 *
 *     min over the simplex of  sum_k w_k λ_k + ½ w_k² κ_k
 *     λ_k = −ηβN_k + (Lη²/2b)σ_k²,   κ_k = Lη²γN_k
 *
 * By the KKT conditions w_k = clip(−(μ + λ_k)/κ_k), with μ from sum w = 1 (water-filling).
 */
import {
  refuseUnknown,
  requireFiniteNumbers,
  requireNumberIn,
  requirePositiveInteger,
  requirePositiveNumber,
  requireWeights,
} from '../validate.js';

export interface ConceptualOptions {
  /** η: step size. */
  learningRate: number;
  /** L: smoothness of the summed loss. */
  smoothness: number;
  /** b: samples per training batch. */
  batchSize: number;
  /** β of the conflict bound (default 1). */
  beta?: number;
  /** γ of the conflict bound (default 1). */
  gamma?: number;
  /** Smallest weight (default 0). */
  minWeight?: number;
}

/**
 * The minimising mixture. It depends on the statistics alone: where the weights stand does not matter.
 *
 * @param weights K current weights, a point of the simplex, as for every rule
 * @param statistics `normSquared` (negative values count as 0) and `variance` of K tasks, finite
 * @returns K weights, exact to rounding; ties of tasks without curvature share evenly
 * @throws PikeError `ERR_SHAPE`, `ERR_NON_FINITE`, `ERR_INVALID_OPTION`
 */
export function conceptual(
  weights: ArrayLike<number>,
  statistics: { normSquared: ArrayLike<number>; variance: ArrayLike<number> },
  options: ConceptualOptions,
): Float64Array {
  const K = statistics?.normSquared?.length ?? 0;
  refuseUnknown('conceptual', options ?? {}, [
    'learningRate',
    'smoothness',
    'batchSize',
    'beta',
    'gamma',
    'minWeight',
  ]);
  requireWeights('weights', weights, K);
  const N = requireFiniteNumbers('normSquared', statistics?.normSquared, K).map((x) => Math.max(0, x));
  const variance = requireFiniteNumbers('variance', statistics?.variance, K);
  const eta = requirePositiveNumber('learningRate', options?.learningRate);
  const L = requirePositiveNumber('smoothness', options.smoothness);
  const b = requirePositiveInteger('batchSize', options.batchSize);
  const beta = requirePositiveNumber('beta', options.beta ?? 1);
  const gamma = requirePositiveNumber('gamma', options.gamma ?? 1);
  const floor = requireNumberIn('minWeight', options.minWeight ?? 0, 0, 1 / K);
  return minimizeSeparable(
    N.map((n, k) => -eta * beta * n + ((L * eta * eta) / (2 * b)) * variance[k]),
    N.map((n) => L * eta * eta * gamma * n),
    new Float64Array(K).fill(floor),
    new Float64Array(K).fill(1),
  );
}

/**
 * min sum_k w_k λ_k + ½ κ_k w_k² over {sum w = 1, low <= w <= high}, exactly, by a walk over the breakpoints of
 * the piecewise linear, falling function sum_k w_k(μ).
 *
 * @param lambda λ_k; @param kappa κ_k >= 0; @param low and @param high bounds with sum low <= 1 <= sum high
 */
export function minimizeSeparable(
  lambda: ArrayLike<number>,
  kappa: ArrayLike<number>,
  low: ArrayLike<number>,
  high: ArrayLike<number>,
): Float64Array {
  const K = lambda.length;
  const tasks = Array.from({ length: K }, (_, k) => k);
  // As μ rises, weight k stays at its upper bound until `leavesHigh`, falls, and stays at its lower one from `hitsLow`.
  const leavesHigh = tasks.map((k) => -lambda[k] - kappa[k] * high[k]);
  const hitsLow = tasks.map((k) => -lambda[k] - kappa[k] * low[k]);
  const rightOf = (mu: number) =>
    tasks.map((k) => {
      if (mu >= hitsLow[k]) return low[k];
      return mu <= leavesHigh[k] ? high[k] : clip(-(mu + lambda[k]) / kappa[k], low[k], high[k]);
    });
  // Without curvature, or with less than rounding lets one see, a weight jumps, and may be anything at that μ.
  const jumpsAt = (mu: number) => tasks.filter((k) => leavesHigh[k] === mu && hitsLow[k] === mu);

  const breakpoints = Float64Array.from(new Set([...leavesHigh, ...hitsLow])).sort();
  const first = breakpoints.findIndex((mu) => sum(rightOf(mu)) <= 1);
  const here = breakpoints[first < 0 ? breakpoints.length - 1 : first];
  const atHere = rightOf(here);
  const jumping = jumpsAt(here);
  const mass = 1 - sum(atHere);
  if (sum(jumping.map((k) => high[k] - low[k])) >= mass) return fillEvenly(atHere, jumping, high, mass);

  // μ lies between the breakpoint before and this one, where the sum is linear in it.
  const before = first > 0 ? breakpoints[first - 1] : -Infinity;
  const falling = tasks.filter((k) => before >= leavesHigh[k] && here <= hitsLow[k] && kappa[k] > 0);
  const weights = Float64Array.from(tasks, (k) => (here <= leavesHigh[k] ? high[k] : low[k]));
  const fixed = sum(tasks.filter((k) => !falling.includes(k)).map((k) => weights[k]));
  const slope = sum(falling.map((k) => 1 / kappa[k]));
  const offset = sum(falling.map((k) => lambda[k] / kappa[k]));
  const mu = -(1 - fixed + offset) / slope;
  for (const k of falling) weights[k] = clip(-(mu + lambda[k]) / kappa[k], low[k], high[k]);
  spread(weights, falling, kappa, low, high);
  return weights;
}

/**
 * −(μ + λ) cancels where λ is large beside κ. What the sum then lacks of 1 is spread as a change of μ would spread it,
 * again and again while some weight is stopped by its bound.
 */
function spread(
  weights: Float64Array,
  falling: readonly number[],
  kappa: ArrayLike<number>,
  low: ArrayLike<number>,
  high: ArrayLike<number>,
): void {
  for (let round = 0; round <= falling.length; round++) {
    const lacking = 1 - sum(Array.from(weights));
    const open = falling.filter((k) => (lacking > 0 ? weights[k] < high[k] : weights[k] > low[k]));
    if (Math.abs(lacking) < 1e-15 || open.length === 0) return;
    const slope = sum(open.map((k) => 1 / kappa[k]));
    for (const k of open) weights[k] = clip(weights[k] + lacking / (kappa[k] * slope), low[k], high[k]);
  }
}

/** Shares `mass` evenly among `tasks`, none above its upper bound. */
function fillEvenly(
  start: readonly number[],
  tasks: readonly number[],
  high: ArrayLike<number>,
  mass: number,
): Float64Array {
  const weights = Float64Array.from(start);
  let open = [...tasks];
  let left = mass;
  while (left > 0 && open.length > 0) {
    const share = left / open.length;
    const full = open.filter((k) => weights[k] + share > high[k]);
    for (const k of full.length > 0 ? full : open) {
      const added = full.length > 0 ? high[k] - weights[k] : share;
      weights[k] += added;
      left -= added;
    }
    open = full.length > 0 ? open.filter((k) => !full.includes(k)) : [];
  }
  return weights;
}

function clip(x: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, x));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, x) => total + x, 0);
}
