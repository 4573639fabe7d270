// Measures random gradients of random shapes with the CPU kernels, and again in plain loops over doubles. For
// where Node does not run: other processors under emulation, and sanitizers.
//
// Usage: cpu_kernels ROUNDS SEED, with PIKE_MIXER_INSTRUCTION_SET as it may be set for the addon. Prints the
// worst share of the promised error per kind of data; fails if one exceeds it.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "cpu/instruction_set.h"
#include "cpu/moments.h"
#include "kernel_problems.h"

using namespace pike;

int main(int count, char** arguments) {
  const long rounds = count > 1 ? std::atol(arguments[1]) : 100;
  const long seed = count > 2 ? std::atol(arguments[2]) : 1;
  if (!CurrentInstructionSet().complaint.empty()) {
    std::printf("%s\n", CurrentInstructionSet().complaint.c_str());
    return 1;
  }
  ThreadPool pool;
  std::map<std::string, double> worst;
  bool good = true;
  for (long round = 0; round < rounds; ++round) {
    Random random(static_cast<std::uint64_t>(seed * 1'000'003 + round));
    const auto kind = static_cast<Kind>(round % kKinds);
    Problem problem = MakeProblem(kind, random);
    const auto note = [&](const char* what, double share) {
      double& so_far = worst[std::string(what) + ", " + kKindNames[kind]];
      so_far = std::max(so_far, share);
      if (share <= 1) return;
      std::printf("round %ld: %s, %s: %g of the promised error\n", round, what, kKindNames[kind], share);
      good = false;
    };
    Moments batch, streamed, again;
    const Cancellation none;
    for (const int threads : {1, 3}) {
      problem.input.threads = threads;
      Moments& into = threads == 1 ? batch : again;
      if (!ComputeMoments(problem.input, pool, none, &into).ok()) note("refused", HUGE_VAL);
    }
    note("batch", WorstShare(batch, problem, problem.epsilon));
    if (!AreSame(batch, again)) note("other bits with other threads", HUGE_VAL);
    for (const int threads : {1, 3}) {
      if (!Stream(problem, pool, threads, threads == 1 ? &streamed : &again)) note("refused", HUGE_VAL);
    }
    // Means of floats, in the metric, hold what floats can hold.
    const auto fits = [](double u) { return u == 0 || (u > 1e-64 && u < 1e74); };
    if (problem.stream_epsilon == 1e-12 || std::all_of(problem.largest.begin(), problem.largest.end(), fits))
      note("stream", WorstShare(streamed, problem, problem.stream_epsilon));
    if (!AreSame(streamed, again)) note("other bits of a stream with other threads", HUGE_VAL);
  }
  std::printf("%s\n", NameOf(CurrentInstructionSet().set));
  for (const auto& [what, share] : worst) std::printf("%s: %.2g\n", what.c_str(), share);
  return good ? 0 : 1;
}
