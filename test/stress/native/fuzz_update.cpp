// Updates of the weights by every rule, several in a row, from any statistics and any options that a Mixer
// takes: weights stay finite, on the simplex, on or above the floor, and within the largest step.
#include <cmath>
#include <cstdint>
#include <vector>

#include "fuzz.h"
#include "math/gramian.h"
#include "math/update.h"

using namespace pike;
using namespace pike::math;

namespace {

double Positive(Random& random) {
  return random.One({1e-4, 0.1, 1.0, 100.0, 1e-12, 1e12, 1e-300, 1e300, random.Unit() + 1e-9});
}

UpdateOptions Options(Random& random, int tasks) {
  UpdateOptions options;
  options.rule = static_cast<Rule>(random.Below(4));
  options.batch_size = static_cast<double>(tasks + random.One<std::int64_t>({0, 64, 4096}));
  options.zeta1 = random.One({0.0, 0.05, 1.0, 1e3, 1e300, random.Unit()});
  options.zeta2 = random.One({0.0, 0.005, 1.0, 1e300, random.Unit()});
  options.relative = random.Below(2) > 0;
  options.min_weight = random.One({0.0, 0.0, 0.5, 0.9, 1.0, 1e-6 * tasks, random.Unit()}) / tasks;
  options.max_log_step = random.One({0.3, HUGE_VAL, 1e-3, 1e-12, 20.0, random.Unit() + 1e-9});
  options.prior_pull = random.One({0.0, 0.05, 1.0, random.Unit()});
  options.smoothing = random.One({0.0, 0.5, 0.9, 0.999999});
  options.clip_norms = random.Below(2) > 0;
  options.tau = random.One({0.5, 1.0, 3.0, 100.0, 1e300, DBL_MAX});
  options.loss_scale_mean = random.Below(2) > 0;
  options.learning_rate = Positive(random);
  options.smoothness = Positive(random);
  options.alpha = random.Below(3) > 0 ? kNaN : Positive(random);
  options.beta = random.One({1.0, 0.5, 1e-6});
  options.gamma = random.One({1.0, 1.5, 1e6});
  return options;
}

double Wild(Random& random, double usual) {
  if (random.Below(8) > 0) return usual;
  return random.One({0.0, 1e-300, 1e-200, 1e10, 1e150, 1e306, DBL_MAX, HUGE_VAL, kNaN, 5e-324});
}

/// Normalised log-weights of any spread; with a weight of 0 now and then.
std::vector<double> LogWeights(Random& random, int tasks, double max_log_step) {
  const double spread = random.One({0.0, 1.0, 30.0, 800.0, max_log_step == HUGE_VAL ? 1e308 : 1.0});
  std::vector<double> values;
  for (int k = 0; k < tasks; ++k) {
    const bool absent = k > 0 && random.Below(16) == 0;
    values.push_back(absent ? -kInfinity : -random.Unit() * spread);
  }
  std::vector<double> log_weights(values.size());
  Normalize(
      SerialTeam{}, tasks, [&](int k) { return values[static_cast<std::size_t>(k)]; }, 0.0,
      log_weights.data());
  return log_weights;
}

void CheckWeights(const std::vector<double>& before, const double* after, const UpdateOptions& options,
                  bool aims, const char* what) {
  double sum = 0;
  const bool bounded = options.min_weight == 0 && options.max_log_step != HUGE_VAL;
  // A rule that knows where it wants to go, and is not held back, may drop a task for good.
  const bool may_drop = aims && options.max_log_step == HUGE_VAL && options.prior_pull == 0;
  for (std::size_t k = 0; k < before.size(); ++k) {
    const double x = after[k];
    if (std::isnan(x) || x > 1e-12) Fail("%s: log-weight %zu is %g", what, k, x);
    if (!may_drop && before[k] > -kInfinity && x == -kInfinity) Fail("%s: weight %zu has become 0", what, k);
    if (!(std::exp(x) >= options.min_weight)) Fail("%s: weight %zu is below the floor", what, k);
    sum += std::exp(x);
    // A step of a log-weight can be seen in it where its own rounding is smaller.
    const double most = options.max_log_step * (1 + 1e-9) + std::fabs(before[k]) * 1e-12 + 1e-12;
    if (bounded && before[k] > -1e3 && std::fabs(x - before[k]) > most)
      Fail("%s: log-weight %zu moves by %g", what, k, x - before[k]);
  }
  if (!(std::fabs(sum - 1) < 1e-9)) Fail("%s: weights sum to %.17g", what, sum);
}

std::vector<double> Measure(Random& random, int tasks) {
  std::vector<double> moments(std::size_t{kMomentParts} * static_cast<std::size_t>(tasks));
  const double size = random.One({1.0, 1e-20, 1e20, 1e-150, 1e150});
  for (int k = 0; k < tasks; ++k) {
    const double m = random.Below(10) == 0 ? static_cast<double>(random.Below(2)) : 2 + random.Below(6);
    moments[kMicroBatches * tasks + k] = m;
    moments[kSamples * tasks + k] = m * (1 + static_cast<double>(random.Below(16)));
    moments[kDeviation * tasks + k] = Wild(random, 30 * size * random.Unit());
    moments[kMeanNormSquared * tasks + k] = Wild(random, size * random.Unit());
  }
  return moments;
}

void Updates(Random& random, int tasks) {
  const UpdateOptions options = Options(random, tasks);
  const auto K = static_cast<std::size_t>(tasks);
  std::vector<double> inputs(kInputParts * K);
  const std::vector<double> start = LogWeights(random, tasks, options.max_log_step);
  std::copy(start.begin(), start.end(), inputs.begin() + std::ptrdiff_t{kLogWeight} * tasks);
  std::vector<double> prior = random.Below(2) ? start : LogWeights(random, tasks, 1);
  // As the Mixer has it: raised to the floor.
  std::vector<double> raised(K);
  ProjectOntoFloor(
      SerialTeam{}, tasks, [](int) { return true; }, options.min_weight, 0.0, prior.data(), raised.data());
  for (std::size_t k = 0; k < K; ++k) {
    inputs[kLossWeight * K + k] = 1;
    inputs[kLogPrior * K + k] = prior[k];
  }
  for (int update = 0; update < 4; ++update) {
    for (std::size_t k = 0; k < K; ++k) {
      inputs[kLoss * K + k] = random.One({random.Unit() * 5, 0.0, 1e300, kNaN, 1e-300, 5.0});
      inputs[kExcluded * K + k] = random.Below(12) == 0 ? 1 : 0;
    }
    const std::vector<double> moments = Measure(random, tasks);
    std::vector<double> outputs(kOutputParts * K, kNaN);
    std::vector<double> scratch(kScratchParts * K, kNaN);
    const UpdateArrays<const double*, const double*, double*> arrays{tasks, moments.data(), inputs.data(),
                                                                     outputs.data(), scratch.data()};
    const UpdateResult result = UpdateWeights(SerialTeam{}, options, arrays);
    std::vector<double> before(inputs.begin(), inputs.begin() + tasks);
    const char* const names[] = {"pike", "mirror", "conceptual", "balanced"};
    if (result.measured) {
      ProjectOntoFloor(
          SerialTeam{}, tasks, [](int) { return true; }, options.min_weight, 0.0, before.data(),
          raised.data());
      CheckWeights(before, outputs.data(), options, options.rule == Rule::kConceptual,
                   names[static_cast<int>(options.rule)]);
    }
    for (std::size_t k = 0; k < K; ++k) {
      if (!result.measured && !(outputs[k] == before[k])) Fail("weights moved though nothing was measured");
      const double loss_weight = outputs[kLossWeight * K + k];
      if (!(loss_weight >= 0 && loss_weight <= DBL_MAX)) Fail("loss weight %zu is %g", k, loss_weight);
    }
    std::copy_n(outputs.begin(), kStateParts * K, inputs.begin());
  }
}

void Gramian(Random& random, int tasks) {
  const UpdateOptions options = Options(random, tasks);
  const auto K = static_cast<std::size_t>(tasks);
  std::vector<double> inner(K * K);
  std::vector<double> variances(K);
  const double size = random.One({1.0, 1e-20, 1e20, 1e-150, 1e150});
  const bool low_rank = random.Below(3) == 0;
  std::vector<double> direction(K);
  for (double& x : direction) x = random.Unit() - 0.5;
  for (std::size_t j = 0; j < K; ++j) {
    variances[j] = Wild(random, 30 * size * random.Unit());
    for (std::size_t k = 0; k <= j; ++k) {
      const double product = low_rank ? direction[j] * direction[k] : random.Unit() - (j == k ? 0.1 : 0.5);
      inner[j * K + k] = inner[k * K + j] = Wild(random, size * product);
    }
  }
  std::vector<double> log_weights = LogWeights(random, tasks, options.max_log_step);
  const std::vector<double> prior = log_weights;
  std::vector<double> before = log_weights;
  std::vector<double> scratch(kScratchParts * K, kNaN);
  ProjectOntoFloor(
      SerialTeam{}, tasks, [](int) { return true; }, options.min_weight, 0.0, before.data(), scratch.data());
  // Exactly what it asks for, so that a write beyond is seen.
  std::vector<double> numbers(static_cast<std::size_t>(GramianNumbers(tasks)), kNaN);
  std::vector<int> indices(static_cast<std::size_t>(GramianIndices(tasks)), -1);
  const GramianResult result =
      GramianStep(tasks, options, inner.data(), variances.data(), prior.data(), log_weights.data(),
                  scratch.data(), {numbers.data(), indices.data()});
  if (!(result.projected >= 0 && result.projected <= DBL_MAX)) Fail("projected is %g", result.projected);
  CheckWeights(before, log_weights.data(), options, true, "gramian");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Random random = RandomOf(data, size);
  const bool gramian = random.Below(3) == 0;
  const int tasks = 1 + static_cast<int>(random.Below(random.One<std::int64_t>({3, 8, 40})));
  if (gramian)
    Gramian(random, tasks);
  else
    Updates(random, tasks);
  return 0;
}
