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

/// Whether to ask for one line of every two of rows to come, and leave all others to the processor.
/// Processors of AMD bring both; and whoever asks them for every line, or for lines that they are bringing
/// anyway, only keeps them from it (measured on Zen 4: 74 % of the speed of memory for 16 rows, and 88 % so).
/// A Xeon read few rows slower so (2 rows: 74 % instead of 84). Bits do not depend on it.
bool FetchesLinesInPairs();

}  // namespace pike
