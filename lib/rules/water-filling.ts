/**
 * Separable quadratic programs on the simplex, exactly, by water-filling.
 */

/**
 * min sum_k w_k λ_k + ½ κ_k w_k² over {sum w = mass, low <= w <= high}, exactly. By the KKT conditions
 * w_k = clip(−(μ + λ_k)/κ_k) with μ from sum w = mass; found among the breakpoints of the piecewise linear, falling
 * function sum_k w_k(μ).
 *
 * @param lambda λ_k; @param kappa κ_k >= 0; @param low and @param high bounds with sum low <= mass <= sum high
 * @returns the weights; tasks without curvature at the same λ share evenly
 */
export function minimizeSeparable(
  lambda: ArrayLike<number>,
  kappa: ArrayLike<number>,
  low: ArrayLike<number>,
  high: ArrayLike<number>,
  mass = 1,
): Float64Array {
  const tasks = Array.from(lambda, (_, k) => k);
  // As μ rises, weight k stays at its upper bound until `leavesHigh`, falls, and stays at its lower one from `hitsLow`.
  const leavesHigh = tasks.map((k) => -lambda[k] - kappa[k] * high[k]);
  const hitsLow = tasks.map((k) => -lambda[k] - kappa[k] * low[k]);
  const weightsAt = (mu: number) => {
    const weights = new Float64Array(tasks.length);
    for (let k = 0; k < weights.length; k++) {
      if (mu >= hitsLow[k]) weights[k] = low[k];
      else if (mu <= leavesHigh[k]) weights[k] = high[k];
      else weights[k] = clip(low[k] + (hitsLow[k] - mu) / kappa[k], low[k], high[k]);
    }
    return weights;
  };

  // The first breakpoint at which the sum is no more than it may be, by bisection: no weight rises with μ, not even by
  // rounding, and so neither does their sum.
  const breakpoints = Float64Array.from(new Set([...leavesHigh, ...hitsLow])).sort();
  let first = 0;
  for (let last = breakpoints.length - 1; first < last; ) {
    const middle = (first + last) >> 1;
    if (sum(weightsAt(breakpoints[middle])) <= mass) last = middle;
    else first = middle + 1;
  }
  const here = breakpoints[first];
  const weights = weightsAt(here);
  // Without curvature, or with less than rounding lets one see, a weight jumps, and may be anything at that μ.
  const jumping = tasks.filter((k) => leavesHigh[k] === here && hitsLow[k] === here);
  const lacking = mass - sum(weights);
  if (sum(jumping.map((k) => high[k] - low[k])) >= lacking) {
    fillEvenly(weights, jumping, high, lacking);
    return weights;
  }
  for (const k of jumping) weights[k] = high[k];
  // Left of `here` the weights between their bounds rise as 1/κ.
  const falling = tasks.filter((k) => leavesHigh[k] < here && hitsLow[k] >= here);
  spread(weights, falling, kappa, low, high, mass);
  return weights;
}

/** Spreads what the sum lacks of `mass` as a change of μ would, again while some weight is stopped by its bound. */
function spread(
  weights: Float64Array,
  falling: readonly number[],
  kappa: ArrayLike<number>,
  low: ArrayLike<number>,
  high: ArrayLike<number>,
  mass: number,
): void {
  for (let round = 0; round <= weights.length; round++) {
    const lacking = mass - sum(weights);
    const open = falling.filter((k) => (lacking > 0 ? weights[k] < high[k] : weights[k] > low[k]));
    if (Math.abs(lacking) <= 1e-15 * mass || open.length === 0) return;
    // Relative to the smallest κ, whose reciprocal could overflow.
    const smallest = Math.min(...open.map((k) => kappa[k]));
    const slope = sum(open.map((k) => smallest / kappa[k]));
    for (const k of open)
      weights[k] = clip(weights[k] + lacking * (smallest / kappa[k] / slope), low[k], high[k]);
  }
}

/** Shares `mass` evenly among `tasks`, none above its upper bound. */
function fillEvenly(
  weights: Float64Array,
  tasks: readonly number[],
  high: ArrayLike<number>,
  mass: number,
): void {
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
}

function clip(x: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, x));
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let k = 0; k < values.length; k++) total += values[k];
  return total;
}
