// 16-bit floats to float, exactly: every bfloat16 and every float16 is a float.
#pragma once

#include <bit>
#include <cstdint>

namespace pike {

/// bfloat16 is the upper half of a float.
inline float FromBFloat16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

/// float16 without branches, so that loops over it vectorise, and without arithmetic on subnormal floats,
/// which is slow and which small gradients would meet all the time. (The method of Marat Dukhan's FP16
/// library.)
inline float FromFloat16(std::uint16_t bits) {
  const std::uint32_t word = std::uint32_t{bits} << 16;
  const std::uint32_t sign = word & 0x80000000u;
  const std::uint32_t magnitude = word << 1;  // exponent in bits 27–31, mantissa below, sign gone

  // Normal numbers, infinities, NaNs: move the exponent up so that 31 becomes 255, then scale to the true
  // value.
  const float normal = std::bit_cast<float>((magnitude >> 4) + (0xe0u << 23)) * 0x1.0p-112f;
  // Zeros and subnormals: put the mantissa behind that of 0.5 and take 0.5 away.
  const float subnormal = std::bit_cast<float>((magnitude >> 17) | 0x3f000000u) - 0.5f;

  const std::uint32_t is_subnormal = magnitude < (1u << 27) ? ~0u : 0u;
  return std::bit_cast<float>(sign | (std::bit_cast<std::uint32_t>(subnormal) & is_subnormal) |
                              (std::bit_cast<std::uint32_t>(normal) & ~is_subnormal));
}

}  // namespace pike
