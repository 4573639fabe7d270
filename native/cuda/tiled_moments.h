// Statistics of up to 128 rows of up to 64 tasks: the rows of a tile of columns meet in shared memory, where
// the tasks' means are formed, which every thread then needs. One pass over memory.
//
// A tile is `lanes` times sixteen bytes wide: the more rows, the narrower, so that it takes 16 KiB at most.
// Every thread loads up to four pieces of it into registers and puts them into shared memory; while means and
// deviations are taken from there, the loads of the next tile are under way. Products of means are taken in
// sub-blocks of 4 × 4 pairs, also from shared memory. That is the place for tensor cores, and the way into
// shared memory the one for bulk copies, once both can be measured.
//
// The same kernel forms the products of any number of given vectors (welford.h): rows that are means already,
// in sets of two panels of 64.
//
// Precision: as in register_moments.h.
#pragma once

#include "cuda/arguments.h"
#include "cuda/element.h"
#include "cuda/finish.h"
#include "cuda/platform.h"
#include "cuda/reduction.h"
#include "cuda/tail.h"
#include "cuda/tile_loader.h"
#include "cuda/tile_memory.h"
#include "cuda/tile_products.h"

namespace pike::cuda {

/// fp32 sums of a thread: for its piece p of rows, and for its piece p of tasks.
struct TileSums {
  float deviation[kPieces];
  float alignment[kPieces];
  float norm[kPieces];
};

/// This thread's pieces into shared memory.
__device__ __forceinline__ void ShareTile(const TilePieces& pieces, const TileShape& shape,
                                          const TileMemory& memory) {
  const int thread = threadIdx.x;
#pragma unroll
  for (int p = 0; p < kPieces; ++p) {
    const int place = p * kThreads + thread;
    if (place >= shape.rows * shape.lanes) continue;
    const Packed& packed = pieces.packed[p];
    const float4 bits = {__uint_as_float(packed.word[0]), __uint_as_float(packed.word[1]),
                         __uint_as_float(packed.word[2]), __uint_as_float(packed.word[3])};
    StoreShared4(memory.tile, place * 4, bits);
  }
}

/// Stores a mean, as LoadColumns reads it, and adds its square to `norm`.
template <int kColumns>
__device__ __forceinline__ void StoreMean(const float (&mean)[kColumns], int index, int lanes,
                                          const Shared<float>& means, float& norm) {
#pragma unroll
  for (int c = 0; c < kColumns; c += 4) {
    StoreShared4(means, index + c * lanes, {mean[c], mean[c + 1], mean[c + 2], mean[c + 3]});
  }
#pragma unroll
  for (int c = 0; c < kColumns; ++c) norm = __fmaf_rn(mean[c], mean[c], norm);
}

/// Means of all tasks, from the rows in shared memory.
template <Dtype dtype>
__device__ __forceinline__ void FormMeans(const TileShape& shape, const TileMemory& memory,
                                          const Shared<float>& all_roots, TileSums& sums) {
  constexpr int kColumns = Element<dtype>::kColumns;
  constexpr int kRun = 16;  // rows added up in one chain, so that many rows cost no precision
  const int thread = threadIdx.x;
  const int lane = thread % shape.lanes;
  float roots[kColumns];
  LoadColumns(all_roots, lane * 4, shape.lanes, roots);
#pragma unroll
  for (int p = 0; p < kPieces; ++p) {
    const int task = (p * kThreads + thread) / shape.lanes;
    if (task >= shape.tasks) continue;
    const int end = memory.firsts[task + 1];
    float mean[kColumns];
#pragma unroll
    for (int c = 0; c < kColumns; ++c) mean[c] = 0.0f;
    for (int begin = memory.firsts[task]; begin < end; begin += kRun) {
      const int run_end = begin + kRun < end ? begin + kRun : end;
      float run[kColumns];
#pragma unroll
      for (int c = 0; c < kColumns; ++c) run[c] = 0.0f;
      for (int row = begin; row < run_end; ++row) {
        const float share = memory.shares[row];
        const Packed packed = LoadPiece(memory, row * shape.lanes + lane);
#pragma unroll
        for (int c = 0; c < kColumns; ++c) {
          run[c] = __fmaf_rn(share, __fmul_rn(Element<dtype>::Decode(packed, c), roots[c]), run[c]);
        }
      }
#pragma unroll
      for (int c = 0; c < kColumns; ++c) mean[c] = __fadd_rn(mean[c], run[c]);
    }
    StoreMean(mean, task * shape.stride + lane * 4, shape.lanes, memory.means, sums.norm[p]);
  }
}

/// Rows that are means already.
template <Dtype dtype>
__device__ __forceinline__ void TakeMeans(const TilePieces& pieces, const TileShape& shape,
                                          const TileMemory& memory, TileSums& sums) {
  constexpr int kColumns = Element<dtype>::kColumns;
  const int thread = threadIdx.x;
#pragma unroll
  for (int p = 0; p < kPieces; ++p) {
    const int row = (p * kThreads + thread) / shape.lanes;
    if (row >= shape.rows) continue;
    float mean[kColumns];
#pragma unroll
    for (int c = 0; c < kColumns; ++c) mean[c] = Element<dtype>::Decode(pieces.packed[p], c);
    StoreMean(mean, row * shape.stride + thread % shape.lanes * 4, shape.lanes, memory.means, sums.norm[p]);
  }
}

/// What the rows of this thread's pieces add to their deviations and alignments. The pieces are read back
/// from shared memory, where no other thread writes them, and four columns at a time: registers are short
/// here.
template <Dtype dtype>
__device__ __forceinline__ void AddDeviations(const TileShape& shape, const TileMemory& memory,
                                              const Shared<float>& all_roots, TileSums& sums) {
  constexpr int kColumns = Element<dtype>::kColumns;
  const int thread = threadIdx.x;
  const int lane = thread % shape.lanes;
#pragma unroll
  for (int first = 0; first < kColumns; first += 4) {
    float roots[4];
    LoadColumns(all_roots, first * shape.lanes + lane * 4, shape.lanes, roots);
#pragma unroll
    for (int p = 0; p < kPieces; ++p) {
      const int row = (p * kThreads + thread) / shape.lanes;
      if (row >= shape.rows) continue;
      const Packed packed = LoadPiece(memory, p * kThreads + thread);
      float mean[4];
      LoadColumns(memory.means, memory.tasks[row] * shape.stride + first * shape.lanes + lane * 4,
                  shape.lanes, mean);
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const float x = __fmul_rn(Element<dtype>::Decode(packed, first + c), roots[c]);
        const float away = __fsub_rn(x, mean[c]);
        sums.deviation[p] = __fmaf_rn(away, away, sums.deviation[p]);
        sums.alignment[p] = __fmaf_rn(away, mean[c], sums.alignment[p]);
      }
    }
  }
}

/// Sums over the `lanes` threads of every row and task, then in fp64.
__device__ __forceinline__ void FlushTileSums(TileSums& sums, const TileShape& shape,
                                              const TileMemory& memory) {
  const int thread = threadIdx.x;
#pragma unroll
  for (int p = 0; p < kPieces; ++p) {
    float deviation = sums.deviation[p];
    float alignment = sums.alignment[p];
    float norm = sums.norm[p];
    for (int offset = shape.lanes / 2; offset > 0; offset /= 2) {
      deviation = __fadd_rn(deviation, __shfl_xor_sync(kAllLanes, deviation, offset));
      alignment = __fadd_rn(alignment, __shfl_xor_sync(kAllLanes, alignment, offset));
      norm = __fadd_rn(norm, __shfl_xor_sync(kAllLanes, norm, offset));
    }
    sums.deviation[p] = sums.alignment[p] = sums.norm[p] = 0.0f;
    if (thread % shape.lanes != 0) continue;
    const int row = (p * kThreads + thread) / shape.lanes;
    const auto add = [&memory](int slot, float sum) {
      const double before = memory.sums[slot];
      memory.sums[slot] = __dadd_rn(before, static_cast<double>(sum));
    };
    if (row < shape.rows) {
      add(shape.deviation_slot() + row, deviation);
      add(shape.alignment_slot() + row, alignment);
    }
    if (row < shape.tasks) add(shape.norm_slot() + row, norm);
  }
}

/// Blocks that a multiprocessor should hold at once, where that can be had without spilling registers.
inline constexpr int kTiledBlocks = kArchitecture == 90 ? 2 : 1;

template <Dtype dtype>
__global__ void __launch_bounds__(kThreads, kTiledBlocks) TiledMoments(MomentsArguments a) {
  constexpr int kColumns = Element<dtype>::kColumns;
  const int thread = threadIdx.x;
  const int set_index = blockIdx.x;
  const Set set = a.sets[set_index];
  const TileShape shape = a.shapes[set_index];
  const TileMemory memory(shape);
  PrepareTiles(a, set, shape, memory);

  for (int block = blockIdx.y; block < a.tail.virtual_blocks; block += gridDim.y) {
    for (int slot = thread; slot < shape.slots(); slot += kThreads) memory.sums[slot] = 0.0;
    TileSums sums;
#pragma unroll
    for (int p = 0; p < kPieces; ++p) sums.deviation[p] = sums.alignment[p] = sums.norm[p] = 0.0f;
    ProductSums products = AssignProducts(set, shape);
    const int terms_per_tile = shape.columns / shape.slices;

    const ChunkRange chunks = ChunksOf(a.columns, block);
    TileLoader<dtype> loader(chunks.begin, chunks.end);
    TilePieces pieces;
    bool more = loader.Load(a, set, shape, memory.roots, pieces);
    int terms = 0;
    int product_terms = 0;
    for (int parity = 0; more; parity ^= 1) {
      const Shared<float> roots = memory.roots + parity * shape.columns;
      const Shared<float> next_roots = memory.roots + (parity ^ 1) * shape.columns;
      if (!shape.given_means) {
        ShareTile(pieces, shape, memory);
        __syncthreads();  // the rows are there; nobody reads the means of the tile before any more
        more = loader.Load(a, set, shape, next_roots, pieces);
        FormMeans<dtype>(shape, memory, roots, sums);
        __syncthreads();  // the means are there; nobody reads others' rows any more
        AddDeviations<dtype>(shape, memory, roots, sums);
      } else {
        __syncthreads();  // nobody reads the means of the tile before any more
        TakeMeans<dtype>(pieces, shape, memory, sums);
        __syncthreads();  // the means are there
        more = loader.Load(a, set, shape, next_roots, pieces);
      }
      AddProducts(shape, memory, products);

      terms += kColumns;
      if (terms == kLongestChain) {
        FlushTileSums(sums, shape, memory);
        terms = 0;
      }
      product_terms += terms_per_tile;
      if (product_terms + terms_per_tile > kLongestChain) {
        FlushProducts(shape, memory, products);
        product_terms = 0;
      }
    }
    __syncthreads();  // with no tile at all, the zeros of the sums are not yet everybody's
    FlushTileSums(sums, shape, memory);
    FlushProducts(shape, memory, products);
    __syncthreads();

    const std::int64_t partial = PartialsOf(a.tail, set_index, block);
    for (int slot = thread; slot < a.tail.slots; slot += kThreads) {
      double sum = 0;
      if (slot < shape.slots()) sum = memory.sums[slot];
      a.tail.partials.Store(partial + slot, sum);
    }
    // Its barriers also stand between these sums and those of the next virtual block.
    if (!IsLastOfAll(a.tail, set_index, block, memory.flags)) continue;
    FinishMoments(a.finish, a.tail.group_partials, a.tail.slots, a.tail.groups);
    return;
  }
}

}  // namespace pike::cuda
