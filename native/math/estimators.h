// From measured sums of one task to unbiased estimates; see lib/statistics/estimators.ts.
#pragma once

#include "math/platform.h"

namespace pike::math {

/// NaN, both, for a miss.
struct Estimate {
  double norm_squared;
  double variance;
};

/// σ² = deviation/(m − 1), N = ‖ḡ‖² − σ²/n. A miss: fewer than two micro-batches, or a gradient so large that
/// N is not finite, also once it is weighted by its precision n² in an average.
PIKE_HD inline Estimate EstimateTask(double micro_batches, double samples, double deviation,
                                     double mean_norm_squared) {
  const Estimate miss{kNaN, kNaN};
  if (!(micro_batches >= 2)) return miss;
  const double variance = deviation / (micro_batches - 1);
  const double norm_squared = mean_norm_squared - variance / samples;
  if (!IsFinite(variance) || !IsFinite(norm_squared * (samples * samples))) return miss;
  return {norm_squared, variance};
}

}  // namespace pike::math
