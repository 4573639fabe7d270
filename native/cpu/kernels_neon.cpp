#include "core/half.h"
#include "cpu/kernel_tables.h"
#include "cpu/range.h"

#if defined(PIKE_ARM64)

#include "cpu/kernels_of.h"
#include "cpu/vectors_neon.h"

namespace pike {

constinit const Kernels kNeonKernels = KernelsOf<neon::Floats, neon::Doubles>(InstructionSet::kNeon);

}  // namespace pike

#endif
