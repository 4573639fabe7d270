#include "cpu/moments.h"

#include <algorithm>
#include <numeric>

#include "cpu/blocks.h"
#include "cpu/metric.h"
#include "cpu/partition.h"
#include "cpu/products.h"

namespace pike {
namespace {

/// A task that has rows: where they begin, and what each weighs in the mean.
struct TaskRows {
  std::size_t task;
  std::size_t first;
  std::size_t count;
};

/// One call of ComputeMoments. Threads share it and write only to the scratch and the slot they were given.
class Kernel {
 public:
  explicit Kernel(const MomentsInput& input);

  Status Run(ThreadPool& pool, const Cancellation& cancellation, Moments* moments);

 private:
  // A slot holds, in this order: ‖g_i − ḡ‖² per row, ⟨g_i − ḡ, ḡ⟩ per row if asked for, ‖ḡ_k‖² per task that
  // has rows, and the products of those tasks' means if asked for.
  std::size_t alignment_at() const { return input_.rows.size(); }
  std::size_t norm_at() const { return alignment_at() + (input_.row_scalars ? input_.rows.size() : 0); }
  std::size_t products_at() const { return norm_at() + tasks_.size(); }
  std::size_t slot_size() const { return products_at() + (input_.inner ? pairs_.size() : 0); }

  // What one thread needs: √D, the rows of one task, and the mean of every task, in blocks.
  double* metric(double* scratch) const { return scratch; }
  double* row(double* scratch, std::size_t i) const { return scratch + (1 + i) * block_columns_; }
  double* mean(double* scratch, std::size_t t) const { return row(scratch, most_rows_ + t); }
  std::size_t scratch_size() const { return (1 + most_rows_ + tasks_.size()) * block_columns_; }

  bool AddPiece(std::size_t tensor, std::int64_t offset, std::int64_t count, double* scratch, double* sums);
  Moments Finish(const std::vector<double>& sums) const;

  const MomentsInput& input_;
  std::vector<TaskRows> tasks_;
  std::vector<double> weight_;         // s_ki / n_k of every row
  std::vector<double> total_samples_;  // n_k of every task
  std::size_t most_rows_ = 0;
  std::size_t block_columns_ = 0;
  TaskPairs pairs_;
  FirstInvalid invalid_;
};

std::vector<std::size_t> MeasuredTasks(const std::vector<std::int32_t>& rows_per_task) {
  std::vector<std::size_t> tasks;
  for (std::size_t k = 0; k < rows_per_task.size(); ++k) {
    if (rows_per_task[k] > 0) tasks.push_back(k);
  }
  return tasks;
}

Kernel::Kernel(const MomentsInput& input) : input_(input), pairs_(MeasuredTasks(input.rows_per_task)) {
  std::size_t first = 0;
  for (std::size_t k = 0; k < input.rows_per_task.size(); ++k) {
    const auto count = static_cast<std::size_t>(input.rows_per_task[k]);
    const auto samples = input.samples.begin() + static_cast<std::ptrdiff_t>(first);
    const double total = std::accumulate(samples, samples + static_cast<std::ptrdiff_t>(count), 0.0);
    total_samples_.push_back(total);
    for (std::size_t i = first; i < first + count; ++i) weight_.push_back(input.samples[i] / total);
    if (count > 0) tasks_.push_back({k, first, count});
    most_rows_ = std::max(most_rows_, count);
    first += count;
  }
  // A task of very many rows gets narrower blocks, so that they still fit the second level of cache together.
  constexpr std::size_t kScratchDoubles = 64 * 1024;
  block_columns_ = std::clamp<std::size_t>(
      kScratchDoubles / (1 + most_rows_ + tasks_.size()) / kLanes * kLanes, 4 * kLanes, kBlockColumns);
}

Status Kernel::Run(ThreadPool& pool, const Cancellation& cancellation, Moments* moments) {
  const Partition partition(input_.layout.length(), static_cast<std::int64_t>(slot_size()));
  const auto threads =
      static_cast<std::size_t>(std::clamp<std::int64_t>(input_.threads, 1, Partition::kMostChunks));
  std::vector<double> slots(static_cast<std::size_t>(partition.chunks()) * slot_size());
  std::vector<double> scratch(threads * scratch_size());
  std::vector<double> section_sums(threads * slot_size());

  pool.ParallelFor(partition.chunks(), static_cast<int>(threads), [&](std::int64_t chunk, int thread) {
    const auto t = static_cast<std::size_t>(thread);
    double* const slot = slots.data() + static_cast<std::size_t>(chunk) * slot_size();
    double* const sums = section_sums.data() + t * slot_size();
    partition.ForEachSection(chunk, [&](std::int64_t begin, std::int64_t end) {
      if (cancellation.cancelled() || invalid_.Before(begin)) return false;
      std::fill_n(sums, slot_size(), 0.0);
      input_.layout.ForEachPiece(begin, end, static_cast<std::int64_t>(block_columns_),
                                 [&](std::size_t tensor, std::int64_t offset, std::int64_t count) {
                                   return AddPiece(tensor, offset, count, scratch.data() + t * scratch_size(),
                                                   sums);
                                 });
      for (std::size_t i = 0; i < slot_size(); ++i) slot[i] += sums[i];
      return true;
    });
  });
  if (cancellation.cancelled()) return Aborted();
  if (input_.preconditioner) {
    if (Status status = invalid_.ToStatus(*input_.preconditioner); !status.ok()) return status;
  }

  *moments = Finish(SumSlots(slots, slot_size()));
  return {};
}

/// Adds one block of columns to `sums`. False if the preconditioner holds something that it must not.
bool Kernel::AddPiece(std::size_t tensor, std::int64_t offset, std::int64_t count, double* scratch,
                      double* sums) {
  const double* roots = nullptr;
  if (input_.preconditioner) {
    if (!LoadMetric(*input_.preconditioner, tensor, offset, count, invalid_, metric(scratch))) return false;
    roots = metric(scratch);
  }
  const Dtype dtype = input_.layout.tensors()[tensor].dtype;
  for (std::size_t t = 0; t < tasks_.size(); ++t) {
    const TaskRows& task = tasks_[t];
    double* const mean_block = mean(scratch, t);
    for (std::size_t i = 0; i < task.count; ++i) {
      LoadScaled(dtype, input_.rows[task.first + i][tensor], offset, count, roots, row(scratch, i));
    }
    WeightedMean(row(scratch, 0), task.count, block_columns_, &weight_[task.first], count, mean_block);
    for (std::size_t i = 0; i < task.count; ++i) {
      const double* const block = row(scratch, i);
      sums[task.first + i] += SquaredDistance(block, mean_block, count);
      if (input_.row_scalars) sums[alignment_at() + task.first + i] += Alignment(block, mean_block, count);
    }
    sums[norm_at() + t] += Dot(mean_block, mean_block, count);
  }
  if (input_.inner)
    pairs_.Accumulate(mean(scratch, 0), static_cast<std::int64_t>(block_columns_), count,
                      sums + products_at());
  return true;
}

Moments Kernel::Finish(const std::vector<double>& sums) const {
  const std::size_t tasks = input_.rows_per_task.size();
  const auto rows = static_cast<std::ptrdiff_t>(input_.rows.size());
  Moments moments;
  moments.micro_batches = input_.rows_per_task;
  moments.samples = total_samples_;
  moments.deviation.resize(tasks);
  moments.mean_norm_squared.resize(tasks);
  for (std::size_t t = 0; t < tasks_.size(); ++t) {
    const TaskRows& task = tasks_[t];
    CompensatedSum deviation;
    for (std::size_t i = task.first; i < task.first + task.count; ++i)
      deviation.Add(input_.samples[i] * sums[i]);
    moments.deviation[task.task] = deviation.Value();
    moments.mean_norm_squared[task.task] = sums[norm_at() + t];
  }
  if (input_.inner) {
    const auto products = sums.begin() + static_cast<std::ptrdiff_t>(products_at());
    moments.mean_inner = pairs_.ToMatrix({products, sums.end()}, moments.mean_norm_squared);
  }
  if (input_.row_scalars) {
    const auto alignment = sums.begin() + static_cast<std::ptrdiff_t>(alignment_at());
    moments.row_deviation.emplace(sums.begin(), sums.begin() + rows);
    moments.row_alignment.emplace(alignment, alignment + rows);
  }
  return moments;
}

}  // namespace

Status ComputeMoments(const MomentsInput& input, ThreadPool& pool, const Cancellation& cancellation,
                      Moments* moments) {
  return Kernel(input).Run(pool, cancellation, moments);
}

}  // namespace pike
