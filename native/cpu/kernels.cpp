#include "cpu/kernels.h"

#include "cpu/kernel_tables.h"

namespace pike {
namespace {

const Kernels& KernelsOf(InstructionSet set) {
  switch (set) {
#if defined(PIKE_X86_64)
    case InstructionSet::kAvx512:
      return kAvx512Kernels;
    case InstructionSet::kAvx2:
      return kAvx2Kernels;
#elif defined(PIKE_ARM64)
    case InstructionSet::kNeon:
      return kNeonKernels;
#endif
    default:
      return kPortableKernels;
  }
}

}  // namespace

const Kernels& CurrentKernels() {
  static const Kernels& kernels = KernelsOf(CurrentInstructionSet().set);
  return kernels;
}

}  // namespace pike
