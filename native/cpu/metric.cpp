#include "cpu/metric.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include "cpu/blocks.h"
#include "cpu/partition.h"

namespace pike {
namespace {

constexpr std::int64_t kBlockColumns = 256;

bool Valid(double element) { return element >= 0 && element <= std::numeric_limits<double>::max(); }

/// The position of the first element that is negative or not finite, or −1.
std::int64_t FindInvalid(const double* block, std::int64_t count) {
  bool all_valid = true;
  for (std::int64_t j = 0; j < count; ++j) all_valid &= Valid(block[j]);  // no early exit: this vectorises
  if (all_valid) return -1;
  std::int64_t j = 0;
  while (Valid(block[j])) ++j;
  return j;
}

}  // namespace

void FirstInvalid::Note(std::int64_t column) {
  std::int64_t first = first_.load(std::memory_order_relaxed);
  while (column < first && !first_.compare_exchange_weak(first, column, std::memory_order_relaxed)) {
  }
}

Status FirstInvalid::ToStatus(const TypedRow& preconditioner) const {
  const std::int64_t column = first_.load();
  if (column == INT64_MAX) return {};
  const std::size_t index = preconditioner.layout.TensorAt(column);
  const Layout::Tensor& tensor = preconditioner.layout.tensors()[index];
  double element;
  Load(tensor.dtype, preconditioner.tensors[index], column - tensor.begin, 1, &element);
  char value[32];  // no stream: with libstdc++ linked in, one brings all of its locales
  std::snprintf(value, sizeof value, "%g", element);
  return {StatusCode::kInvalidOption, "a preconditioner must be finite and not negative, but element " +
                                          std::to_string(column - tensor.begin) + " of its tensor " +
                                          std::to_string(index) + " is " + value};
}

bool LoadRoots(const TypedRow& preconditioner, std::size_t tensor, std::int64_t offset, std::int64_t count,
               FirstInvalid& invalid, double* roots) {
  const Layout::Tensor& shape = preconditioner.layout.tensors()[tensor];
  Load(shape.dtype, preconditioner.tensors[tensor], offset, count, roots);
  if (const std::int64_t position = FindInvalid(roots, count); position >= 0) {
    invalid.Note(shape.begin + offset + position);
    return false;
  }
  for (std::int64_t j = 0; j < count; ++j) roots[j] = std::sqrt(roots[j]);
  // Kernels multiply zeros beyond the end of a row by them, and memory that nobody has written may hold NaN.
  std::fill_n(roots + count, Padded(count) - count, 0.0);
  return true;
}

bool LoadRoots(const Kernels& kernels, const TypedRow& preconditioner, std::size_t tensor,
               std::int64_t offset, std::int64_t count, FirstInvalid& invalid, float* roots) {
  const Layout::Tensor& shape = preconditioner.layout.tensors()[tensor];
  if (shape.dtype != Dtype::kFloat64) {
    const char* const from = static_cast<const char*>(preconditioner.tensors[tensor]);
    const void* const block = from + offset * SizeOf(shape.dtype);
    if (kernels.floats_of(shape.dtype).roots(block, count, roots)) return true;
  }
  // Doubles, or something that is not valid: both are rare.
  std::fill_n(roots + count, Padded(count) - count, 0.0f);
  double block[kBlockColumns];
  for (std::int64_t at = 0; at < count; at += kBlockColumns) {
    const std::int64_t rest = std::min(kBlockColumns, count - at);
    if (!LoadRoots(preconditioner, tensor, offset + at, rest, invalid, block)) return false;
    for (std::int64_t j = 0; j < rest; ++j) {
      // One that lost digits as a float may belong to the largest product of all.
      const double root = block[j];
      const bool fits = root == 0 || (root >= double{FLT_MIN} && root <= double{FLT_MAX});
      roots[at + j] = fits ? static_cast<float>(root) : std::numeric_limits<float>::infinity();
    }
  }
  return true;
}

namespace {

bool CheckPiece(const Kernels& kernels, const TypedRow& preconditioner, std::size_t tensor,
                std::int64_t offset, std::int64_t count, FirstInvalid& invalid) {
  const Layout::Tensor& shape = preconditioner.layout.tensors()[tensor];
  if (shape.dtype != Dtype::kFloat64) {
    const char* const from = static_cast<const char*>(preconditioner.tensors[tensor]);
    const void* const block = from + offset * SizeOf(shape.dtype);
    if (kernels.floats_of(shape.dtype).roots(block, count, nullptr)) return true;
  }
  double roots[kBlockColumns];
  for (std::int64_t at = 0; at < count; at += kBlockColumns) {
    const std::int64_t block = std::min(kBlockColumns, count - at);
    if (!LoadRoots(preconditioner, tensor, offset + at, block, invalid, roots)) return false;
  }
  return true;
}

}  // namespace

Status CheckMetric(const TypedRow& preconditioner, ThreadPool& pool, int threads,
                   const Cancellation& cancellation) {
  const Kernels& kernels = CurrentKernels();
  const Layout& layout = preconditioner.layout;
  const Partition partition(layout.length(), 1);
  FirstInvalid invalid;
  pool.ParallelFor(partition.chunks(), threads, [&](std::int64_t chunk, int) {
    partition.ForEachSection(chunk, [&](std::int64_t begin, std::int64_t end) {
      if (invalid.Before(begin) || cancellation.cancelled()) return false;
      layout.ForEachPiece(begin, end, kSectionColumns,
                          [&](std::size_t tensor, std::int64_t offset, std::int64_t count) {
                            return CheckPiece(kernels, preconditioner, tensor, offset, count, invalid);
                          });
      return true;
    });
  });
  if (cancellation.cancelled()) return Aborted();
  return invalid.ToStatus(preconditioner);
}

}  // namespace pike
