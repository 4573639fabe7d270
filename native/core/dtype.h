// Element types of gradients. The numbers are part of the interface to TypeScript
// (lib/backends/native-call.ts).
#pragma once

#include <cstdint>

namespace pike {

enum class Dtype : std::uint8_t { kFloat32 = 0, kFloat64 = 1, kBFloat16 = 2, kFloat16 = 3 };

inline constexpr int kDtypes = 4;

constexpr std::int64_t SizeOf(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat32:
      return 4;
    case Dtype::kFloat64:
      return 8;
    case Dtype::kBFloat16:
    case Dtype::kFloat16:
      return 2;
  }
  return 0;
}

}  // namespace pike
