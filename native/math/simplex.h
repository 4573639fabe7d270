// Arithmetic on the probability simplex in log-weights; see lib/rules/simplex.ts, of which this is the same
// in terms of a team.
#pragma once

#include "math/layout.h"
#include "math/step_length.h"
#include "math/team.h"

namespace pike::math {

/// The smallest convenient x with exp(x) >= weight, so that a floor holds exactly in weights, too.
PIKE_HD inline double LogAtLeast(double weight) {
  double x = std::log(weight);
  while (std::exp(x) < weight) x += std::fabs(x) * 0x1p-52 + kSmallest;
  return x;
}

/// A log-weight and a change of it. Finite if the log-weight is: one of −Infinity would stay so for ever.
PIKE_HD inline double Plus(double log_weight, double change) {
  return log_weight == -kInfinity ? log_weight : Larger(log_weight + change, -kMax);
}

/// Sets log-weights to value(k), one of them finite, shifted so that the weights sum to exp(log_mass).
template <class Team, class Value, class Weights>
PIKE_HD void Normalize(const Team& team, int tasks, Value value, double log_mass, Weights log_weights) {
  double max = -kInfinity;
  for (int k = team.lane(); k < tasks; k += team.size()) max = Larger(max, value(k));
  max = team.Max(max);
  double sum = 0;
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double x = value(k);
    sum += std::exp(x - max);
  }
  // The maximum goes first: where all are about −1e300, the logarithm of their number would be lost in
  // rounding.
  const double shift = log_mass - std::log(team.Sum(sum));
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double x = value(k);
    log_weights[k] = Plus(Plus(x, -max), shift);
  }
}

/// Projects the log-weights of the tasks for which member(k) onto {w >= floor, sum w = exp(log_mass)}, in
/// place. `raised` is scratch. Where the floor is met everything stays as it is, to the last bit.
template <class Team, class Member, class Weights, class Scratch>
PIKE_HD void ProjectOntoFloor(const Team& team, int tasks, Member member, double floor, double log_mass,
                              Weights log_weights, Scratch raised) {
  if (!(floor > 0)) return;
  const double log_floor = LogAtLeast(floor);
  int members = 0;
  int count = 0;
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double x = log_weights[k];
    const bool is_member = member(k);
    const bool below = is_member && !(x >= log_floor);
    raised[k] = below ? 1.0 : 0.0;
    if (is_member) members++;
    if (below) count++;
  }
  members = team.Sum(members);
  count = team.Sum(count);
  while (count > 0) {
    const auto free = [&](int k) {
      const double is_raised = raised[k];
      return member(k) && is_raised == 0;
    };
    const double free_mass = LogSumExp(team, tasks, [&](int k) {
      const double x = log_weights[k];
      return free(k) ? x : -kInfinity;
    });
    const double shift = std::log(std::exp(log_mass) - count * floor) - free_mass;
    int below = 0;
    for (int k = team.lane(); k < tasks; k += team.size()) {
      const double x = log_weights[k];
      if (!free(k) || x + shift >= log_floor) continue;
      raised[k] = 1.0;
      below++;
    }
    below = team.Sum(below);
    count += below;
    if (count < members && below > 0) continue;
    for (int k = team.lane(); k < tasks; k += team.size()) {
      const double x = log_weights[k];
      if (member(k)) log_weights[k] = free(k) ? x + shift : log_floor;
    }
    return;
  }
}

/// 1 for the tasks that stand on the floor.
template <class Team, class Weights, class Flags>
PIKE_HD void MarkFloored(const Team& team, int tasks, double floor, Weights log_weights, Flags floored) {
  const double log_floor = floor > 0 ? LogAtLeast(floor) : -kInfinity;
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double x = log_weights[k];
    floored[k] = floor > 0 && x <= log_floor ? 1.0 : 0.0;
  }
}

/// The change of log-weights before normalisation, its maximum 0 (but for priorPull), for the tasks with an
/// exponent; 0 for a weight of 0, which stays. Returns the difference of its largest and its smallest entry.
template <class Team, class Prior, class Weights, class Scratch>
PIKE_HD double SetDirection(const Team& team, int tasks, double prior_pull, Prior log_prior,
                            Weights log_weights, Scratch exponents, Scratch direction) {
  // The maximum goes first: next to an exponent of 1e15 the log-weight itself would be lost in rounding.
  double max = -kInfinity;
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double exponent = exponents[k];
    const double x = log_weights[k];
    if (!IsNaN(exponent) && x > -kInfinity) max = Larger(max, exponent);
  }
  max = team.Max(max);
  double smallest = kInfinity;
  double largest = -kInfinity;
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double exponent = exponents[k];
    const double x = log_weights[k];
    const double prior = log_prior[k];
    direction[k] = 0.0;
    if (IsNaN(exponent) || x == -kInfinity) continue;
    double change = Larger(exponent - max, -kMax);
    if (prior_pull != 0) change = Larger(change + prior_pull * (prior - x), -kMax);
    direction[k] = change;
    smallest = Smaller(smallest, change);
    largest = Larger(largest, change);
  }
  return team.Max(largest) - team.Min(smallest);
}

/// log of the sum of the weights for which member(k), normalised in all: exactly 0 if these are all.
template <class Team, class Member, class Weights>
PIKE_HD double LogMass(const Team& team, int tasks, Member member, Weights log_weights) {
  bool some_missing = false;
  for (int k = team.lane(); k < tasks; k += team.size()) some_missing = some_missing || !member(k);
  if (!team.Any(some_missing)) return 0;
  return LogSumExp(team, tasks, [&](int k) {
    const double x = log_weights[k];
    return member(k) ? x : -kInfinity;
  });
}

/// One exponentiated-gradient step from weights that meet the floor, in place: w_k ← w_k exp(exponent_k),
/// normalised, onto the floor; tasks whose exponent (scratch part kExponent) is NaN keep their weight, and
/// the others keep their sum. Returns whether max_log_step shortened it.
template <class Team, class Prior, class Weights, class Scratch>
PIKE_HD bool ExponentiatedStep(const Team& team, int tasks, const UpdateOptions& options, Prior log_prior,
                               Weights log_weights, Scratch scratch) {
  const auto exponents = Part(scratch, kExponent, tasks);
  const auto direction = Part(scratch, kDirection, tasks);
  const auto trial = Part(scratch, kTrial, tasks);
  const auto raised = Part(scratch, kRaised, tasks);
  const auto active = [&](int k) {
    const double exponent = exponents[k];
    return !IsNaN(exponent);
  };
  const double log_mass = LogMass(team, tasks, active, log_weights);
  if (log_mass == -kInfinity) return false;
  const double spread =
      SetDirection(team, tasks, options.prior_pull, log_prior, log_weights, exponents, direction);

  // From no higher than this the floor ends every fall within the limit, so that falls set none: a weight
  // that has climbed by the limit may fall back, and does not hold up all others for the rounding of its
  // climb.
  const double limit = options.max_log_step;
  const double near_floor =
      options.min_weight > 0 ? LogAtLeast(options.min_weight) + limit + RoundingOf(limit) : -kInfinity;
  // Sets `trial` to where a step of length t leads. Returns the largest move of a log-weight.
  const auto step_by = [&](double t) {
    const auto moved = [&](int k) {
      const double x = log_weights[k];
      const double change = direction[k];
      return active(k) ? Plus(x, t * change) : -kInfinity;
    };
    Normalize(team, tasks, moved, log_mass, trial);
    ProjectOntoFloor(team, tasks, active, options.min_weight, log_mass, trial, raised);
    double largest = 0;
    for (int k = team.lane(); k < tasks; k += team.size()) {
      const double from = log_weights[k];
      const double to = trial[k];
      const bool moves = to > from || (to < from && from > near_floor);
      if (active(k) && moves) largest = Larger(largest, std::fabs(to - from));
    }
    return team.Max(largest);
  };

  const double at_one = step_by(1);
  const bool limited = at_one > limit;
  if (limited) {
    const double t = LongestFittingStep(step_by, limit, spread, at_one);
    if (t == 0) return true;
    step_by(t);
  }
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double x = trial[k];
    if (active(k)) log_weights[k] = x;
  }
  return limited;
}

}  // namespace pike::math
