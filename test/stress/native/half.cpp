// Every bfloat16 and every float16, by native/core/half.h, against what their bits mean.
#include "core/half.h"

#include <cmath>
#include <cstdint>
#include <cstdio>

namespace {

/// sign, `exponent_bits` of exponent, the rest mantissa, in arithmetic that is exact in doubles.
double Meaning(std::uint16_t bits, int exponent_bits) {
  const int mantissa_bits = 15 - exponent_bits;
  const int exponent = (bits & 0x7fff) >> mantissa_bits;
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const int most = (1 << exponent_bits) - 1;
  const int bias = most / 2;
  double magnitude;
  if (exponent == most) {
    magnitude = mantissa == 0 ? HUGE_VAL : std::nan("");
  } else if (exponent == 0) {
    magnitude = std::ldexp(mantissa, 1 - bias - mantissa_bits);
  } else {
    magnitude = std::ldexp((1 << mantissa_bits) + mantissa, exponent - bias - mantissa_bits);
  }
  return bits & 0x8000 ? -magnitude : magnitude;
}

bool AreSame(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b && std::signbit(a) == std::signbit(b);
}

}  // namespace

int main() {
  int wrong = 0;
  for (std::uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    if (!AreSame(pike::FromBFloat16(half), Meaning(half, 8)) ||
        !AreSame(pike::FromFloat16(half), Meaning(half, 5))) {
      std::printf("0x%04x: bfloat16 %g, float16 %g\n", bits, double{pike::FromBFloat16(half)},
                  double{pike::FromFloat16(half)});
      ++wrong;
    }
  }
  std::printf("%d of 65536 bit patterns are wrong\n", wrong);
  return wrong == 0 ? 0 : 1;
}
