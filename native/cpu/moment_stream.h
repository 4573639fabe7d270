// The same sums one micro-batch at a time, by Welford's update, with one vector for any number of tasks, or
// with one per task where products of means are wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/cancellation.h"
#include "core/layout.h"
#include "core/memory.h"
#include "core/moments.h"
#include "core/status.h"
#include "cpu/thread_pool.h"

namespace pike {

/// Not thread-safe: one call at a time.
class MomentStream {
 public:
  /// No vector is allocated before the first Add. Throws std::bad_alloc.
  MomentStream(std::size_t tasks, Layout layout, bool inner);

  /// Adds a micro-batch of `samples` samples. Unless the status is ok, nothing has changed. Cancellation is
  /// honoured until the update of the mean begins. Without `inner`, an earlier task must not come again.
  Status Add(std::size_t task, const RowPointers& gradient, double samples,
             const std::optional<TypedRow>& preconditioner, ThreadPool& pool, int threads,
             const Cancellation& cancellation);

  /// The sums so far.
  Status Collect(ThreadPool& pool, int threads, const Cancellation& cancellation, Moments* moments) const;

  std::size_t tasks() const { return micro_batches_.size(); }
  const Layout& layout() const { return layout_; }
  /// What the vectors take, now.
  std::int64_t bytes() const { return means_.bytes(); }

 private:
  Status Allocate();
  template <typename Element>
  Element* Mean(std::size_t task) const;
  template <typename Element>
  void Update(std::size_t task, bool first, const RowPointers& gradient, double samples,
              const std::optional<TypedRow>& preconditioner, ThreadPool& pool, int threads);
  template <typename Element>
  std::optional<std::vector<double>> PairProducts(const class TaskPairs& pairs, ThreadPool& pool, int threads,
                                                  const Cancellation& cancellation) const;

  Layout layout_;
  bool inner_;

  // Per task.
  std::vector<std::int32_t> micro_batches_;
  std::vector<double> samples_;
  std::vector<double> deviation_;
  std::vector<double> mean_norm_squared_;

  // Running means of √D·g, one after the other: floats, or doubles if the layout has any.
  AlignedBuffer means_;
};

}  // namespace pike
