#include "core/half.h"
#include "cpu/kernel_tables.h"
#include "cpu/range.h"

#if defined(PIKE_X86_64)

#include <immintrin.h>

#include <cfloat>
#include <cstring>
#include <type_traits>

PIKE_BEGIN_TARGET("avx2,fma,f16c")
#include "cpu/kernels_of.h"
#include "cpu/vectors_avx2.h"

namespace pike {

constinit const Kernels kAvx2Kernels = KernelsOf<avx2::Floats, avx2::Doubles>(InstructionSet::kAvx2);

}  // namespace pike
PIKE_END_TARGET

#endif
