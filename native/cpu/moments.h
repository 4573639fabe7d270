// The sums over all rows of a measurement, in one pass over memory.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/cancellation.h"
#include "core/moments.h"
#include "core/status.h"
#include "cpu/metric.h"
#include "cpu/partition.h"
#include "cpu/task_sums.h"
#include "cpu/thread_pool.h"

namespace pike {

/// A pass that can be interrupted. Bits do not depend on where it was, nor on the number of threads.
class MomentsRun {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `input` must outlive it. Reads no row. Throws std::bad_alloc.
  explicit MomentsRun(const MomentsInput& input);

  /// Columns [begin, end).
  struct Range {
    std::int64_t begin;
    std::int64_t end;
  };

  /// From here on, Continue reads what it has in hand and some `elements` of all rows beyond, and then stops.
  /// Returns all columns that it may read.
  std::vector<Range> Offer(std::int64_t elements);

  /// Goes on until all (that is offered) is read or it is `until`, but makes at least one step. Whether all
  /// has been read.
  bool Continue(ThreadPool& pool, const Cancellation& cancellation, std::optional<Time> until = std::nullopt);

  /// After the end. Changes nothing but `*moments`, and that only on success. Throws std::bad_alloc.
  Status Finish(const Cancellation& cancellation, Moments* moments);

 private:
  /// What a thread has in hand.
  struct Worker {
    TaskScratch scratch;
    std::vector<double> section;
    std::int64_t chunk = -1;  // none
    std::int64_t next = 0;    // its next column
  };

  void Work(Worker& worker, const Cancellation& cancellation, std::optional<Time> until);
  bool AddSection(Worker& worker, const Cancellation& cancellation);

  const MomentsInput& input_;
  TaskSums task_sums_;
  Partition partition_;
  std::vector<Worker> workers_;
  std::vector<double> slots_;  // of every chunk
  std::atomic<std::int64_t> next_chunk_{0};
  std::int64_t end_chunk_;  // of what is offered
  FirstInvalid invalid_;
};

/// All of it at once.
Status ComputeMoments(const MomentsInput& input, ThreadPool& pool, const Cancellation& cancellation,
                      Moments* moments);

}  // namespace pike
