// Blocks: short runs of elements of any dtype, as doubles in cache. For the cases that are rare; the others
// read rows where they are (kernels.h).
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace pike {

/// out_j = the elements offset … offset + count − 1 of a tensor, as doubles.
void Load(Dtype dtype, const void* tensor, std::int64_t offset, std::int64_t count, double* out);

/// As Load, times factor_j (a null factor stands for ones), and zeros up to the padding of kernels.h.
void LoadScaled(Dtype dtype, const void* tensor, std::int64_t offset, std::int64_t count,
                const double* factor, double* out);

}  // namespace pike
