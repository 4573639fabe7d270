// Products of every pair of means that a tile holds in shared memory, in sub-blocks of 4 × 4 pairs. A thread
// keeps the sums of one sub-block, over its slice of the columns, in registers. (The place for tensor cores.)
#pragma once

#include "cuda/platform.h"
#include "cuda/tables.h"
#include "cuda/tile_memory.h"

namespace pike::cuda {

/// The sub-block of products that a thread works on, and its sums.
struct ProductSums {
  int i;      ///< First task of one side.
  int j;      ///< First task of the other.
  int slice;  ///< Or −1 for a thread that has none.
  float sum[kEdge * kEdge];
};

/// Which sub-block is this thread's.
__device__ __forceinline__ ProductSums AssignProducts(const Set& set, const TileShape& shape) {
  ProductSums products;
  const int sub_block = static_cast<int>(threadIdx.x) / shape.slices;
  products.slice = sub_block < shape.sub_blocks ? static_cast<int>(threadIdx.x) % shape.slices : -1;
  products.i = 0;
  products.j = 0;
  if (set.rectangle > 0) {
    products.i = sub_block / shape.edges * kEdge;
    products.j = set.rectangle + sub_block % shape.edges * kEdge;
  } else {
    // Row by row of the lower triangle: (0,0), (1,0), (1,1), (2,0) …
    int row = 0;
    int left = sub_block;
    while (left > row) left -= ++row;
    products.i = row * kEdge;
    products.j = left * kEdge;
  }
#pragma unroll
  for (int e = 0; e < kEdge * kEdge; ++e) products.sum[e] = 0.0f;
  return products;
}

__device__ __forceinline__ void AddProducts(const TileShape& shape, const TileMemory& memory,
                                            ProductSums& products) {
  if (products.slice < 0) return;
  const int step = 4 * shape.slices;  // `columns` is a whole number of steps, and a power of two
  // Neighbouring sub-blocks read means kEdge rows apart, which is half the banks: in the same columns, those
  // of a few slices would meet in the same banks. So every second one begins a step later, and they go round.
  const int begin = 4 * products.slice + 2 * (static_cast<int>(threadIdx.x) & -2 * shape.slices);
  for (int done = 0; done < shape.columns; done += step) {
    const int column = (begin + done) & (shape.columns - 1);
    float4 a[kEdge];
#pragma unroll
    for (int e = 0; e < kEdge; ++e) {
      a[e] = LoadShared4(memory.means, (products.i + e) * shape.stride + column);
    }
#pragma unroll
    for (int f = 0; f < kEdge; ++f) {
      const float4 b = LoadShared4(memory.means, (products.j + f) * shape.stride + column);
#pragma unroll
      for (int e = 0; e < kEdge; ++e) {
        float sum = products.sum[e * kEdge + f];
        sum = __fmaf_rn(a[e].x, b.x, sum);
        sum = __fmaf_rn(a[e].y, b.y, sum);
        sum = __fmaf_rn(a[e].z, b.z, sum);
        products.sum[e * kEdge + f] = __fmaf_rn(a[e].w, b.w, sum);
      }
    }
  }
}

/// The products in fp64: over the slices, then to what earlier tiles gave.
__device__ __forceinline__ void FlushProducts(const TileShape& shape, const TileMemory& memory,
                                              ProductSums& products) {
  const int sub_block = static_cast<int>(threadIdx.x) / shape.slices;
#pragma unroll
  for (int e = 0; e < kEdge * kEdge; ++e) {
    double sum = static_cast<double>(products.sum[e]);
    for (int offset = shape.slices / 2; offset > 0; offset /= 2) {
      sum = __dadd_rn(sum, __shfl_xor_sync(kAllLanes, sum, offset));
    }
    products.sum[e] = 0.0f;
    if (products.slice != 0) continue;
    const int slot = shape.product_slot() + sub_block * kEdge * kEdge + e;
    const double before = memory.sums[slot];
    memory.sums[slot] = __dadd_rn(before, sum);
  }
}

}  // namespace pike::cuda
