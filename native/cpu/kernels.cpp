#include "cpu/kernels.h"

#include <cstddef>
#include <cstring>

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

void CopyColumns(const void* const* rows, int count, std::int64_t offset, std::int64_t bytes,
                 std::int64_t stride, void* out) {
  char* to = static_cast<char*>(out);
  for (int i = 0; i < count; ++i, to += stride) {
    std::memcpy(to, static_cast<const char*>(rows[i]) + offset, static_cast<std::size_t>(bytes));
    std::memset(to + bytes, 0, static_cast<std::size_t>(stride - bytes));
  }
}

const Kernels& CurrentKernels() {
  static const Kernels& kernels = KernelsOf(CurrentInstructionSet().set);
  return kernels;
}

}  // namespace pike
