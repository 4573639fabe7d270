// Statistics of a few rows: a thread owns sixteen bytes of every row, and all that is computed of a column
// stays in its registers. One pass over memory.
//
// Per column, with p_i = s_i/n: ḡ = sum_i p_i g_i, then for every row (g_i − ḡ)² and (g_i − ḡ)ḡ, for every
// task ḡ², for every pair of tasks the product of their means. Means and deviations, never products of rows:
// nothing cancels, and it takes K(K+1)/2 + 4R operations instead of R(R+1)/2.
//
// Precision: an fp32 accumulator takes at most kLongestChain terms of its thread and five additions across
// its warp; from there on everything is fp64, in a fixed order.
#pragma once

#include "cuda/arguments.h"
#include "cuda/element.h"
#include "cuda/finish.h"
#include "cuda/platform.h"
#include "cuda/reduction.h"
#include "cuda/register_layout.h"
#include "cuda/tail.h"

namespace pike::cuda {

/// Adds one column of all rows to the sums. Rows that a task has fewer than M of are zeros with no share;
/// what they add to their own sums is never read.
template <int K, int M>
__device__ __forceinline__ void AddColumn(const float (&x)[K * M], const Shared<float>& share, float* sums) {
  constexpr RegisterLayout kLayout = RegisterLayout::Of(K, M);
  float mean[K];
#pragma unroll
  for (int k = 0; k < K; ++k) {
    mean[k] = __fmul_rn(share[k * M], x[k * M]);
#pragma unroll
    for (int i = 1; i < M; ++i) mean[k] = __fmaf_rn(share[k * M + i], x[k * M + i], mean[k]);
#pragma unroll
    for (int r = k * M; r < (k + 1) * M; ++r) {
      const float away = __fsub_rn(x[r], mean[k]);
      sums[kLayout.deviation + r] = __fmaf_rn(away, away, sums[kLayout.deviation + r]);
      sums[kLayout.alignment + r] = __fmaf_rn(away, mean[k], sums[kLayout.alignment + r]);
    }
    sums[kLayout.norm + k] = __fmaf_rn(mean[k], mean[k], sums[kLayout.norm + k]);
  }
#pragma unroll
  for (int k = 1; k < K; ++k) {
#pragma unroll
    for (int j = 0; j < k; ++j) {
      const int pair = kLayout.pairs + k * (k - 1) / 2 + j;
      sums[pair] = __fmaf_rn(mean[j], mean[k], sums[pair]);
    }
  }
}

/// The fp32 sums of a warp, added up over its lanes and from there on in fp64: each lane keeps its share of
/// them.
template <int K, int M>
__device__ __forceinline__ void Flush(float (&sums)[RegisterLayout::Of(K, M).count], int lane,
                                      double (&totals)[QuantitiesPerLane(RegisterLayout::Of(K, M).count)]) {
  SumOverLanes<RegisterLayout::Of(K, M).count>(sums, lane);
#pragma unroll
  for (int i = 0; i < QuantitiesPerLane(RegisterLayout::Of(K, M).count); ++i) {
    totals[i] = __dadd_rn(totals[i], static_cast<double>(sums[i]));
  }
#pragma unroll
  for (int i = 0; i < RegisterLayout::Of(K, M).count; ++i) sums[i] = 0.0f;
}

/// Where one row begins in a chunk, and how many columns that has.
struct RowStart {
  std::uint64_t address;
  int count;
};

/// For micro-batch lane % M of task lane / M of the set; address 0 where the task has fewer, or there is no
/// chunk.
template <Dtype dtype, int K, int M>
__device__ __forceinline__ RowStart StartOf(const MomentsArguments& a, const Set& set, int chunk_index,
                                            int end) {
  if (chunk_index >= end) return {0, 0};
  const Chunk chunk = a.columns.chunks[chunk_index];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (lane >= K * M) return {0, chunk.count};
  const TaskRows task = a.task_rows[set.first_task + lane / M];
  if (lane % M >= task.count) return {0, chunk.count};
  const std::int64_t tensor = static_cast<std::int64_t>(task.first + lane % M) * a.tensors + chunk.tensor;
  const auto* const row = static_cast<const typename Element<dtype>::Type*>(a.rows[tensor]) + chunk.offset;
  return {reinterpret_cast<std::uint64_t>(row), chunk.count};
}

/// Blocks that a multiprocessor should hold at once: with few rows many, so that enough loads are in flight;
/// no more than can be had without spilling registers.
constexpr int RegisterBlocks(int rows) {
  constexpr bool kTight = kArchitecture < 90;  // the compilers for these take more registers
  if (rows <= 2) return kTight ? 2 : 3;
  return rows <= 6 || (rows <= 8 && !kTight) ? 2 : 1;
}

template <Dtype dtype, int K, int M>
__global__ void __launch_bounds__(kThreads, RegisterBlocks(K* M)) RegisterMoments(MomentsArguments a) {
  constexpr RegisterLayout kLayout = RegisterLayout::Of(K, M);
  using Type = typename Element<dtype>::Type;
  constexpr int kRows = K * M;
  constexpr int kColumns = Element<dtype>::kColumns;
  constexpr int kStep = kThreads * kColumns;
  static_assert(kChunkColumns % kStep == 0 && kLongestChain % kColumns == 0);

  const int thread = threadIdx.x;
  const int lane = thread % 32;
  const int warp = thread / 32;
  const Shared<double> warp_sums = SharedAt<double>(0);
  const Shared<std::uint64_t> addresses = SharedAt<std::uint64_t>(kLayout.addresses_at) + warp * kRows;
  const Shared<float> share = SharedAt<float>(kLayout.shares_at);
  const Shared<unsigned> flags = SharedAt<unsigned>(kLayout.flags_at);
  const int set_index = blockIdx.x;
  const Set set = a.sets[set_index];

  // Row k·M + i is micro-batch i of task k; where a task has fewer, it is absent. (In shared memory, because
  // registers are what many rows are short of.)
  if (thread < kRows) {
    const TaskRows task = a.task_rows[set.first_task + thread / M];
    share[thread] = thread % M < task.count ? a.shares[task.first + thread % M] : 0.0f;
  }
  __syncthreads();

  for (int block = blockIdx.y; block < a.tail.virtual_blocks; block += gridDim.y) {
    float sums[kLayout.count];
    double totals[QuantitiesPerLane(kLayout.count)];
#pragma unroll
    for (int i = 0; i < kLayout.count; ++i) sums[i] = 0.0f;
#pragma unroll
    for (int i = 0; i < QuantitiesPerLane(kLayout.count); ++i) totals[i] = 0.0;

    const ChunkRange chunks = ChunksOf(a.columns, block);
    int terms = 0;
    RowStart next = StartOf<dtype, K, M>(a, set, chunks.begin, chunks.end);
    for (int c = chunks.begin; c < chunks.end; ++c) {
      const int count = next.count;
      __syncwarp();  // nobody reads the addresses of the chunk before any more
      if (lane < kRows) addresses[lane] = next.address;
      __syncwarp();
      next = StartOf<dtype, K, M>(a, set, c + 1, chunks.end);  // is there long before it is needed
      for (int at = 0; at < count; at += kStep) {
        const int column = at + thread * kColumns;
        if (terms == kLongestChain) {
          Flush<K, M>(sums, lane, totals);
          terms = 0;
        }
        terms += kColumns;
        ReadAgain();
        Packed packed[kRows];
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          packed[r] = {{0, 0, 0, 0}};
          const std::uint64_t address = addresses[r];
          const auto* const row = reinterpret_cast<const Type*>(address);
          if (row != nullptr) packed[r] = LoadPacked<dtype>(row, column, count, IsAligned(row));
        }
        float roots[kColumns];
        LoadRoots<false>(a.metric, a.columns.chunks + c, column, roots);
#pragma unroll
        for (int i = 0; i < kColumns; ++i) {
          float x[kRows];
#pragma unroll
          for (int r = 0; r < kRows; ++r) x[r] = __fmul_rn(Element<dtype>::Decode(packed[r], i), roots[i]);
          AddColumn<K, M>(x, share, sums);
        }
      }
    }
    Flush<K, M>(sums, lane, totals);

#pragma unroll
    for (int i = 0; i < QuantitiesPerLane(kLayout.count); ++i) {
      const int slot = QuantityOf(kLayout.count, lane, i);
      if (slot >= 0) warp_sums[warp * kLayout.count + slot] = totals[i];
    }
    StoreWarpSums<kLayout.count>(a.tail, set_index, block, warp_sums);
    // Its barriers also stand between these sums and those of the next virtual block.
    if (!IsLastOfAll(a.tail, set_index, block, flags)) continue;
    FinishMoments(a.finish, a.tail.group_partials, a.tail.slots, a.tail.groups);
    return;
  }
}

}  // namespace pike::cuda
