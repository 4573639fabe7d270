// Times native/math on the host, one thread: whole updates, as a launch of a GPU solves them with many
// threads.
//
// In (binary doubles on the standard input): number of updates to time; number of problems; then of each the
// number of tasks, the options in the order of native.ts, moments and inputs as in native/math/layout.h. Out,
// a line for each: the seconds of every update, ';', the new log-weights.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "math/update.h"

namespace {

using namespace pike::math;

double Next() {
  double value = 0;
  if (std::fread(&value, sizeof value, 1, stdin) != 1) std::exit(1);
  return value;
}

std::vector<double> Next(std::size_t count) {
  std::vector<double> values(count);
  for (double& value : values) value = Next();
  return values;
}

UpdateOptions NextOptions() {
  UpdateOptions options;
  options.rule = static_cast<Rule>(static_cast<int>(Next()));
  options.batch_size = Next();
  options.zeta1 = Next();
  options.zeta2 = Next();
  options.relative = Next() != 0;
  options.min_weight = Next();
  options.max_log_step = Next();
  options.prior_pull = Next();
  options.smoothing = Next();
  options.clip_norms = Next() != 0;
  options.tau = Next();
  options.loss_scale_mean = Next() != 0;
  options.learning_rate = Next();
  options.smoothness = Next();
  options.alpha = Next();
  options.beta = Next();
  options.gamma = Next();
  return options;
}

}  // namespace

int main() {
  const int updates = static_cast<int>(Next());
  const int problems = static_cast<int>(Next());
  for (int problem = 0; problem < problems; ++problem) {
    const int tasks = static_cast<int>(Next());
    const auto size = static_cast<std::size_t>(tasks);
    const UpdateOptions options = NextOptions();
    const std::vector<double> moments = Next(kMomentParts * size);
    const std::vector<double> inputs = Next(kInputParts * size);
    std::vector<double> outputs(kOutputParts * size);
    std::vector<double> scratch(kScratchParts * size);
    const UpdateArrays<const double*, const double*, double*> arrays{tasks, moments.data(), inputs.data(),
                                                                     outputs.data(), scratch.data()};
    for (int update = 0; update < updates; ++update) {
      const auto start = std::chrono::steady_clock::now();
      UpdateWeights(SerialTeam{}, options, arrays);
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      std::printf("%.9f ", elapsed.count());
    }
    std::printf(";");
    for (std::size_t k = 0; k < size; ++k) std::printf(" %.17g", outputs[kLogWeight * size + k]);
    std::printf("\n");
  }
  return 0;
}
