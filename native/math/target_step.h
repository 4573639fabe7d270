// The update of a rule that knows where it wants to go: the minimiser itself, or a step of bounded length
// towards it; see lib/rules/target-step.ts.
#pragma once

#include "math/layout.h"
#include "math/simplex.h"
#include "math/team.h"

namespace pike::math {

/// Sets the log-weights of the members, whose sum is exp(log_mass), to `target` where nothing holds them
/// back; else exponents in scratch of a step towards it, and `limited`, if max_log_step keeps some weight
/// from aiming at its target. Returns whether that step is to follow.
template <class Team, class Member, class Weights, class Scratch, class Target>
PIKE_HD bool TargetExponents(const Team& team, int tasks, const UpdateOptions& options, Member member,
                             double log_mass, Target target, Weights log_weights, Scratch scratch,
                             bool* limited) {
  const auto exponents = Part(scratch, kExponent, tasks);
  if (options.max_log_step == kInfinity && options.prior_pull == 0) {
    for (int k = team.lane(); k < tasks; k += team.size()) {
      if (!member(k)) continue;
      const double weight = target[k];
      log_weights[k] = std::log(weight);
    }
    ProjectOntoFloor(team, tasks, member, options.min_weight, log_mass, log_weights,
                     Part(scratch, kRaised, tasks));
    return false;
  }
  // A target of 0 counts as the smallest number, and no weight aims further than it may go: one that has far
  // to go would set the direction of all.
  const double log_smallest = std::log(kSmallest);
  bool far = false;
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double x = log_weights[k];
    exponents[k] = member(k) ? 0.0 : kNaN;
    if (!member(k) || x == -kInfinity) continue;
    const double weight = target[k];
    const double move = Larger(std::log(weight), log_smallest) - x;
    if (std::fabs(move) > options.max_log_step) far = true;
    exponents[k] = Clip(move, -options.max_log_step, options.max_log_step);
  }
  *limited = team.Any(far);
  return true;
}

}  // namespace pike::math
