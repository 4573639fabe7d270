// One update of the weights, from measured moments to the next state: what lib/mixer/update.ts does, for the
// four rules of the PiKE family.
#pragma once

#include "math/balanced.h"
#include "math/conceptual.h"
#include "math/estimators.h"
#include "math/layout.h"
#include "math/mirror.h"
#include "math/pike.h"
#include "math/simplex.h"
#include "math/smoothing.h"
#include "math/team.h"

namespace pike::math {

/// Raw estimates of every task, NaN for a miss. Returns whether any task was measured.
template <class Team, class Moments, class Inputs, class Outputs>
PIKE_HD bool EstimateTasks(const Team& team, int tasks, Moments moments, Inputs inputs, Outputs outputs) {
  bool measured = false;
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double m = Part(moments, kMicroBatches, tasks)[k];
    const double n = Part(moments, kSamples, tasks)[k];
    const double deviation = Part(moments, kDeviation, tasks)[k];
    const double mean_norm_squared = Part(moments, kMeanNormSquared, tasks)[k];
    const double excluded = Part(inputs, kExcluded, tasks)[k];
    Estimate estimate = EstimateTask(m, n, deviation, mean_norm_squared);
    if (excluded != 0) estimate = {kNaN, kNaN};
    const bool missed = IsNaN(estimate.norm_squared);
    Part(outputs, kNormSquared, tasks)[k] = estimate.norm_squared;
    Part(outputs, kVariance, tasks)[k] = estimate.variance;
    Part(outputs, kMissed, tasks)[k] = missed ? 1.0 : 0.0;
    if (!missed) measured = true;
  }
  return team.Any(measured);
}

/// Takes raw estimates into one average, whose four parts of the state begin at `first`.
template <class Team, class Moments, class Inputs, class Outputs>
PIKE_HD void SmoothTasks(const Team& team, int tasks, double beta, bool measured, int first, Moments moments,
                         Inputs inputs, Outputs outputs) {
  const bool norms = first == kNormNumerator;
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double m = Part(moments, kMicroBatches, tasks)[k];
    const double n = Part(moments, kSamples, tasks)[k];
    const double raw = Part(outputs, norms ? kNormSquared : kVariance, tasks)[k];
    const double numerator = Part(inputs, first, tasks)[k];
    const double denominator = Part(inputs, first + 1, tasks)[k];
    const double estimate = Part(inputs, first + 2, tasks)[k];
    const double known = Part(inputs, first + 3, tasks)[k];
    AverageEntry entry{numerator, denominator, estimate, known};
    if (measured)
      entry = AdvanceAverage(entry, beta, raw, norms ? NormPrecision(m, n) : VariancePrecision(m));
    Part(outputs, first, tasks)[k] = entry.numerator;
    Part(outputs, first + 1, tasks)[k] = entry.denominator;
    Part(outputs, first + 2, tasks)[k] = entry.estimate;
    Part(outputs, first + 3, tasks)[k] = entry.known;
    Part(outputs, norms ? kSmoothedNorm : kSmoothedVariance, tasks)[k] =
        entry.known != 0 ? entry.estimate : kNaN;
  }
}

/// What the rule makes of the smoothed statistics. Returns whether a step by the exponents follows.
template <class Team, class Arrays>
PIKE_HD bool SetExponents(const Team& team, const UpdateOptions& options, const Arrays& arrays,
                          bool* limited) {
  switch (options.rule) {
    case Rule::kMirror:
      return MirrorExponents(team, options, arrays);
    case Rule::kConceptual:
      return ConceptualExponents(team, options, arrays, limited);
    case Rule::kBalanced:
      return BalancedExponents(team, options, arrays);
    default:
      return PikeExponents(team, options, arrays);
  }
}

/// One update. What the blocks hold is seen by all lanes on entry (the caller's Sync) and on return.
template <class Team, class Moments, class Inputs, class Outputs, class Scratch>
PIKE_HD UpdateResult UpdateWeights(const Team& team, const UpdateOptions& options,
                                   const UpdateArrays<Moments, Inputs, Outputs, Scratch>& arrays) {
  const int tasks = arrays.tasks;
  const Inputs inputs = arrays.inputs;
  const Outputs outputs = arrays.outputs;
  const bool measured = EstimateTasks(team, tasks, arrays.moments, inputs, outputs);
  SmoothTasks(team, tasks, options.smoothing, measured, kNormNumerator, arrays.moments, inputs, outputs);
  SmoothTasks(team, tasks, options.smoothing, measured, kVarianceNumerator, arrays.moments, inputs, outputs);
  const auto norms = Part(outputs, kSmoothedNorm, tasks);
  for (int k = team.lane(); k < tasks; k += team.size()) {
    const double norm = norms[k];
    const bool clipped = options.clip_norms && norm < 0;
    if (clipped) norms[k] = 0.0;
    Part(outputs, kClipped, tasks)[k] = clipped ? 1.0 : 0.0;
    Part(outputs, kFloored, tasks)[k] = 0.0;
    const double log_weight = Part(inputs, kLogWeight, tasks)[k];
    const double loss_weight = Part(inputs, kLossWeight, tasks)[k];
    Part(outputs, kLogWeight, tasks)[k] = log_weight;
    Part(outputs, kLossWeight, tasks)[k] = measured && options.rule != Rule::kBalanced ? 1.0 : loss_weight;
  }
  bool limited = false;
  if (measured) {
    // A weight below the floor is raised first, among all tasks and also if nothing moves: the floor is a
    // condition, not a step.
    ProjectOntoFloor(
        team, tasks, [](int) { return true; }, options.min_weight, 0.0, Part(outputs, kLogWeight, tasks),
        Part(arrays.scratch, kRaised, tasks));
    const bool moves = SetExponents(team, options, arrays, &limited);
    const auto log_weights = Part(outputs, kLogWeight, tasks);
    if (moves) {
      const bool shortened = ExponentiatedStep(team, tasks, options, Part(inputs, kLogPrior, tasks),
                                               log_weights, arrays.scratch);
      limited = limited || shortened;
    }
    MarkFloored(team, tasks, options.min_weight, log_weights, Part(outputs, kFloored, tasks));
  }
  team.Sync();
  return {measured, limited};
}

}  // namespace pike::math
