#include "cpu/instruction_set.h"

#include <algorithm>
#include <cstdlib>

#include "cpu/platform.h"

#if defined(PIKE_X86_64) && defined(__GNUC__)
#include <cpuid.h>
#elif defined(PIKE_X86_64)
#include <intrin.h>
#endif

namespace pike {
namespace {

#if defined(PIKE_X86_64) && defined(__GNUC__)

/// Clang 14 knows no such name for __builtin_cpu_supports.
bool HasF16c() {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

// These ask the system, too, whether it saves the registers.
bool HasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && HasF16c(); }
bool HasAvx512() {
  return HasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

#elif defined(PIKE_X86_64)

bool SystemSaves(unsigned long long registers) {
  int info[4];
  __cpuid(info, 1);
  constexpr int kOsxsave = 1 << 27;
  return (info[2] & kOsxsave) != 0 && (_xgetbv(0) & registers) == registers;
}
bool HasAvx2() {
  constexpr int kFma = 1 << 12, kF16c = 1 << 29, kAvx2 = 1 << 5;
  int info[4];
  __cpuid(info, 0);
  if (info[0] < 7) return false;
  __cpuid(info, 1);
  if ((info[2] & kFma) == 0 || (info[2] & kF16c) == 0) return false;
  __cpuidex(info, 7, 0);
  return (info[1] & kAvx2) != 0 && SystemSaves(0x6);
}
bool HasAvx512() {
  if (!HasAvx2()) return false;
  constexpr unsigned kF = 1u << 16, kDq = 1u << 17, kBw = 1u << 30, kVl = 1u << 31;
  int info[4];
  __cpuidex(info, 7, 0);
  constexpr unsigned kAll = kF | kDq | kBw | kVl;
  return (static_cast<unsigned>(info[1]) & kAll) == kAll && SystemSaves(0xe6);
}

#endif

std::vector<InstructionSet> FindUsable() {
  std::vector<InstructionSet> found;
#if defined(PIKE_X86_64)
  if (HasAvx512()) found.push_back(InstructionSet::kAvx512);
  if (HasAvx2()) found.push_back(InstructionSet::kAvx2);
#elif defined(PIKE_ARM64)
  found.push_back(InstructionSet::kNeon);
#endif
  found.push_back(InstructionSet::kPortable);
  return found;
}

InstructionSetInUse Choose() {
  const std::vector<InstructionSet>& usable = UsableInstructionSets();
  const char* const wanted = std::getenv("PIKE_MIXER_INSTRUCTION_SET");
  if (wanted == nullptr || *wanted == '\0') return {usable.front(), ""};
  const auto is_wanted = [&](InstructionSet set) { return std::string(wanted) == NameOf(set); };
  const auto found = std::find_if(usable.begin(), usable.end(), is_wanted);
  if (found != usable.end()) return {*found, ""};
  std::string names;
  for (const InstructionSet set : usable) names += (names.empty() ? "" : ", ") + std::string(NameOf(set));
  return {usable.front(),
          std::string("PIKE_MIXER_INSTRUCTION_SET is '") + wanted + "', but this machine has " + names};
}

#if defined(PIKE_X86_64)
bool IsOfAmd() {
  unsigned info[4] = {};
#if defined(__GNUC__)
  if (__get_cpuid(0, &info[0], &info[1], &info[2], &info[3]) == 0) return false;
#else
  __cpuid(reinterpret_cast<int*>(info), 0);
#endif
  return info[1] == 0x68747541 && info[3] == 0x69746e65 && info[2] == 0x444d4163;  // "AuthenticAMD"
}
#else
bool IsOfAmd() { return false; }
#endif

}  // namespace

const char* NameOf(InstructionSet set) {
  switch (set) {
    case InstructionSet::kAvx512:
      return "avx512";
    case InstructionSet::kAvx2:
      return "avx2";
    case InstructionSet::kNeon:
      return "neon";
    case InstructionSet::kPortable:
      break;
  }
  return "portable";
}

const std::vector<InstructionSet>& UsableInstructionSets() {
  static const std::vector<InstructionSet> usable = FindUsable();
  return usable;
}

bool FetchesLinesInPairs() {
  static const bool in_pairs = IsOfAmd();
  return in_pairs;
}

const InstructionSetInUse& CurrentInstructionSet() {
  static const InstructionSetInUse current = Choose();
  return current;
}

}  // namespace pike
