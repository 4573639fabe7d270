/**
 * How far a step may go before it moves some log-weight too far.
 */

/** How exactly a largest move of log-weights is kept to, and how little of it is none. */
export function roundingOf(limit: number): number {
  return 2 ** -48 * (1 + limit);
}

/**
 * The largest t in [0, 1) whose step fits, found by bracketing: about ten evaluations, each of them a pass over all
 * weights. The largest move of a log-weight rises with t (derived: the shift that normalises rises with t, on the
 * floor or off it, and is a weighted mean of what it shifts against), and is at most t·spread; without floors it
 * is at least half of that, so that t lies within a factor of 2. With floors it may span hundreds of magnitudes.
 *
 * @param move the largest move of a log-weight by the step of length t, whose changes before normalisation are
 *   relative to their largest: a constant common to all would bury the differences of near ties in rounding, and
 *   along a staircase of rounding secants take up to fifty evaluations
 * @param limit what it may be
 * @param spread the largest change of a log-weight before normalisation minus the smallest
 * @param atOne `move(1)`, which is too much
 * @returns t with `limit` − 2⁻⁴⁸(1 + limit) <= move(t) <= limit where rounding allows it, in any case one for which
 *   move(t) <= limit was seen, or 0
 */
export function longestFittingStep(
  move: (t: number) => number,
  limit: number,
  spread: number,
  atOne: number,
): number {
  const tolerance = roundingOf(limit);
  const target = limit - tolerance / 2;
  if (!(limit > tolerance)) return 0;
  let low = 0;
  let high = 1;
  // Illinois: secants through both ends, where an end that stands still counts half.
  let below = -target;
  let above = atOne - target;
  let t = Math.max(limit / spread, Number.MIN_VALUE);
  let growth = 2;
  let width = 1;
  let side = 0;
  let slow = 0;
  for (let i = 0; i < 300; i++) {
    if (!(t > low && t < high)) t = between(low, high);
    if (!(t > low && t < high)) break;
    const moved = move(t);
    if (moved <= limit) {
      low = t;
      if (moved >= limit - tolerance) break;
      below = moved - target;
      if (side < 0) above /= 2;
      side = -1;
    } else {
      high = t;
      above = moved - target;
      if (side > 0) below /= 2;
      side = 1;
    }
    if (high > 4 * low) {
      t = high === 1 ? low * growth : between(low, high);
      growth *= growth;
      continue;
    }
    slow = high - low > width / 2 ? slow + 1 : 0;
    width = high - low;
    t = slow < 3 ? low + width * (below / (below - above)) : between(low, high);
    if (slow === 3) slow = 0;
  }
  return low;
}

/** A point between two numbers: their geometric mean while they are far apart. May round to one of them. */
function between(low: number, high: number): number {
  return high > 4 * low && low > 0 ? Math.sqrt(low) * Math.sqrt(high) : low + (high - low) / 2;
}
