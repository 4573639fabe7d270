// The same sums one micro-batch at a time: tasks in any order where there are inner products, with rows that
// are refused or cancelled in between, which must leave everything as it was.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "cpu/moment_stream.h"
#include "cpu/thread_pool.h"
#include "fuzz.h"

using namespace pike;

namespace {

ThreadPool& Pool() {
  static ThreadPool pool;
  return pool;
}

Moments Collect(const MomentStream& stream) {
  Moments moments;
  if (!stream.Collect(Pool(), 2, Cancellation(), &moments).ok()) Fail("sums were refused");
  return moments;
}

/// The rows as (task, row), task by task, or with inner products in any order that keeps each task's own.
std::vector<std::pair<std::size_t, std::size_t>> Order(const MomentsInput& input, Random& random) {
  std::vector<std::vector<std::size_t>> left(input.rows_per_task.size());
  std::size_t row = 0;
  for (std::size_t k = 0; k < left.size(); ++k) {
    for (std::int32_t i = 0; i < input.rows_per_task[k]; ++i) left[k].push_back(row++);
    std::reverse(left[k].begin(), left[k].end());
  }
  std::vector<std::pair<std::size_t, std::size_t>> order;
  std::size_t k = 0;
  while (order.size() < input.rows.size()) {
    if (input.inner) k = static_cast<std::size_t>(random.Below(static_cast<std::int64_t>(left.size())));
    if (left[k].empty()) {
      k = (k + 1) % left.size();
      while (left[k].empty()) k = (k + 1) % left.size();
    }
    order.emplace_back(k, left[k].back());
    left[k].pop_back();
  }
  return order;
}

/// A copy of the metric, one element of which has no place in it.
bool Spoil(const Problem& problem, Row* metric, Random& random) {
  for (std::size_t t = 0; t < metric->size(); ++t) {
    const Layout::Tensor& tensor = problem.input.preconditioner->layout.tensors()[t];
    if (tensor.length == 0) continue;
    (*metric)[t].Set(static_cast<std::size_t>(random.Below(tensor.length)), random.One({-1.0, std::nan("")}));
    return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Random random = RandomOf(data, size);
  const auto kind = static_cast<Kind>(random.Below(kKinds));
  Problem problem = MakeProblem(kind, random, 1200, 50'000);
  const MomentsInput& input = problem.input;
  MomentStream stream(input.rows_per_task.size(), input.layout, input.inner);
  const int threads = 1 + static_cast<int>(random.Below(3));
  const Cancellation none;

  for (const auto& [task, row] : Order(input, random)) {
    const std::int64_t disturbance = random.Below(6);
    if (disturbance < 2) {
      const Moments before = Collect(stream);
      Cancellation cancelled;
      if (disturbance == 0) cancelled.Cancel();
      Status status;
      if (Row spoilt = problem.CopyOfMetric(); disturbance == 1 && Spoil(problem, &spoilt, random)) {
        const std::optional<TypedRow> metric = TypedRow{input.preconditioner->layout, Pointers(spoilt)};
        status = stream.Add(task, input.rows[row], input.samples[row], metric, Pool(), threads, none);
        if (status.code != StatusCode::kInvalidOption) Fail("an invalid metric was not refused");
      } else if (disturbance == 0) {
        status = stream.Add(task, input.rows[row], input.samples[row], input.preconditioner, Pool(), threads,
                            cancelled);
        if (status.code != StatusCode::kAborted) Fail("a cancelled row was taken");
      }
      const Moments after = Collect(stream);
      if (!AreSame(before, after) || before.micro_batches != after.micro_batches)
        Fail("a refused row counts");
    }
    if (!stream.Add(task, input.rows[row], input.samples[row], input.preconditioner, Pool(), threads, none)
             .ok())
      Fail("refused");
  }

  const Moments moments = Collect(stream);
  if (moments.micro_batches != input.rows_per_task) Fail("rows were lost");
  // Means of floats, in the metric, hold what floats can hold.
  const auto fits = [](double u) { return u == 0 || (u > 1e-64 && u < 1e74); };
  if (problem.stream_epsilon != 1e-12 && !std::all_of(problem.largest.begin(), problem.largest.end(), fits))
    return 0;
  const double share = WorstShare(moments, problem, problem.stream_epsilon);
  if (!(share <= 1)) Fail("%s: %g of the promised error", kKindNames[kind], share);
  return 0;
}
