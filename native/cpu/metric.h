// The metric of a diagonal preconditioner D: sum_i a_i D_i b_i is the plain product of √D a and √D b, so
// every element is scaled by √D as it is loaded, and nothing after that knows of D.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/cancellation.h"
#include "core/layout.h"
#include "core/status.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace pike {

/// The lowest column found so far whose element of D is negative or not finite. Shared by threads.
class FirstInvalid {
 public:
  void Note(std::int64_t column);
  /// Whether something below `column` is known to be wrong, so that nothing from there on matters.
  bool Before(std::int64_t column) const { return first_.load(std::memory_order_relaxed) < column; }
  /// Names the element found.
  Status ToStatus(const TypedRow& preconditioner) const;

 private:
  std::atomic<std::int64_t> first_{INT64_MAX};
};

/// Writes √D of a piece to `roots`, padded. False, with the column noted, if an element has no place in a
/// metric.
bool LoadRoots(const TypedRow& preconditioner, std::size_t tensor, std::int64_t offset, std::int64_t count,
               FirstInvalid& invalid, double* roots);

/// The same in floats, padded. A root outside their range becomes infinite, so that every sum that it is part
/// of shows it.
bool LoadRoots(const Kernels& kernels, const TypedRow& preconditioner, std::size_t tensor,
               std::int64_t offset, std::int64_t count, FirstInvalid& invalid, float* roots);

/// Reads all of D before anything is changed for its sake.
Status CheckMetric(const TypedRow& preconditioner, ThreadPool& pool, int threads,
                   const Cancellation& cancellation);

}  // namespace pike
