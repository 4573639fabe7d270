// Which vector instructions the kernels use: the widest that the processor has, unless somebody wants others.
#pragma once

#include <string>
#include <vector>

namespace pike {

enum class InstructionSet { kPortable, kNeon, kAvx2, kAvx512 };

/// As in `PIKE_MIXER_INSTRUCTION_SET`.
const char* NameOf(InstructionSet set);

/// Those of this build that this processor and system can use, the best first. Never empty.
const std::vector<InstructionSet>& UsableInstructionSets();

/// The one in use by this process from the first time this is asked: the best, or the one that the
/// environment variable PIKE_MIXER_INSTRUCTION_SET names, so that machines of different kinds can compute the
/// same bits. If that cannot be had, the best and a word on why.
struct InstructionSetInUse {
  InstructionSet set;
  std::string complaint;  ///< Empty if there is none.
};
const InstructionSetInUse& CurrentInstructionSet();

}  // namespace pike
