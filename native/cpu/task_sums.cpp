#include "cpu/task_sums.h"

#include <algorithm>
#include <numeric>

#include "cpu/blocks.h"
#include "cpu/partition.h"
#include "cpu/range.h"

namespace pike {
namespace {

/// Beyond this many rows means are formed in doubles: the rounding of a mean, one addition for every
/// kPartRows, counts twice in its square, and the chain of kLongestChain squares needs half of the promised
/// error.
constexpr std::size_t kMostFloatRows = 192;

std::vector<std::size_t> MeasuredTasks(const std::vector<std::int32_t>& rows_per_task) {
  std::vector<std::size_t> tasks;
  for (std::size_t k = 0; k < rows_per_task.size(); ++k) {
    if (rows_per_task[k] > 0) tasks.push_back(k);
  }
  return tasks;
}

/// An address to fetch from that may lie past the end of a row, where no pointer may be formed by addition.
const void* Beyond(const void* address, std::int64_t bytes) {
  return reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(address) +
                                       static_cast<std::uintptr_t>(bytes));
}

template <typename Element>
ProductsBlock<Element> Means(const std::vector<const Element*>& means, const TaskScratch& scratch,
                             std::int64_t count, std::int64_t size) {
  return {.vectors = means.data(),
          .vector_count = static_cast<std::int64_t>(means.size()),
          .count = count,
          .coming = scratch.addresses.data(),
          .coming_count = static_cast<std::int64_t>(scratch.addresses.size()) - kMostRowsAtOnce,
          .coming_offset = count * size,
          .coming_step = size};
}

}  // namespace

TaskSums::TaskSums(const MomentsInput& input, const Kernels& kernels)
    : input_(input), kernels_(kernels), pairs_(MeasuredTasks(input.rows_per_task)) {
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
  float_weight_.assign(weight_.begin(), weight_.end());
  doubles_only_ = most_rows_ > kMostFloatRows;
  // A block and the one fetched meanwhile stay in the second level of cache, where memory is read the longer
  // at one place the better; but in blocks too short, adding up lanes takes more time than the sums.
  constexpr std::int64_t kElements = 32 * 1024;
  constexpr std::int64_t kFewestColumns = 512;
  const auto rows = static_cast<std::int64_t>(std::max<std::size_t>(input.rows.size(), 1));
  columns_ = std::clamp(Padded(kElements / rows), kFewestColumns, kernels.floats.most_columns);
  columns_ = std::min(columns_, Padded(std::max<std::int64_t>(input.layout.length(), 1)));
  // A cache line more, so that the vectors do not all begin in the same set of the first level of cache.
  stride_ = columns_ + kPadding;
}

TaskScratch TaskSums::NewScratch() const {
  return TaskScratch(input_.rows.size(), most_rows_, tasks_.size(), stride_, size());
}

bool TaskSums::Add(std::size_t tensor, std::int64_t offset, std::int64_t count, TaskScratch& scratch,
                   FirstInvalid& invalid, double* sums) const {
  const bool metric = input_.preconditioner.has_value();
  const Dtype dtype = input_.layout.tensors()[tensor].dtype;
  const bool in_floats = dtype != Dtype::kFloat64 && !doubles_only_;
  bool done = false;
  const std::int64_t size = SizeOf(dtype);
  const std::size_t rows = input_.rows.size();
  for (std::size_t i = 0; i < rows; ++i)
    scratch.addresses[i] = static_cast<const char*>(input_.rows[i][tensor]) + offset * size;
  // Without rows, nothing comes.
  for (std::size_t i = rows; rows > 0 && i < scratch.addresses.size(); ++i)
    scratch.addresses[i] = Beyond(scratch.addresses[i - rows], count * size);
  if (in_floats) {
    if (metric &&
        !LoadRoots(kernels_, *input_.preconditioner, tensor, offset, count, invalid, scratch.roots<float>()))
      return false;
    AddInFloats(dtype, count, metric, scratch);
    done = InRange(dtype, count, scratch);
  }
  if (!done) {
    if (metric && !LoadRoots(*input_.preconditioner, tensor, offset, count, invalid, scratch.roots<double>()))
      return false;
    AddInDoubles(dtype, count, metric, scratch);
  }
  for (std::size_t i = 0; i < scratch.block.size(); ++i) sums[i] += scratch.block[i];
  return true;
}

/// How many tasks from t on a kernel takes at once.
template <typename Element>
std::size_t TaskSums::Together(std::size_t t, const RowKernels<Element>& kernels) const {
  std::size_t together = 0;
  while (together < 4 && t + together < tasks_.size() && tasks_[t + together].count == kPairRows) ++together;
  if (together == 4 && kernels.pairs[1][0] != nullptr) return 4;
  return together >= 2 ? 2 : 1;
}

/// Sums the rows of task t, which may be more than a kernel takes at once, or of several tasks. Where they
/// are not copies, those that follow are fetched meanwhile. Returns the number of tasks.
template <typename Element>
std::size_t TaskSums::SumTasks(std::size_t t, const Arithmetic<Element>& arithmetic,
                               const RowKernels<Element>& kernels, bool in_place, RowsBlock<Element> block,
                               double* sums) const {
  const TaskRows& task = tasks_[t];
  const void* const* const rows = block.rows;
  block.coming = rows;
  block.deviation = sums + task.first;
  block.alignment = sums + alignment_at() + task.first;
  block.norm = sums + norm_at() + t;
  if (const std::size_t together = in_place ? Together(t, kernels) : 1; together > 1) {
    block.mean_stride = stride_;
    block.coming += together * kPairRows;
    kernels.pairs[together == 4][input_.row_scalars](block);
    return together;
  }
  if (task.count <= static_cast<std::size_t>(arithmetic.most_rows)) {
    if (in_place) block.coming += task.count;
    kernels.whole[task.count - 1][input_.row_scalars](block);
    return 1;
  }
  constexpr std::size_t kMost = kPartRows;
  for (std::size_t i = 0; i < task.count; i += kMost) {
    const std::size_t n = std::min(kMost, task.count - i);
    block.coming = in_place ? block.rows + n : block.rows;
    kernels.sum[n - 1][i > 0](block);
    block.rows += n;
    block.weight += n;
  }
  *block.norm = arithmetic.norm(block.mean, block.count);
  block.rows = rows;
  for (std::size_t i = 0; i < task.count; i += kMost) {
    const std::size_t n = std::min(kMost, task.count - i);
    block.coming = block.rows;  // they are in cache by now
    kernels.scores[n - 1][input_.row_scalars](block);
    block.rows += n;
    block.deviation += n;
    block.alignment += n;
  }
  return 1;
}

void TaskSums::AddInFloats(Dtype dtype, std::int64_t count, bool metric, TaskScratch& scratch) const {
  double* const sums = scratch.block.data();
  const FloatSource& source = kernels_.floats_of(dtype);
  const bool in_place = source.in_place;
  for (std::size_t t = 0; t < tasks_.size();) {
    const TaskRows& task = tasks_[t];
    const void* const* rows = &scratch.addresses[task.first];
    const RowKernels<float>* kernels = &source.rows[metric];
    if (!in_place) {
      for (std::size_t i = 0; i < task.count; ++i) {
        scratch.scaled[i] = scratch.row<float>(i);
        source.scale(rows[i], nullptr, rows[i + 1], count, scratch.row<float>(i));
      }
      rows = scratch.scaled.data();
      kernels = &kernels_.float32.rows[metric];
    }
    const RowsBlock<float> block = {.rows = rows,
                                    .count = count,
                                    .roots = scratch.roots<float>(),
                                    .weight = &float_weight_[task.first],
                                    .mean = scratch.mean<float>(t)};
    t += SumTasks(t, kernels_.floats, *kernels, in_place, block, sums);
  }
  if (input_.inner)
    kernels_.floats.products(Means(scratch.float_means, scratch, count, SizeOf(dtype)), sums + products_at());
}

/// Whether sums of floats hold what sums of doubles would: nothing overflowed, nothing vanished.
bool TaskSums::InRange(Dtype dtype, std::int64_t count, const TaskScratch& scratch) const {
  for (std::size_t t = 0; t < tasks_.size(); ++t) {
    const TaskRows& task = tasks_[t];
    double sum = scratch.block[norm_at() + t];
    for (std::size_t i = task.first; i < task.first + task.count; ++i) sum += scratch.block[i];
    if (IsInFloatRange(sum)) continue;
    if (sum != 0) return false;
    for (std::size_t i = task.first; i < task.first + task.count; ++i) {
      if (!IsZero(scratch.addresses[i], count * SizeOf(dtype))) return false;
    }
  }
  return true;
}

void TaskSums::AddInDoubles(Dtype dtype, std::int64_t count, bool metric, TaskScratch& scratch) const {
  double* const sums = scratch.block.data();
  for (std::size_t t = 0; t < tasks_.size();) {
    const TaskRows& task = tasks_[t];
    const bool in_place = dtype == Dtype::kFloat64;
    const void* const* rows = &scratch.addresses[task.first];
    if (!in_place) {
      for (std::size_t i = 0; i < task.count; ++i) {
        LoadScaled(dtype, rows[i], 0, count, nullptr, scratch.row<double>(i));
        scratch.scaled[i] = scratch.row<double>(i);
      }
      rows = scratch.scaled.data();
    }
    const RowsBlock<double> block = {.rows = rows,
                                     .count = count,
                                     .roots = scratch.roots<double>(),
                                     .weight = &weight_[task.first],
                                     .mean = scratch.mean<double>(t)};
    t += SumTasks(t, kernels_.doubles, kernels_.float64[metric], in_place, block, sums);
  }
  if (input_.inner)
    kernels_.doubles.products(Means(scratch.double_means, scratch, count, SizeOf(dtype)),
                              sums + products_at());
}

Moments TaskSums::ToMoments(const std::vector<double>& sums) const {
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
  if (input_.inner)
    moments.mean_inner = pairs_.ToMatrix(sums.data() + products_at(), moments.mean_norm_squared);
  if (input_.row_scalars) {
    const auto alignment = sums.begin() + static_cast<std::ptrdiff_t>(alignment_at());
    moments.row_deviation.emplace(sums.begin(), sums.begin() + rows);
    moments.row_alignment.emplace(alignment, alignment + rows);
  }
  return moments;
}

}  // namespace pike
