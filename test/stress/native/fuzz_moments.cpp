// Sums over rows of any layout, dtype, number and content, in one go and in slices, with one thread and with
// three, against plain loops over doubles.
#include <cmath>
#include <cstdint>
#include <optional>

#include "cpu/moments.h"
#include "cpu/thread_pool.h"
#include "fuzz.h"

using namespace pike;

namespace {

ThreadPool& Pool() {
  static ThreadPool pool;
  return pool;
}

/// In slices of some columns, as the JS thread does it.
Moments InSlices(const MomentsInput& input, std::int64_t elements) {
  const Cancellation none;
  MomentsRun run(input);
  do {
    for (const MomentsRun::Range& range : run.Offer(elements)) {
      if (range.begin < 0 || range.begin >= range.end || range.end > input.layout.length())
        Fail("columns that there are none of were offered");
    }
  } while (!run.Continue(Pool(), none, MomentsRun::Time::min()));
  Moments moments;
  if (!run.Finish(none, &moments).ok()) Fail("refused in slices");
  return moments;
}

/// An element of the preconditioner that has no place in a metric is named; nothing else is an error.
void CheckInvalidMetric(Problem& problem, Random& random) {
  for (std::size_t t = 0; t < problem.metric.size(); ++t) {
    const Layout::Tensor& tensor = problem.input.preconditioner->layout.tensors()[t];
    if (tensor.length == 0) continue;
    problem.metric[t].Set(static_cast<std::size_t>(random.Below(tensor.length)),
                          random.One({-1.0, HUGE_VAL, std::nan("")}));
    Moments moments;
    const Status status = ComputeMoments(problem.input, Pool(), Cancellation(), &moments);
    if (status.code != StatusCode::kInvalidOption) Fail("an invalid metric was not refused");
    return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Random random = RandomOf(data, size);
  const auto kind = static_cast<Kind>(random.Below(kKinds));
  Problem problem = MakeProblem(kind, random, 1200, 50'000);
  MomentsInput& input = problem.input;

  std::optional<Moments> first;
  for (const int threads : {1, 3}) {
    input.threads = threads;
    Moments moments;
    if (!ComputeMoments(input, Pool(), Cancellation(), &moments).ok()) Fail("refused");
    const double share = WorstShare(moments, problem, problem.epsilon);
    if (!(share <= 1)) Fail("%s: %g of the promised error", kKindNames[kind], share);
    if (!first) first = moments;
    if (!AreSame(*first, moments)) Fail("other bits with other threads");
  }
  if (!AreSame(*first, InSlices(input, 1 + random.Below(5000)))) Fail("other bits in slices");

  Cancellation cancelled;
  cancelled.Cancel();
  Moments untouched;
  if (ComputeMoments(input, Pool(), cancelled, &untouched).code != StatusCode::kAborted ||
      !untouched.samples.empty())
    Fail("a cancelled measurement gave something");
  if (input.preconditioner && !input.rows.empty() && random.Below(4) == 0)
    CheckInvalidMetric(problem, random);
  return 0;
}
