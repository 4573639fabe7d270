#include "cpu/moment_stream.h"

#include <algorithm>
#include <new>
#include <sstream>
#include <utility>

#include "cpu/blocks.h"
#include "cpu/metric.h"
#include "cpu/partition.h"
#include "cpu/products.h"

namespace pike {
namespace {

/// What one update sums up, over a block, a chunk or all columns.
struct UpdateSums {
  double step = 0;  // ‖δ‖², δ = g − mean before the update
  double norm = 0;  // ‖mean‖² after it
};

/// mean = g.
template <typename Element>
UpdateSums BeginMean(const double* gradient, std::int64_t count, Element* mean) {
  Lanes norm;
  ForEachLane(count, [&](std::int64_t j, int lane) {
    const auto next = static_cast<Element>(gradient[j]);
    mean[j] = next;
    norm.lane[lane] += static_cast<double>(next) * next;
  });
  return {.norm = norm.Sum()};
}

/// mean += share · δ. The norm is that of the mean as it is stored, rounding included.
template <typename Element>
UpdateSums MoveMean(double* gradient, std::int64_t count, double share, Element* mean) {
  Lanes step;
  ForEachLane(count, [&](std::int64_t j, int lane) {
    const double delta = gradient[j] - mean[j];
    gradient[j] = delta;
    step.lane[lane] += delta * delta;
  });
  Lanes norm;
  ForEachLane(count, [&](std::int64_t j, int lane) {
    const auto next = static_cast<Element>(mean[j] + share * gradient[j]);
    mean[j] = next;
    norm.lane[lane] += static_cast<double>(next) * next;
  });
  return {.step = step.Sum(), .norm = norm.Sum()};
}

}  // namespace

MomentStream::MomentStream(std::size_t tasks, Layout layout, bool inner)
    : layout_(std::move(layout)),
      inner_(inner),
      micro_batches_(tasks),
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
  std::ostringstream message;
  message << "no memory for " << vectors << (vectors == 1 ? " mean vector" : " mean vectors") << " of "
          << length << " elements of " << element << " bytes";
  if (vectors > 1) message << "; without inner products one vector would do";
  return {StatusCode::kMemory, message.str()};
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

template <typename Element>
void MomentStream::Update(std::size_t task, bool first, const RowPointers& gradient, double samples,
                          const std::optional<TypedRow>& preconditioner, ThreadPool& pool, int threads) {
  const double before = samples_[task];
  const double after = before + samples;
  Element* const mean = Mean<Element>(task);
  const Partition partition(layout_.length(), 2);
  UpdateSums slots[Partition::kMostChunks];

  pool.ParallelFor(partition.chunks(), threads, [&](std::int64_t chunk, int) {
    double block[kBlockColumns];
    double roots[kBlockColumns];
    FirstInvalid none;  // the preconditioner has been checked
    partition.ForEachSection(chunk, [&](std::int64_t begin, std::int64_t end) {
      UpdateSums section;
      layout_.ForEachPiece(
          begin, end, kBlockColumns, [&](std::size_t tensor, std::int64_t offset, std::int64_t count) {
            const Layout::Tensor& shape = layout_.tensors()[tensor];
            if (preconditioner) LoadMetric(*preconditioner, tensor, offset, count, none, roots);
            LoadScaled(shape.dtype, gradient[tensor], offset, count, preconditioner ? roots : nullptr, block);
            Element* const at = mean + shape.begin + offset;
            const UpdateSums sums =
                first ? BeginMean(block, count, at) : MoveMean(block, count, samples / after, at);
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
    std::vector<std::size_t> measured;
    for (std::size_t k = 0; k < tasks(); ++k) {
      if (micro_batches_[k] > 0) measured.push_back(k);
    }
    const TaskPairs pairs(std::move(measured));
    const auto sums = layout_.has_float64() ? PairProducts<double>(pairs, pool, threads, cancellation)
                                            : PairProducts<float>(pairs, pool, threads, cancellation);
    if (!sums) return Aborted();
    result.mean_inner = pairs.ToMatrix(*sums, mean_norm_squared_);
  }
  *moments = std::move(result);
  return {};
}

/// Nothing when cancelled.
template <typename Element>
std::optional<std::vector<double>> MomentStream::PairProducts(const TaskPairs& pairs, ThreadPool& pool,
                                                              int threads,
                                                              const Cancellation& cancellation) const {
  constexpr Dtype kDtype = sizeof(Element) == sizeof(double) ? Dtype::kFloat64 : Dtype::kFloat32;
  const std::size_t tasks = pairs.tasks().size();
  const std::size_t size = pairs.size();
  if (size == 0) return std::vector<double>();
  // Here a chunk is cut without regard to tensors: the means are whole vectors.
  const Partition partition(layout_.length(), static_cast<std::int64_t>(size));
  const auto most_threads =
      static_cast<std::size_t>(std::clamp<std::int64_t>(threads, 1, Partition::kMostChunks));
  std::vector<double> slots(static_cast<std::size_t>(partition.chunks()) * size);
  std::vector<double> section_sums(most_threads * size);
  std::vector<double> scratch(most_threads * tasks * kBlockColumns);

  pool.ParallelFor(partition.chunks(), static_cast<int>(most_threads), [&](std::int64_t chunk, int thread) {
    const auto t = static_cast<std::size_t>(thread);
    double* const blocks = scratch.data() + t * tasks * kBlockColumns;
    double* const sums = section_sums.data() + t * size;
    partition.ForEachSection(chunk, [&](std::int64_t begin, std::int64_t end) {
      if (cancellation.cancelled()) return false;
      std::fill_n(sums, size, 0.0);
      for (std::int64_t at = begin; at < end; at += kBlockColumns) {
        const std::int64_t count = std::min(kBlockColumns, end - at);
        for (std::size_t i = 0; i < tasks; ++i) {
          Load(kDtype, Mean<Element>(pairs.tasks()[i]), at, count, blocks + i * kBlockColumns);
        }
        pairs.Accumulate(blocks, kBlockColumns, count, sums);
      }
      for (std::size_t i = 0; i < size; ++i) slots[static_cast<std::size_t>(chunk) * size + i] += sums[i];
      return true;
    });
  });
  if (cancellation.cancelled()) return std::nullopt;
  return SumSlots(slots, size);
}

}  // namespace pike
