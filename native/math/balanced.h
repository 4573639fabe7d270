// Balanced-PiKE: PiKE on the losses y_k L_k, y a softmax of the losses; see lib/rules/balanced.ts.
#pragma once

#include "math/layout.h"
#include "math/pike.h"
#include "math/team.h"

namespace pike::math {

/// Sets y of every task: n softmax(τL) over the n tasks with a finite loss, 1 for the others; times τ/K for
/// the paper's scale.
template <class Team, class Losses, class LossWeights>
PIKE_HD void SetLossWeights(const Team& team, int tasks, const UpdateOptions& options, Losses losses,
                            LossWeights loss_weights) {
  int known = 0;
  double max = -kInfinity;
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double loss = losses[k];
    if (!IsFinite(loss)) continue;
    known++;
    max = Larger(max, loss);
  }
  known = team.Sum(known);
  max = team.Max(max);
  // Differences first: τ times a large loss would lose what tells losses apart.
  double sum = 0;
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double loss = losses[k];
    if (IsFinite(loss)) sum += std::exp(options.tau * (loss - max));
  }
  sum = team.Sum(sum);
  const double scale = options.loss_scale_mean ? 1.0 : options.tau / tasks;
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double loss = losses[k];
    const double share = known * std::exp(options.tau * (loss - max)) / sum;
    loss_weights[k] = IsFinite(loss) ? Bound(scale * share) : scale;
  }
}

/// Sets loss weights in the outputs by the losses in the inputs, and exponents in scratch by these and the
/// smoothed statistics in the outputs. Returns false when nothing is to move.
template <class Team, class Arrays>
PIKE_HD bool BalancedExponents(const Team& team, const UpdateOptions& options, const Arrays& arrays) {
  const int tasks = arrays.tasks;
  const auto losses = Part(arrays.inputs, kLoss, tasks);
  const auto loss_weights = Part(arrays.outputs, kLossWeight, tasks);
  const auto exponents = Part(arrays.scratch, kExponent, tasks);
  SetLossWeights(team, tasks, options, losses, loss_weights);
  double total = 0;
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double norm = Part(arrays.outputs, kSmoothedNorm, tasks)[k];
    const double variance = Part(arrays.outputs, kSmoothedVariance, tasks)[k];
    const double loss = losses[k];
    const double y = loss_weights[k];
    const double y_squared = Bound(y * y);
    const bool known = IsFinite(loss);
    exponents[k] = known ? PikeExponent(options, y_squared, norm, variance) : kNaN;
    if (known && norm > 0) total += y_squared * norm;
  }
  return ScaleExponents(team, options, arrays, team.Sum(total));
}

}  // namespace pike::math
