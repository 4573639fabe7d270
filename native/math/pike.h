// PiKE, Algorithm 1: exponents ζ1 N_k − (ζ2/2b) σ_k²; see lib/rules/pike.ts.
#pragma once

#include "math/layout.h"
#include "math/team.h"

namespace pike::math {

/// y²(ζ1 N − (ζ2/2b) σ²) for one task, without overflow to NaN; y² = 1 is PiKE. NaN where nothing is known.
PIKE_HD inline double PikeExponent(const UpdateOptions& options, double y_squared, double norm,
                                   double variance) {
  const double noise = options.zeta2 / (2 * options.batch_size);
  return Bound(Bound(y_squared * Bound(options.zeta1 * norm)) - Bound(y_squared * Bound(noise * variance)));
}

/// Finishes exponents that stand in scratch: by the relative scale they are divided by `total` = sum_j y_j²
/// max(N_j, 0). Returns false, nothing is to move, while that is 0: without any signal the variances alone
/// would drive the weights.
template <class Team, class Arrays>
PIKE_HD bool ScaleExponents(const Team& team, const UpdateOptions& options, const Arrays& arrays,
                            double total) {
  if (options.relative && !(total > 0)) return false;
  const double divisor = options.relative ? Bound(total) : 1.0;
  const auto exponents = Part(arrays.scratch, kExponent, arrays.tasks);
  for (int k = team.lane(); k < arrays.tasks; k += team.size()) {
    const double exponent = exponents[k];
    exponents[k] = Bound(exponent / divisor);
  }
  return true;
}

/// Sets exponents in scratch by the smoothed statistics in the outputs. Returns false when nothing is to
/// move.
template <class Team, class Arrays>
PIKE_HD bool PikeExponents(const Team& team, const UpdateOptions& options, const Arrays& arrays) {
  const int tasks = arrays.tasks;
  const auto exponents = Part(arrays.scratch, kExponent, tasks);
  double total = 0;
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double norm = Part(arrays.outputs, kSmoothedNorm, tasks)[k];
    const double variance = Part(arrays.outputs, kSmoothedVariance, tasks)[k];
    exponents[k] = PikeExponent(options, 1, norm, variance);
    if (norm > 0) total += norm;
  }
  return ScaleExponents(team, options, arrays, team.Sum(total));
}

}  // namespace pike::math
