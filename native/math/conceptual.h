// Conceptual PiKE, eq. (9), as a rule: a step towards the mixture that minimises the bound; see
// lib/rules/conceptual.ts.
#pragma once

#include "math/layout.h"
#include "math/simplex.h"
#include "math/target_step.h"
#include "math/team.h"
#include "math/water_filling.h"

namespace pike::math {

/// Sets λ_k and κ_k of eq. (9), divided by Lη² and the largest N or σ² (which moves no minimum), as
/// breakpoints.
template <class Team, class Member, class Scratch, class Statistics>
PIKE_HD void SetBreakpoints(const Team& team, const UpdateOptions& options,
                            const WaterFilling<Member, Scratch>& problem, Statistics norms,
                            Statistics variances) {
  double unit = 0;
  for (int k = team.lane(); k < problem.tasks; k += team.size()) {
    const double norm = norms[k];
    const double variance = variances[k];
    if (problem.member(k)) unit = Larger(unit, Larger(norm, std::fabs(variance)));
  }
  unit = team.Max(unit);
  const double divisor = unit > 0 ? unit : 1.0;
  const double gain = Bound(options.beta / (options.smoothness * options.learning_rate));
  for (int k = team.lane(); k < problem.tasks; k += team.size()) {
    const double norm = norms[k];
    const double variance = variances[k];
    if (!problem.member(k)) continue;
    const double signal = Larger(norm, 0) / divisor;
    const double lambda = -gain * signal + variance / divisor / (2 * options.batch_size);
    const double kappa = options.gamma * signal;
    problem.kappa[k] = kappa;
    problem.leaves_high[k] = -lambda - kappa * problem.high;
    problem.hits_low[k] = -lambda - kappa * problem.low;
  }
}

/// Sets exponents in scratch by the smoothed statistics in the outputs; `limited`, if max_log_step keeps some
/// weight from aiming at its target. Returns false when no step is to follow: the log-weights in the outputs
/// then are what they should be.
template <class Team, class Arrays>
PIKE_HD bool ConceptualExponents(const Team& team, const UpdateOptions& options, const Arrays& arrays,
                                 bool* limited) {
  const int tasks = arrays.tasks;
  const auto norms = Part(arrays.outputs, kSmoothedNorm, tasks);
  const auto variances = Part(arrays.outputs, kSmoothedVariance, tasks);
  const auto log_weights = Part(arrays.outputs, kLogWeight, tasks);
  const auto target = Part(arrays.scratch, kTrial, tasks);
  const auto member = [&](int k) {
    const double norm = norms[k];
    const double variance = variances[k];
    return !IsNaN(norm) && !IsNaN(variance);
  };
  const double log_mass = LogMass(team, tasks, member, log_weights);
  const double mass = std::exp(log_mass);
  if (!(mass > 0)) return false;

  const WaterFilling<decltype(member), decltype(target)> problem{tasks,
                                                                 member,
                                                                 Part(arrays.scratch, kLeavesHigh, tasks),
                                                                 Part(arrays.scratch, kHitsLow, tasks),
                                                                 Part(arrays.scratch, kCurvature, tasks),
                                                                 options.min_weight,
                                                                 Larger(mass, options.min_weight),
                                                                 mass};
  SetBreakpoints(team, options, problem, norms, variances);
  problem.Solve(team, target);

  return TargetExponents(team, tasks, options, member, log_mass, target, log_weights, arrays.scratch,
                         limited);
}

}  // namespace pike::math
