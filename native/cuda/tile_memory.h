// The shared memory of a block that works on tiles (tiled_moments.h), and how its arrays are read.
#pragma once

#include "cuda/arguments.h"
#include "cuda/element.h"
#include "cuda/platform.h"

namespace pike::cuda {

/// The arrays of one block in shared memory.
struct TileMemory {
  Shared<double> sums;
  Shared<float> means;
  Shared<float> tile;  ///< Packed bits, not floats.
  Shared<float> roots;
  Shared<float> shares;
  Shared<int> tasks;   ///< Of every row.
  Shared<int> firsts;  ///< First row of every task, and the end.
  Shared<unsigned> flags;

  __device__ __forceinline__ explicit TileMemory(const TileShape& shape)
      : sums(SharedAt<double>(shape.sums_at())),
        means(SharedAt<float>(shape.means_at())),
        tile(SharedAt<float>(shape.tile_at())),
        roots(SharedAt<float>(shape.roots_at())),
        shares(SharedAt<float>(shape.shares_at())),
        tasks(SharedAt<int>(shape.tasks_at())),
        firsts(SharedAt<int>(shape.firsts_at())),
        flags(SharedAt<unsigned>(shape.flags_at())) {}
};

/// Fills the tables of rows and tasks, and the means of tasks that only fill up a sub-block.
__device__ __forceinline__ void PrepareTiles(const MomentsArguments& a, const Set& set,
                                             const TileShape& shape, const TileMemory& memory) {
  for (int t = threadIdx.x; t < shape.tasks; t += kThreads) {
    int first = t;
    int count = 1;
    if (!shape.given_means) {
      const TaskRows task = a.task_rows[set.first_task + t];
      first = task.first - set.first_row;
      count = task.count;
    }
    memory.firsts[t] = first;
    for (int r = first; r < first + count; ++r) {
      memory.tasks[r] = t;
      memory.shares[r] = shape.given_means ? 1.0f : a.shares[set.first_row + r];
    }
    if (t == shape.tasks - 1) memory.firsts[shape.tasks] = first + count;
  }
  const int end = shape.mean_rows() * shape.stride;
  for (int i = shape.tasks * shape.stride + threadIdx.x; i < end; i += kThreads) memory.means[i] = 0.0f;
}

__device__ __forceinline__ Packed LoadPiece(const TileMemory& memory, int place) {
  const float4 bits = LoadShared4(memory.tile, place * 4);
  return {
      {__float_as_uint(bits.x), __float_as_uint(bits.y), __float_as_uint(bits.z), __float_as_uint(bits.w)}};
}

/// Columns of one lane, as means and roots lie: four of every lane, then the next four of every lane, so that
/// lanes meet in no bank. Products do not mind the order of columns.
template <int kColumns>
__device__ __forceinline__ void LoadColumns(const Shared<float>& array, int index, int lanes,
                                            float (&out)[kColumns]) {
#pragma unroll
  for (int c = 0; c < kColumns; c += 4) {
    const float4 four = LoadShared4(array, index + c * lanes);
    out[c] = four.x;
    out[c + 1] = four.y;
    out[c + 2] = four.z;
    out[c + 3] = four.w;
  }
}

}  // namespace pike::cuda
