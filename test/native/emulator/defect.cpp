#include "emulator/defect.h"

#include <cstdio>

namespace emulator {

const char* KindName(Kind kind) {
  switch (kind) {
    case Kind::kSharedOutOfBounds:
      return "shared out of bounds";
    case Kind::kSharedMisaligned:
      return "shared misaligned";
    case Kind::kSharedUninitialised:
      return "shared uninitialised";
    case Kind::kSharedRace:
      return "shared race";
    case Kind::kGlobalOutOfBounds:
      return "global out of bounds";
    case Kind::kGlobalMisaligned:
      return "global misaligned";
    case Kind::kGlobalReadOnly:
      return "write to read-only";
    case Kind::kGlobalRace:
      return "global race";
    case Kind::kUnpublishedStore:
      return "unpublished store";
    case Kind::kReadWithoutAcquire:
      return "read without acquire";
    case Kind::kDivergentBarrier:
      return "divergent barrier";
    case Kind::kBarrierAfterReturn:
      return "barrier after return";
    case Kind::kDivergentCollective:
      return "divergent collective";
    case Kind::kRunaway:
      return "runaway";
    case Kind::kKernelThrew:
      return "kernel threw";
  }
  return "unknown";
}

std::string Format(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

}  // namespace emulator
