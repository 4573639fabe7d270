#include "cpu/blocks.h"

#include <algorithm>

#include "core/half.h"

namespace pike {

void WeightedMean(const double* row, std::size_t rows, std::size_t stride, const double* weight,
                  std::int64_t count, double* mean) {
  std::size_t i = rows % 4;
  std::fill_n(mean, count, 0.0);
  for (std::size_t r = 0; r < i; ++r) {
    const double* const a = row + r * stride;
    for (std::int64_t j = 0; j < count; ++j) mean[j] += weight[r] * a[j];
  }
  // Four rows at a time, for the sake of fewer loads and stores of the mean.
  for (; i < rows; i += 4) {
    const double* const a = row + i * stride;
    const double* const b = a + stride;
    const double* const c = b + stride;
    const double* const d = c + stride;
    const double wa = weight[i], wb = weight[i + 1], wc = weight[i + 2], wd = weight[i + 3];
    for (std::int64_t j = 0; j < count; ++j) mean[j] += (wa * a[j] + wb * b[j]) + (wc * c[j] + wd * d[j]);
  }
}

void Load(Dtype dtype, const void* tensor, std::int64_t offset, std::int64_t count, double* out) {
  switch (dtype) {
    case Dtype::kFloat32: {
      const float* in = static_cast<const float*>(tensor) + offset;
      for (std::int64_t j = 0; j < count; ++j) out[j] = in[j];
      return;
    }
    case Dtype::kFloat64: {
      const double* in = static_cast<const double*>(tensor) + offset;
      for (std::int64_t j = 0; j < count; ++j) out[j] = in[j];
      return;
    }
    case Dtype::kBFloat16: {
      const std::uint16_t* in = static_cast<const std::uint16_t*>(tensor) + offset;
      for (std::int64_t j = 0; j < count; ++j) out[j] = FromBFloat16(in[j]);
      return;
    }
    case Dtype::kFloat16: {
      const std::uint16_t* in = static_cast<const std::uint16_t*>(tensor) + offset;
      for (std::int64_t j = 0; j < count; ++j) out[j] = FromFloat16(in[j]);
      return;
    }
  }
}

void LoadScaled(Dtype dtype, const void* tensor, std::int64_t offset, std::int64_t count,
                const double* factor, double* out) {
  Load(dtype, tensor, offset, count, out);
  if (factor == nullptr) return;
  for (std::int64_t j = 0; j < count; ++j) out[j] *= factor[j];
}

}  // namespace pike
