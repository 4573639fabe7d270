#include "cpu/moments.h"

#include <algorithm>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/metric.h"
#include "cpu/partition.h"
#include "cpu/task_sums.h"

namespace pike {

Status ComputeMoments(const MomentsInput& input, ThreadPool& pool, const Cancellation& cancellation,
                      Moments* moments) {
  const TaskSums task_sums(input, CurrentKernels());
  const std::size_t size = task_sums.size();
  const Partition partition(input.layout.length(), static_cast<std::int64_t>(size));
  // All memory is had before a thread begins: none of them may throw.
  struct Thread {
    TaskScratch scratch;
    std::vector<double> section;
  };
  std::vector<Thread> threads;
  const std::int64_t most_threads = std::clamp<std::int64_t>(input.threads, 1, Partition::kMostChunks);
  for (std::int64_t t = 0; t < std::min(most_threads, partition.chunks()); ++t)
    threads.push_back({task_sums.NewScratch(), std::vector<double>(size)});
  std::vector<double> slots(static_cast<std::size_t>(partition.chunks()) * size);
  FirstInvalid invalid;

  pool.ParallelFor(partition.chunks(), static_cast<int>(threads.size()), [&](std::int64_t chunk, int t) {
    Thread& thread = threads[static_cast<std::size_t>(t)];
    double* const slot = slots.data() + static_cast<std::size_t>(chunk) * size;
    double* const sums = thread.section.data();
    partition.ForEachSection(chunk, [&](std::int64_t begin, std::int64_t end) {
      if (cancellation.cancelled() || invalid.Before(begin)) return false;
      std::fill_n(sums, size, 0.0);
      input.layout.ForEachPiece(begin, end, task_sums.columns(),
                                [&](std::size_t tensor, std::int64_t offset, std::int64_t count) {
                                  return task_sums.Add(tensor, offset, count, thread.scratch, invalid, sums);
                                });
      for (std::size_t i = 0; i < size; ++i) slot[i] += sums[i];
      return true;
    });
  });
  if (cancellation.cancelled()) return Aborted();
  if (input.preconditioner) {
    if (Status status = invalid.ToStatus(*input.preconditioner); !status.ok()) return status;
  }
  *moments = task_sums.ToMoments(SumSlots(slots, size));
  return {};
}

}  // namespace pike
