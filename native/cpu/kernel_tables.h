// The tables of all instruction sets of this build.
#pragma once

#include "cpu/kernels.h"
#include "cpu/platform.h"

namespace pike {

extern const Kernels kPortableKernels;
#if defined(PIKE_X86_64)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#elif defined(PIKE_ARM64)
extern const Kernels kNeonKernels;
#endif

}  // namespace pike
