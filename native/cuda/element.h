// Gradient elements as they lie in memory, sixteen bytes at a time, and as the floats that they stand for.
#pragma once

#include <cfloat>
#include <cstdint>

#include "core/dtype.h"
#include "cuda/arguments.h"
#include "cuda/platform.h"

namespace pike::cuda {

/// What a thread owns of a row in one step: sixteen bytes, not yet decoded.
struct Packed {
  std::uint32_t word[4];
};

template <Dtype dtype>
struct Element;

template <>
struct Element<Dtype::kFloat32> {
  using Type = float;
  static constexpr int kColumns = 4;  ///< Elements in sixteen bytes.

  __device__ __forceinline__ static float Decode(const Packed& packed, int column) {
    return __uint_as_float(packed.word[column]);
  }
  __device__ __forceinline__ static void Insert(Packed& packed, int column, float element) {
    packed.word[column] = __float_as_uint(element);
  }
};

/// Both 16-bit types lie two to a word, the first in the lower half.
struct HalfWords {
  using Type = std::uint16_t;
  static constexpr int kColumns = 8;

  __device__ __forceinline__ static void Insert(Packed& packed, int column, std::uint16_t element) {
    packed.word[column / 2] |= static_cast<std::uint32_t>(element) << (16 * (column % 2));
  }
};

template <>
struct Element<Dtype::kBFloat16> : HalfWords {
  __device__ __forceinline__ static float Decode(const Packed& packed, int column) {
    const std::uint32_t word = packed.word[column / 2];
    return __uint_as_float(column % 2 ? word & 0xffff0000u : word << 16);
  }
};

template <>
struct Element<Dtype::kFloat16> : HalfWords {
  __device__ __forceinline__ static float Decode(const Packed& packed, int column) {
    return HalfToFloat(static_cast<std::uint16_t>(packed.word[column / 2] >> (16 * (column % 2))));
  }
};

__device__ __forceinline__ bool IsAligned(const void* address) {
  return (reinterpret_cast<std::uintptr_t>(address) & 15) == 0;
}

/// Elements `column` … of a row that has `count`, zeros beyond its end. Sixteen bytes at once where they are
/// there and aligned, else one by one: the same thread gets the same elements, so alignment changes no bit.
template <Dtype dtype>
__device__ __forceinline__ Packed LoadPacked(const typename Element<dtype>::Type* row, int column, int count,
                                             bool aligned) {
  if (aligned && column + Element<dtype>::kColumns <= count) {
    const uint4 words = LoadStream(row + column);
    return {{words.x, words.y, words.z, words.w}};
  }
  Packed packed = {{0, 0, 0, 0}};
#pragma unroll
  for (int c = 0; c < Element<dtype>::kColumns; ++c) {
    if (column + c < count) Element<dtype>::Insert(packed, c, LoadElement(row + column + c));
  }
  return packed;
}

/// One element of any dtype that a GPU takes.
__device__ __forceinline__ float LoadAny(Dtype dtype, const void* tensor, std::int64_t offset) {
  if (dtype == Dtype::kFloat32) return LoadElement(static_cast<const float*>(tensor) + offset);
  const std::uint16_t bits = LoadElement(static_cast<const std::uint16_t*>(tensor) + offset);
  if (dtype == Dtype::kBFloat16) return __uint_as_float(static_cast<std::uint32_t>(bits) << 16);
  return HalfToFloat(bits);
}

/// √D of `kColumns` elements from `column` on, ones where there is no preconditioner: scaled by it, a plain
/// product is the product in the metric. An element that is negative or not finite has its place noted,
/// unless CheckMetric has `checked` already.
template <bool checked, int kColumns>
__device__ __forceinline__ void LoadRoots(const Metric& metric, const Chunk* chunk_address, int column,
                                          float (&roots)[kColumns]) {
#pragma unroll
  for (int c = 0; c < kColumns; ++c) roots[c] = 1.0f;
  if (metric.tensors == nullptr) return;
  const Chunk& chunk = *chunk_address;  // read here, so that nothing is held in registers without a metric
  const void* const tensor = metric.tensors[chunk.tensor];
  const Dtype dtype = metric.dtypes[chunk.tensor];
  const auto* const floats = static_cast<const float*>(tensor) + chunk.offset + column;
  const bool whole = dtype == Dtype::kFloat32 && column + kColumns <= chunk.count && IsAligned(floats);
  bool valid = true;
#pragma unroll
  for (int c = 0; c < kColumns; c += 4) {
    float four[4];
    if (whole) {
      const uint4 words = LoadStream(floats + c);
      four[0] = __uint_as_float(words.x);
      four[1] = __uint_as_float(words.y);
      four[2] = __uint_as_float(words.z);
      four[3] = __uint_as_float(words.w);
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const bool inside = column + c + i < chunk.count;
        four[i] = inside ? LoadAny(dtype, tensor, chunk.offset + column + c + i) : 1.0f;
      }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      valid = valid && four[i] >= 0.0f && four[i] <= FLT_MAX;
      roots[c + i] = __fsqrt_rn(four[i]);
    }
  }
  if (!checked && !valid) {
    for (int c = 0; c < kColumns; ++c) {
      // A root tells: that of a negative or undefined element is NaN, that of an infinite one infinite.
      if (roots[c] >= 0.0f && roots[c] <= FLT_MAX) continue;
      metric.first_invalid.AtomicMin(0, static_cast<unsigned long long>(chunk.column + column + c));
      break;
    }
  }
}

}  // namespace pike::cuda
