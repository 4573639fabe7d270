#include "cpu/moments.h"

#include <algorithm>

#include "core/memory.h"
#include "cpu/kernels.h"

namespace pike {

namespace {

/// A number for every sum of every chunk. Throws where all that is needed for so many sums cannot be had:
/// per thread those of a block and of a section, and in the end their totals and two matrices of products,
/// one of which is JavaScript's.
std::size_t NumberOfSums(const MomentsInput& input, const Partition& partition, const TaskSums& task_sums) {
  const auto workers = std::min<std::int64_t>(std::max(input.threads, 1), partition.chunks());
  const auto copies = static_cast<double>(partition.chunks() + 2 * workers + 6);
  const double bytes = copies * static_cast<double>(task_sums.size()) * sizeof(double);
  RequireMemory(bytes < 0x1p62 ? static_cast<std::int64_t>(bytes) : INT64_MAX);
  return static_cast<std::size_t>(partition.chunks()) * task_sums.size();
}

}  // namespace

MomentsRun::MomentsRun(const MomentsInput& input)
    : input_(input),
      task_sums_(input, CurrentKernels()),
      partition_(input.layout.length(), static_cast<std::int64_t>(task_sums_.size())),
      slots_(NumberOfSums(input, partition_, task_sums_)),
      end_chunk_(partition_.chunks()) {
  // All memory is had before a thread begins: none of them may throw.
  const std::int64_t workers = std::min<std::int64_t>(std::max(input.threads, 1), partition_.chunks());
  for (std::int64_t i = 0; i < workers; ++i)
    workers_.push_back({task_sums_.NewScratch(), std::vector<double>(task_sums_.size())});
}

std::vector<MomentsRun::Range> MomentsRun::Offer(std::int64_t elements) {
  std::vector<Range> ranges;
  for (const Worker& worker : workers_) {
    if (worker.chunk >= 0) ranges.push_back({worker.next, partition_.End(worker.chunk)});
  }
  const auto rows = static_cast<std::int64_t>(std::max<std::size_t>(input_.rows.size(), 1));
  const std::int64_t columns = std::max<std::int64_t>(partition_.End(0) * rows, 1);
  const auto chunks = std::max<std::int64_t>(elements / columns, static_cast<std::int64_t>(workers_.size()));
  const std::int64_t next = next_chunk_.load();
  end_chunk_ = std::min(next + chunks, partition_.chunks());
  if (next < end_chunk_) ranges.push_back({partition_.Begin(next), partition_.End(end_chunk_ - 1)});
  return ranges;
}

bool MomentsRun::Continue(ThreadPool& pool, const Cancellation& cancellation, std::optional<Time> until) {
  const auto workers = static_cast<std::int64_t>(workers_.size());
  pool.ParallelFor(workers, static_cast<int>(workers), [&](std::int64_t i, int) {
    Work(workers_[static_cast<std::size_t>(i)], cancellation, until);
  });
  next_chunk_ = std::min(next_chunk_.load(), end_chunk_);  // where threads asked for more
  return std::all_of(workers_.begin(), workers_.end(), [](const Worker& w) { return w.chunk < 0; }) &&
         next_chunk_.load() >= partition_.chunks();
}

void MomentsRun::Work(Worker& worker, const Cancellation& cancellation, std::optional<Time> until) {
  do {
    if (worker.chunk < 0) {
      worker.chunk = next_chunk_.fetch_add(1, std::memory_order_relaxed);
      if (worker.chunk >= end_chunk_) {
        worker.chunk = -1;
        return;
      }
      worker.next = partition_.Begin(worker.chunk);
    }
    if (!AddSection(worker, cancellation)) worker.chunk = -1;
    ThreadPool::GiveWay();
  } while (!until || std::chrono::steady_clock::now() < *until);
}

/// False if that was the last of the chunk, or if nothing more of it matters.
bool MomentsRun::AddSection(Worker& worker, const Cancellation& cancellation) {
  const std::int64_t begin = worker.next;
  if (cancellation.cancelled() || invalid_.Before(begin)) return false;
  const std::int64_t end = std::min(begin + kSectionColumns, partition_.End(worker.chunk));
  const std::size_t size = task_sums_.size();
  double* const sums = worker.section.data();
  std::fill_n(sums, size, 0.0);
  input_.layout.ForEachPiece(begin, end, task_sums_.columns(),
                             [&](std::size_t tensor, std::int64_t offset, std::int64_t count) {
                               return task_sums_.Add(tensor, offset, count, worker.scratch, invalid_, sums);
                             });
  double* const slot = slots_.data() + static_cast<std::size_t>(worker.chunk) * size;
  for (std::size_t i = 0; i < size; ++i) slot[i] += sums[i];
  worker.next = end;
  return end < partition_.End(worker.chunk);
}

Status MomentsRun::Finish(const Cancellation& cancellation, Moments* moments) {
  if (cancellation.cancelled()) return Aborted();
  if (input_.preconditioner) {
    if (Status status = invalid_.ToStatus(*input_.preconditioner); !status.ok()) return status;
  }
  *moments = task_sums_.ToMoments(SumSlots(slots_, task_sums_.size()));
  return {};
}

Status ComputeMoments(const MomentsInput& input, ThreadPool& pool, const Cancellation& cancellation,
                      Moments* moments) {
  MomentsRun run(input);
  run.Continue(pool, cancellation);
  return run.Finish(cancellation, moments);
}

}  // namespace pike
