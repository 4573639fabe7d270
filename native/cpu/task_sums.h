// The sums of a measurement over one block of columns: small enough that the rows of a task, and the means of
// all, stay in cache from their first use to their last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/moments.h"
#include "cpu/kernels.h"
#include "cpu/metric.h"
#include "cpu/products.h"
#include "cpu/task_scratch.h"

namespace pike {

/// A task that has rows: where they begin, and how many.
struct TaskRows {
  std::size_t task;
  std::size_t first;
  std::size_t count;
};

/// What of a measurement all threads share. The sums lie in one array: ‖g_i − ḡ‖² per row, ⟨g_i − ḡ, ḡ⟩ per
/// row if asked for, ‖ḡ_k‖² per task that has rows, and the products of those tasks' means if asked for.
class TaskSums {
 public:
  /// `input` must outlive it.
  TaskSums(const MomentsInput& input, const Kernels& kernels);

  std::size_t size() const { return products_at() + (input_.inner ? pairs_.size() : 0); }
  /// Columns of a block.
  std::int64_t columns() const { return columns_; }

  TaskScratch NewScratch() const;

  /// Adds those of `count` columns of a tensor to `sums`. False if the preconditioner holds something that it
  /// must not, which is noted.
  bool Add(std::size_t tensor, std::int64_t offset, std::int64_t count, TaskScratch& scratch,
           FirstInvalid& invalid, double* sums) const;

  Moments ToMoments(const std::vector<double>& sums) const;

 private:
  std::size_t alignment_at() const { return input_.rows.size(); }
  std::size_t norm_at() const { return alignment_at() + (input_.row_scalars ? input_.rows.size() : 0); }
  std::size_t products_at() const { return norm_at() + tasks_.size(); }

  void AddInFloats(Dtype dtype, std::int64_t count, bool metric, TaskScratch& scratch) const;
  void AddInDoubles(Dtype dtype, std::int64_t count, bool metric, TaskScratch& scratch) const;
  template <typename Element>
  std::size_t Together(std::size_t t, const RowKernels<Element>& kernels) const;
  template <typename Element>
  std::size_t SumTasks(std::size_t t, const Arithmetic<Element>& arithmetic,
                       const RowKernels<Element>& kernels, bool in_place, RowsBlock<Element> block,
                       double* sums) const;
  bool InRange(Dtype dtype, std::int64_t count, const TaskScratch& scratch) const;

  const MomentsInput& input_;
  const Kernels& kernels_;
  std::vector<TaskRows> tasks_;
  std::vector<double> weight_;  // s_ki / n_k of every row
  std::vector<float> float_weight_;
  std::vector<double> total_samples_;  // n_k of every task
  std::size_t most_rows_ = 0;
  bool doubles_only_ = false;
  std::int64_t columns_ = 0;
  std::int64_t stride_ = 0;
  TaskPairs pairs_;
};

}  // namespace pike
