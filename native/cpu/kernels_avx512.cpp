#include "core/half.h"
#include "cpu/kernel_tables.h"
#include "cpu/range.h"

#if defined(PIKE_X86_64)

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"  // in GCC 12's own header, where it is meant
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <cfloat>
#include <cstring>
#include <type_traits>

PIKE_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
#include "cpu/kernels_of.h"
#include "cpu/vectors_avx512.h"

namespace pike {

constinit const Kernels kAvx512Kernels = KernelsOf<avx512::Floats, avx512::Doubles>(InstructionSet::kAvx512);

}  // namespace pike
PIKE_END_TARGET

#endif
