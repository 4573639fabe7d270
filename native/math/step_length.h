// How far a step may go before it moves some log-weight too far; see lib/rules/step-length.ts.
#pragma once

#include "math/platform.h"

namespace pike::math {

/// A point between two numbers: their geometric mean while they are far apart. May round to one of them.
PIKE_HD inline double Between(double low, double high) {
  return high > 4 * low && low > 0 ? std::sqrt(low) * std::sqrt(high) : low + (high - low) / 2;
}

/// How exactly a largest move of log-weights is kept to, and how little of it is none.
PIKE_HD inline double RoundingOf(double limit) { return 0x1p-48 * (1 + limit); }

/// The largest t in [0, 1) with move(t) <= limit, to 2^-48 (1 + limit) in the move; move(t) rises from 0 and
/// at most as t·spread, and at_one = move(1) > limit. What is returned fits: 0, or a t for which move() said
/// so.
template <class Move>
PIKE_HD double LongestFittingStep(Move move, double limit, double spread, double at_one) {
  const double tolerance = RoundingOf(limit);
  const double target = limit - tolerance / 2;
  if (!(limit > tolerance)) return 0;
  double low = 0;
  double high = 1;
  double below = -target;          // move(low) − target, halved when this end stands still (Illinois)
  double above = at_one - target;  // the same for high
  double t = Larger(limit / spread, kSmallest);
  double growth = 2;
  double width = 1;
  int side = 0;
  int slow = 0;
  for (int i = 0; i < 300; i++) {
    if (!(t > low && t < high)) t = Between(low, high);
    if (!(t > low && t < high)) break;
    const double moved = move(t);
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
      t = high == 1 ? low * growth : Between(low, high);
      growth *= growth;
      continue;
    }
    slow = high - low > width / 2 ? slow + 1 : 0;
    width = high - low;
    t = slow < 3 ? low + width * (below / (below - above)) : Between(low, high);
    if (slow == 3) slow = 0;
  }
  return low;
}

}  // namespace pike::math
