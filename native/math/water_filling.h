// min sum_k w_k λ_k + ½ κ_k w_k² over {sum w = mass, low <= w <= high}, exactly; see
// lib/rules/water-filling.ts.
//
// As μ rises, weight k stays at its upper bound until μ = leaves_high_k = −λ_k − κ_k high, falls, and stays
// at its lower one from μ = hits_low_k = −λ_k − κ_k low. The solution has sum w(μ) = mass. Where TypeScript
// sorts these breakpoints, this bisects between them: each round takes a handful of reductions.
#pragma once

#include <cstdint>
#include <cstring>

#include "math/team.h"

namespace pike::math {

/// The number in the middle of the representable ones between a < b: a <= middle < b.
PIKE_HD inline double MiddleOfRepresentable(double a, double b) {
  // Bits in the order of the numbers they stand for.
  constexpr std::int64_t kSign = INT64_MIN;
  std::int64_t low, high;
  std::memcpy(&low, &a, sizeof low);
  std::memcpy(&high, &b, sizeof high);
  if (low < 0) low = kSign - low;
  if (high < 0) high = kSign - high;
  std::int64_t middle = (low & high) + ((low ^ high) >> 1);
  if (middle < 0) middle = kSign - middle;
  double result;
  std::memcpy(&result, &middle, sizeof result);
  return result;
}

/// The problem, with its breakpoints and κ of every task computed once: recomputed in two places, a fused
/// multiply-add in one of them would make equal numbers differ.
template <class Member, class Scratch>
struct WaterFilling {
  int tasks;
  Member member;  // which tasks take part
  Scratch leaves_high;
  Scratch hits_low;
  Scratch kappa;
  double low;
  double high;
  double mass;

  /// w_k(μ), for a task without curvature the least of its possible weights.
  PIKE_HD double WeightAt(double mu, int k) const {
    const double hits = hits_low[k];
    const double leaves = leaves_high[k];
    const double curvature = kappa[k];
    if (mu >= hits) return low;
    return mu <= leaves ? high : Clip(low + (hits - mu) / curvature, low, high);
  }

  template <class Team>
  PIKE_HD bool Fits(const Team& team, double mu) const {
    double sum = 0;
    for (int k = team.lane(); k < tasks; k += team.size())
      if (member(k)) sum += WeightAt(mu, k);
    return team.Sum(sum) <= mass;
  }

  /// The largest breakpoint <= `limit` and the smallest above it; ∓Infinity where there is none.
  template <class Team>
  PIKE_HD void Neighbours(const Team& team, double limit, double* before, double* after) const {
    double below = -kInfinity;
    double above = kInfinity;
    for (int k = team.lane(); k < tasks; k += team.size()) {
      if (!member(k)) continue;
      const double leaves = leaves_high[k];
      const double hits = hits_low[k];
      below = Larger(below, leaves <= limit ? leaves : -kInfinity);
      below = Larger(below, hits <= limit ? hits : -kInfinity);
      above = Smaller(above, leaves > limit ? leaves : kInfinity);
      above = Smaller(above, hits > limit ? hits : kInfinity);
    }
    *before = team.Max(below);
    *after = team.Min(above);
  }

  /// The smallest breakpoint at which the weights fit into the mass; by rounding possibly none does, then the
  /// last.
  template <class Team>
  PIKE_HD double FirstFitting(const Team& team) const {
    double low_end, high_end, before, after;
    Neighbours(team, kMax, &high_end, &after);
    Neighbours(team, -kInfinity, &before, &low_end);
    if (low_end == high_end || Fits(team, low_end)) return low_end;
    for (;;) {
      Neighbours(team, MiddleOfRepresentable(low_end, high_end), &before, &after);
      if (before > low_end && Fits(team, before)) {
        high_end = before;
      } else {
        if (after == high_end || Fits(team, after)) return after;
        low_end = after;
      }
    }
  }

  /// Sets the weights of the members.
  template <class Team, class Weights>
  PIKE_HD void Solve(const Team& team, Weights weights) const {
    const double here = FirstFitting(team);
    const auto jumps = [&](int k) {
      if (!member(k)) return false;
      const double leaves = leaves_high[k];
      const double hits = hits_low[k];
      return leaves == here && hits == here;
    };
    double sum = 0;
    int jumping = 0;
    for (int k = team.lane(); k < tasks; k += team.size()) {
      if (!member(k)) continue;
      const double weight = WeightAt(here, k);
      weights[k] = weight;
      sum += weight;
      if (jumps(k)) jumping++;
    }
    // Without curvature, or with less than rounding lets one see, a weight jumps, and may be anything at that
    // μ.
    const double lacking = mass - team.Sum(sum);
    jumping = team.Sum(jumping);
    const bool enough = jumping * (high - low) >= lacking;
    const double share = enough ? Larger(lacking, 0) / jumping : high - low;
    for (int k = team.lane(); k < tasks; k += team.size()) {
      if (!jumps(k)) continue;
      const double weight = weights[k];
      weights[k] = Smaller(weight + share, high);
    }
    if (!enough) Spread(team, here, weights);
  }

  /// Left of `here` the weights between their bounds rise as 1/κ: what the sum lacks is spread so, again
  /// while some weight is stopped by its bound.
  template <class Team, class Weights>
  PIKE_HD void Spread(const Team& team, double here, Weights weights) const {
    for (int round = 0; round <= tasks; round++) {
      double sum = 0;
      for (int k = team.lane(); k < tasks; k += team.size()) {
        if (!member(k)) continue;
        const double weight = weights[k];
        sum += weight;
      }
      const double lacking = mass - team.Sum(sum);
      const auto open = [&](int k) {
        if (!member(k)) return false;
        const double leaves = leaves_high[k];
        const double hits = hits_low[k];
        const double weight = weights[k];
        return leaves < here && hits >= here && (lacking > 0 ? weight < high : weight > low);
      };
      double smallest = kInfinity;
      for (int k = team.lane(); k < tasks; k += team.size()) {
        if (!open(k)) continue;
        const double curvature = kappa[k];
        smallest = Smaller(smallest, curvature);
      }
      smallest = team.Min(smallest);
      if (std::fabs(lacking) <= 1e-15 * mass || smallest == kInfinity) return;
      double slope = 0;
      for (int k = team.lane(); k < tasks; k += team.size()) {
        if (!open(k)) continue;
        const double curvature = kappa[k];
        slope += smallest / curvature;
      }
      slope = team.Sum(slope);
      for (int k = team.lane(); k < tasks; k += team.size()) {
        if (!open(k)) continue;
        const double curvature = kappa[k];
        const double weight = weights[k];
        weights[k] = Clip(weight + lacking * (smallest / curvature / slope), low, high);
      }
    }
  }
};

}  // namespace pike::math
