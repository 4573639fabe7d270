#include "cpu/blocks.h"

#include <algorithm>

#include "core/half.h"
#include "cpu/kernels.h"

namespace pike {

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
  std::fill_n(out + count, Padded(count) - count, 0.0);
  if (factor == nullptr) return;
  for (std::int64_t j = 0; j < count; ++j) out[j] *= factor[j];
}

}  // namespace pike
