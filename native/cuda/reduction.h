// Sums over the lanes of a warp of many quantities at once. A butterfly per quantity costs five shuffles;
// here every exchange halves the number of quantities that a lane is left with, so N of them cost about N
// shuffles.
#pragma once

#include "cuda/platform.h"
#include "math/platform.h"

namespace pike::cuda {

/// Terms that an fp32 sum may have in one thread, before it is added up over lanes and goes to fp64.
inline constexpr int kLongestChain = 128;

/// How many of `count` quantities each lane is left with.
PIKE_HD constexpr int QuantitiesPerLane(int count) {
  for (int level = 0; level < 5; ++level) count = (count + 1) / 2;
  return count;
}

/// Which of `count` quantities lane `lane` holds as its number `index` after SumOverLanes, or −1.
__device__ __forceinline__ int QuantityOf(int count, int lane, int index) {
  int sizes[5];
  for (int level = 0; level < 5; ++level) {
    sizes[level] = count;
    count = (count + 1) / 2;
  }
  for (int level = 4; level >= 0; --level) {
    if (lane & (16 >> level)) index += (sizes[level] + 1) / 2;
    if (index >= sizes[level]) return -1;
  }
  return index;
}

/// quantities[i] of all lanes are added up in a fixed order; what becomes of them, QuantityOf says.
template <int kCount, int kOffset = 16>
__device__ __forceinline__ void SumOverLanes(float* quantities, int lane) {
  constexpr int kHalf = (kCount + 1) / 2;
  const bool upper = lane & kOffset;
#pragma unroll
  for (int i = 0; i < kHalf; ++i) {
    const float low = quantities[i];
    const float high = i + kHalf < kCount ? quantities[i + kHalf] : 0.0f;
    const float received = __shfl_xor_sync(kAllLanes, upper ? low : high, kOffset);
    quantities[i] = __fadd_rn(upper ? high : low, received);
  }
  if constexpr (kOffset > 1) SumOverLanes<kHalf, kOffset / 2>(quantities, lane);
}

}  // namespace pike::cuda
