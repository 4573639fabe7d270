// The diagonal D = 1/(√v̂ + ε) of Adam's metric, v̂ = v·c the corrected second moments.
#pragma once

#include <cstdint>

namespace pike {

/// out ← 1/(√v · root_correction + epsilon); 0 where v is not above 0. `out` may be `second` itself. Within 4
/// units in the last place: the root is multiplied, not the moment, so nothing overflows that D itself does
/// not.
void WriteAdamMetric(const float* second, std::int64_t count, float root_correction, float epsilon,
                     float* out);

}  // namespace pike
