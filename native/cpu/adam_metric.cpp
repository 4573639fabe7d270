#include "cpu/adam_metric.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace pike {

void WriteAdamMetric(const float* second, std::int64_t count, float root_correction, float epsilon,
                     float* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float v = second[i];
    const float d = 1.0f / (std::sqrt(v) * root_correction + epsilon);
    // Not `v > 0 ? d : 0`: compilers would skip the division by a branch, and make no vector instructions.
    const std::uint32_t wanted = v > 0 ? ~0u : 0u;
    out[i] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(d) & wanted);
  }
}

}  // namespace pike
