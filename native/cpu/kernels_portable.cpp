#include "cpu/kernel_tables.h"
#include "cpu/kernels_of.h"
#include "cpu/range.h"
#include "cpu/vectors_portable.h"

namespace pike {

constinit const Kernels kPortableKernels =
    KernelsOf<portable::Floats, portable::Doubles>(InstructionSet::kPortable);

}  // namespace pike
