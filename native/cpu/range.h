// Where sums of floats hold what sums of doubles would.
#pragma once

#include <cfloat>
#include <cstdint>
#include <cstring>

namespace pike {

/// Whether a sum of squares of floats, over at most a few thousand of them, is as good as one of doubles:
/// none has overflowed, and if some have vanished they are nothing beside the others. Zero needs a second
/// look.
inline bool IsInFloatRange(double sum_of_squares) {
  return sum_of_squares >= 0x1p-100 && sum_of_squares <= DBL_MAX;
}

/// Bits of −0 do not count as zero: then something is computed twice, and that is all.
inline bool IsZero(const void* memory, std::int64_t bytes) {
  const char* const from = static_cast<const char*>(memory);
  std::uint64_t bits = 0;
  std::int64_t at = 0;
  for (; at + 8 <= bytes; at += 8) {
    std::uint64_t word;
    std::memcpy(&word, from + at, 8);
    bits |= word;
  }
  for (; at < bytes; ++at) bits |= static_cast<unsigned char>(from[at]);
  return bits == 0;
}

}  // namespace pike
