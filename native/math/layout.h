// The data of one update of the weights of K tasks: options, and blocks of parts of K doubles each, part p of
// a block beginning at p·K. One layout for the host, which fills the blocks, and for the kernel, which copies
// them.
#pragma once

namespace pike::math {

enum class Rule : int { kPike, kMirror, kConceptual, kBalanced };

/// What lib/mixer/options.ts calls the same. Every rule reads batch_size … clip_norms; the rest as noted.
struct UpdateOptions {
  Rule rule = Rule::kPike;
  double batch_size = 1;
  double zeta1 = 0;         // pike, balanced
  double zeta2 = 0;         // pike, balanced
  bool relative = true;     // pike, balanced: scale 'relative'
  double min_weight = 0;    // 0 … 1/K
  double max_log_step = 0;  // > 0, may be Infinity
  double prior_pull = 0;    // 0 … 1
  double smoothing = 0;     // in [0, 1)
  bool clip_norms = true;
  double tau = 1;               // balanced
  bool loss_scale_mean = true;  // balanced: lossScale 'mean', not 'paper'
  double learning_rate = 0;     // mirror, conceptual: > 0
  double smoothness = 0;        // mirror, conceptual: > 0
  double alpha = 0;             // mirror: > 0; NaN takes the safe step 1/max κ
  double beta = 1;              // mirror, conceptual
  double gamma = 1;             // mirror, conceptual
};

/// What a measurement gives.
enum MomentPart : int {
  kMicroBatches,     // m_k, 0 for a task that was not measured
  kSamples,          // n_k
  kDeviation,        // sum_i s_i ‖g_i − ḡ‖²
  kMeanNormSquared,  // ‖ḡ‖²
  kMomentParts,
};

/// What an update leaves to the next one: the first parts of the inputs and of the outputs alike.
enum StatePart : int {
  kLogWeight,  // normalised; −Infinity is legal
  kLossWeight,
  kNormNumerator,
  kNormDenominator,
  kNormEstimate,
  kNormKnown,  // 0 or 1
  kVarianceNumerator,
  kVarianceDenominator,
  kVarianceEstimate,
  kVarianceKnown,
  kStateParts,
};

/// Inputs: the state, and
enum InputPart : int {
  kLogPrior = kStateParts,  // the initial log-weights, raised to min_weight
  kLoss,                    // mean training loss at this update; NaN where unknown
  kExcluded,                // 1: a miss whatever was measured (its loss was not finite); else 0
  kInputParts,
};

/// Outputs: the new state, and
enum OutputPart : int {
  kNormSquared = kStateParts,  // raw N; NaN for a miss
  kVariance,                   // raw σ²; NaN for a miss
  kSmoothedNorm,               // what the rule acted on, clipped by clip_norms; NaN if never known
  kSmoothedVariance,
  kMissed,  // 0 or 1, as the following
  kClipped,
  kFloored,
  kOutputParts,
};

/// Scratch memory. Its contents mean nothing outside.
enum ScratchPart : int {
  kExponent,    // what a rule makes of the statistics; NaN for a task that keeps its weight
  kDirection,   // of a step in log-weights
  kTrial,       // log-weights that a step of some length leads to
  kRaised,      // 0 or 1: raised to the floor
  kLeavesHigh,  // of eq. (9): see water_filling.h
  kHitsLow,
  kCurvature,
  kScratchParts,
};

/// The blocks. They may be arrays of different types, and no two may overlap.
template <class Moments, class Inputs = Moments, class Outputs = Inputs, class Scratch = Outputs>
struct UpdateArrays {
  int tasks;        // K >= 1
  Moments moments;  // kMomentParts·K numbers, only read
  Inputs inputs;    // kInputParts·K, only read
  Outputs outputs;  // kOutputParts·K, only written before they are read
  Scratch scratch;  // kScratchParts·K
};

/// The same on every lane.
struct UpdateResult {
  bool measured;  // false: every task was missed, and the state is as it was
  bool limited;   // max_log_step shortened the step
};

}  // namespace pike::math
