// What the emulator reports: a kind that tests compare and a message that people read.
#pragma once

#include <cstdarg>
#include <stdexcept>
#include <string>

namespace emulator {

enum class Kind {
  kSharedOutOfBounds,
  kSharedMisaligned,
  kSharedUninitialised,
  kSharedRace,
  kGlobalOutOfBounds,
  kGlobalMisaligned,
  kGlobalReadOnly,
  kGlobalRace,
  kUnpublishedStore,
  kReadWithoutAcquire,
  kDivergentBarrier,
  kBarrierAfterReturn,
  kDivergentCollective,
  kRunaway,
  kKernelThrew,
};

/// The words by which tests in TypeScript know a kind.
const char* KindName(Kind kind);

/// A launch found its kernel at fault. Thrown by Launch() once all threads of the launch are gone.
class Defect : public std::runtime_error {
 public:
  Defect(Kind kind, const std::string& message)
      : std::runtime_error(std::string(KindName(kind)) + ": " + message), kind(kind) {}

  const Kind kind;
};

/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string Format(const char* format, ...);

}  // namespace emulator
