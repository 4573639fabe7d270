#include "cpu/moment_stream.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "cpu/blocks.h"
#include "cpu/kernels.h"
#include "cpu/metric.h"
#include "cpu/pair_sums.h"
#include "cpu/partition.h"
#include "cpu/products.h"

namespace pike {
namespace {

/// Memory for one block of a gradient in the metric.
template <typename Element>
struct ScaledBlock {
  alignas(64) Element values[kMostUpdateColumns];
  alignas(64) Element roots[kMostUpdateColumns];
};

}  // namespace

namespace {

/// Throws where the sums of so many tasks cannot be had.
std::size_t Require(std::size_t tasks, std::size_t bytes_each) {
  RequireMemory(tasks < SIZE_MAX / 2 / bytes_each ? static_cast<std::int64_t>(tasks * bytes_each)
                                                  : INT64_MAX);
  return tasks;
}

}  // namespace

MomentStream::MomentStream(std::size_t tasks, Layout layout, bool inner)
    : layout_(std::move(layout)),
      inner_(inner),
      micro_batches_(Require(tasks, sizeof(std::int32_t) + 3 * sizeof(double))),
      samples_(tasks),
      deviation_(tasks),
      mean_norm_squared_(tasks) {}

Status MomentStream::Allocate() {
  const std::int64_t vectors = inner_ ? static_cast<std::int64_t>(tasks()) : 1;
  const std::int64_t element = layout_.has_float64() ? sizeof(double) : sizeof(float);
  const std::int64_t length = layout_.length();
  if (length <= INT64_MAX / (vectors * element)) {
    means_ = AlignedBuffer::TryAllocate(vectors * length * element);
    if (means_) return {};
  }
  std::string message = "no memory for " + std::to_string(vectors) +
                        (vectors == 1 ? " mean vector of " : " mean vectors of ") + std::to_string(length) +
                        " elements of " + std::to_string(element) + " bytes";
  if (vectors > 1) message += "; without inner products one vector would do";
  return {StatusCode::kMemory, std::move(message)};
}

template <typename Element>
Element* MomentStream::Mean(std::size_t task) const {
  return static_cast<Element*>(means_.data()) +
         (inner_ ? static_cast<std::int64_t>(task) * layout_.length() : 0);
}

Status MomentStream::Add(std::size_t task, const RowPointers& gradient, double samples,
                         const std::optional<TypedRow>& preconditioner, ThreadPool& pool, int threads,
                         const Cancellation& cancellation) {
  if (preconditioner) {
    if (Status status = CheckMetric(*preconditioner, pool, threads, cancellation); !status.ok())
      return status;
  }
  if (!means_) {
    if (Status status = Allocate(); !status.ok()) return status;
  }
  if (cancellation.cancelled()) return Aborted();

  // From here on nothing fails and nothing stops.
  const bool first = micro_batches_[task] == 0;  // whatever the vector holds is another task's
  if (layout_.has_float64()) {
    Update<double>(task, first, gradient, samples, preconditioner, pool, threads);
  } else {
    Update<float>(task, first, gradient, samples, preconditioner, pool, threads);
  }
  return {};
}

/// A piece of a gradient into a mean of floats.
UpdateSums UpdatePiece(const Kernels& kernels, bool first, Dtype dtype, const void* gradient,
                       std::int64_t offset, std::int64_t count, float share,
                       const std::optional<TypedRow>& preconditioner, std::size_t tensor, float* mean) {
  const FloatSource& source = kernels.floats_of(dtype);
  const char* const from = static_cast<const char*>(gradient) + offset * SizeOf(dtype);
  if (!preconditioner && source.in_place)
    return (first ? source.begin_mean : source.move_mean)({from, mean, count, share});
  ScaledBlock<float> block;
  FirstInvalid none;  // it has been checked
  const void* const next = from + count * SizeOf(dtype);
  if (!preconditioner) {
    source.scale(from, nullptr, next, count, block.values);
  } else if (preconditioner->layout.tensors()[tensor].dtype == Dtype::kFloat64) {
    // Its roots may be no floats though the products are.
    ScaledBlock<double> wide;
    LoadRoots(*preconditioner, tensor, offset, count, none, wide.roots);
    LoadScaled(dtype, gradient, offset, count, wide.roots, wide.values);
    std::copy_n(wide.values, count, block.values);
  } else {
    LoadRoots(kernels, *preconditioner, tensor, offset, count, none, block.roots);
    source.scale(from, block.roots, next, count, block.values);
  }
  const FloatSource& floats = kernels.float32;
  return (first ? floats.begin_mean : floats.move_mean)({block.values, mean, count, share});
}

/// The same into a mean of doubles.
UpdateSums UpdatePiece(const Kernels& kernels, bool first, Dtype dtype, const void* gradient,
                       std::int64_t offset, std::int64_t count, double share,
                       const std::optional<TypedRow>& preconditioner, std::size_t tensor, double* mean) {
  const UpdateKernel<double> update = first ? kernels.begin_mean : kernels.move_mean;
  if (dtype == Dtype::kFloat64 && !preconditioner)
    return update({static_cast<const double*>(gradient) + offset, mean, count, share});
  ScaledBlock<double> block;
  FirstInvalid none;
  if (preconditioner) LoadRoots(*preconditioner, tensor, offset, count, none, block.roots);
  LoadScaled(dtype, gradient, offset, count, preconditioner ? block.roots : nullptr, block.values);
  return update({block.values, mean, count, share});
}

template <typename Element>
void MomentStream::Update(std::size_t task, bool first, const RowPointers& gradient, double samples,
                          const std::optional<TypedRow>& preconditioner, ThreadPool& pool, int threads) {
  const Kernels& kernels = CurrentKernels();
  const double before = samples_[task];
  const double after = before + samples;
  const auto share = static_cast<Element>(samples / after);
  Element* const mean = Mean<Element>(task);
  const Partition partition(layout_.length(), 2);
  UpdateSums slots[Partition::kMostChunks];

  pool.ParallelFor(partition.chunks(), threads, [&](std::int64_t chunk, int) {
    partition.ForEachSection(chunk, [&](std::int64_t begin, std::int64_t end) {
      UpdateSums section;
      layout_.ForEachPiece(
          begin, end, kMostUpdateColumns, [&](std::size_t tensor, std::int64_t offset, std::int64_t count) {
            const Layout::Tensor& shape = layout_.tensors()[tensor];
            const UpdateSums sums = UpdatePiece(kernels, first, shape.dtype, gradient[tensor], offset, count,
                                                share, preconditioner, tensor, mean + shape.begin + offset);
            section.step += sums.step;
            section.norm += sums.norm;
            return true;
          });
      slots[chunk].step += section.step;
      slots[chunk].norm += section.norm;
      return true;
    });
  });

  CompensatedSum step;
  CompensatedSum norm;
  for (std::int64_t chunk = 0; chunk < partition.chunks(); ++chunk) {
    step.Add(slots[chunk].step);
    norm.Add(slots[chunk].norm);
  }
  micro_batches_[task] += 1;
  samples_[task] = after;
  if (!first) deviation_[task] += samples * (before / after) * step.Value();
  mean_norm_squared_[task] = norm.Value();
}

Status MomentStream::Collect(ThreadPool& pool, int threads, const Cancellation& cancellation,
                             Moments* moments) const {
  Moments result;
  result.micro_batches = micro_batches_;
  result.samples = samples_;
  result.deviation = deviation_;
  result.mean_norm_squared = mean_norm_squared_;
  if (inner_) {
    Require(tasks(), 3 * tasks() * sizeof(double));  // products of pairs, and two matrices of them
    std::vector<std::size_t> measured;
    for (std::size_t k = 0; k < tasks(); ++k) {
      if (micro_batches_[k] > 0) measured.push_back(k);
    }
    const TaskPairs pairs(std::move(measured));
    const auto sums = layout_.has_float64() ? PairProducts<double>(pairs, pool, threads, cancellation)
                                            : PairProducts<float>(pairs, pool, threads, cancellation);
    if (!sums) return Aborted();
    result.mean_inner = pairs.ToMatrix(sums->data(), mean_norm_squared_);
  }
  *moments = std::move(result);
  return {};
}

/// Nothing when cancelled.
template <typename Element>
std::optional<std::vector<double>> MomentStream::PairProducts(const TaskPairs& pairs, ThreadPool& pool,
                                                              int threads,
                                                              const Cancellation& cancellation) const {
  const std::size_t size = pairs.size();
  if (size == 0) return std::vector<double>();
  std::vector<const Element*> means;
  for (const std::size_t task : pairs.tasks()) means.push_back(Mean<Element>(task));
  // Here a chunk is cut without regard to tensors: the means are whole vectors.
  const Partition partition(layout_.length(), static_cast<std::int64_t>(size));
  const auto most_threads = static_cast<std::size_t>(
      std::max<std::int64_t>(std::min<std::int64_t>(threads, partition.chunks()), 1));
  // Every thread has those of a block and of a section; in the end there are their totals, and two matrices.
  const std::size_t copies = static_cast<std::size_t>(partition.chunks()) + 2 * most_threads + 6;
  Require(size, copies * sizeof(double));
  std::vector<double> slots(static_cast<std::size_t>(partition.chunks()) * size);
  std::vector<PairSums<Element>> sums(most_threads, PairSums<Element>(means, size));

  pool.ParallelFor(partition.chunks(), static_cast<int>(most_threads), [&](std::int64_t chunk, int thread) {
    PairSums<Element>& mine = sums[static_cast<std::size_t>(thread)];
    partition.ForEachSection(chunk, [&](std::int64_t begin, std::int64_t end) {
      if (cancellation.cancelled()) return false;
      mine.Section(begin, end, slots.data() + static_cast<std::size_t>(chunk) * size);
      return true;
    });
  });
  if (cancellation.cancelled()) return std::nullopt;
  return SumSlots(slots, size);
}

}  // namespace pike
