// The mirror-descent step that PiKE's Algorithm 1 simplifies; see lib/rules/mirror.ts.
#pragma once

#include "math/layout.h"
#include "math/team.h"

namespace pike::math {

/// Sets exponents in scratch by the smoothed statistics in the outputs. Returns false when nothing is to
/// move.
template <class Team, class Arrays>
PIKE_HD bool MirrorExponents(const Team& team, const UpdateOptions& options, const Arrays& arrays) {
  const int tasks = arrays.tasks;
  const auto norms = Part(arrays.outputs, kSmoothedNorm, tasks);
  const auto exponents = Part(arrays.scratch, kExponent, tasks);
  const double eta = options.learning_rate;
  const double smoothness = options.smoothness;
  // With α = 1/(Lη²γ max N), all is relative to the largest N.
  const bool safe = IsNaN(options.alpha);
  double largest = 0;
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double norm = norms[k];
    if (norm > 0) largest = Larger(largest, norm);
  }
  largest = team.Max(largest);
  if (safe && !(largest > 0)) return false;
  const double unit = safe ? largest : 1.0;
  const double linear =
      Bound(safe ? options.beta / (smoothness * eta * options.gamma) : options.alpha * eta * options.beta);
  const double curvature = Bound(safe ? 1.0 : options.alpha * smoothness * eta * eta * options.gamma);
  const double noise = Bound(safe ? 1 / (2 * options.batch_size * options.gamma)
                                  : options.alpha * smoothness * eta * eta / (2 * options.batch_size));
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double norm = norms[k];
    const double variance = Part(arrays.outputs, kSmoothedVariance, tasks)[k];
    const double log_weight = Part(arrays.outputs, kLogWeight, tasks)[k];
    const double weight = std::exp(log_weight);
    // Written so that NaN stays NaN.
    const double positive = norm < 0 ? 0.0 : norm / unit;
    const double gain = Bound(linear * (norm / unit)) - Bound(curvature * weight * positive);
    exponents[k] = Bound(Bound(gain) - Bound(noise * (variance / unit)));
  }
  return true;
}

}  // namespace pike::math
