// The table of kernels of an instruction set, made of its vectors of floats and of doubles. Included where
// their instructions are allowed.
#pragma once

#include <cstdint>

#include "core/half.h"
#include "cpu/kernels.h"
#include "cpu/product_kernels.h"
#include "cpu/row_kernels.h"
#include "cpu/vector_kernels.h"

namespace pike {

template <typename V>
constexpr Arithmetic<typename V::Element> ArithmeticOf() {
  constexpr std::int64_t kMostColumns = 2048;
  constexpr std::int64_t kColumns = kLongestChain * V::kWidth;
  return {.most_rows = V::kMostRows,
          .most_columns = kColumns < kMostColumns ? kColumns : kMostColumns,
          .norm = SquaredNorm<V>,
          .products = Products<V>};
}

template <typename Floats, typename Doubles, typename Source>
constexpr FloatSource SourceOf() {
  FloatSource source = {.in_place = true,
                        .rows = {},
                        .begin_mean = MoveMean<Floats, Doubles, Source, true>,
                        .move_mean = MoveMean<Floats, Doubles, Source, false>,
                        .scale = ScaleVector<Floats, Source>,
                        .roots = RootsOf<Floats, Source>};
  FillRowKernels<Floats, Source, false>(source.rows[0]);
  FillRowKernels<Floats, Source, true>(source.rows[1]);
  return source;
}

/// Of 16-bit floats, by loops over whole blocks.
template <float (*kFrom)(std::uint16_t)>
void ScaleHalf(const void* x, const float* factor, const void*, std::int64_t count, float* out) {
  const auto* const from = static_cast<const std::uint16_t*>(x);
  for (std::int64_t j = 0; j < count; ++j) out[j] = kFrom(from[j]);
  for (std::int64_t j = count; j < Padded(count); ++j) out[j] = 0;
  if (factor == nullptr) return;
  for (std::int64_t j = 0; j < count; ++j) out[j] *= factor[j];
}

template <typename Floats, float (*kFrom)(std::uint16_t)>
bool RootsOfHalf(const void* x, std::int64_t count, float* out) {
  constexpr std::int64_t kBlock = 256;
  float block[kBlock];
  bool valid = true;
  for (std::int64_t at = 0; at < count; at += kBlock) {
    const std::int64_t rest = count - at < kBlock ? count - at : kBlock;
    ScaleHalf<kFrom>(static_cast<const std::uint16_t*>(x) + at, nullptr, nullptr, rest, block);
    valid &= RootsOf<Floats, Plain<Floats>>(block, rest, out == nullptr ? nullptr : out + at);
  }
  return valid;
}

template <typename Floats, float (*kFrom)(std::uint16_t)>
constexpr FloatSource HalfSourceOf() {
  return {.in_place = false,
          .rows = {},
          .begin_mean = nullptr,
          .move_mean = nullptr,
          .scale = ScaleHalf<kFrom>,
          .roots = RootsOfHalf<Floats, kFrom>};
}

template <typename Floats, typename Doubles>
constexpr Kernels KernelsOf(InstructionSet instruction_set) {
  static_assert(Floats::kTile == Doubles::kTile);
  Kernels kernels = {.instruction_set = instruction_set,
                     .tile = Floats::kTile,
                     .floats = ArithmeticOf<Floats>(),
                     .doubles = ArithmeticOf<Doubles>(),
                     .float32 = SourceOf<Floats, Doubles, Plain<Floats>>(),
                     .bfloat16 = {},
                     .float16 = {},
                     .float64 = {},
                     .begin_mean = MoveMean<Doubles, Doubles, Plain<Doubles>, true>,
                     .move_mean = MoveMean<Doubles, Doubles, Plain<Doubles>, false>};
  if constexpr (Floats::kReadsHalf) {
    kernels.bfloat16 = SourceOf<Floats, Doubles, BFloat16<Floats>>();
    kernels.float16 = SourceOf<Floats, Doubles, Float16<Floats>>();
  } else {
    kernels.bfloat16 = HalfSourceOf<Floats, FromBFloat16>();
    kernels.float16 = HalfSourceOf<Floats, FromFloat16>();
  }
  FillRowKernels<Doubles, Plain<Doubles>, false>(kernels.float64[0]);
  FillRowKernels<Doubles, Plain<Doubles>, true>(kernels.float64[1]);
  return kernels;
}

}  // namespace pike
