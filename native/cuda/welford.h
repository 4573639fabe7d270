// The streaming form: one micro-batch at a time into the running mean of its task, by Welford's update
//
//     δ = g − mean,  mean ← mean + (s/n') δ,  deviation ← deviation + (s n/n') ‖δ‖²,  n' = n + s.
//
// One read of the gradient and one read-modify-write of the mean: 12 bytes per element in fp32, 10 for 16-bit
// gradients. Products of the means are formed afterwards by tiled_moments.h, with the means as its rows.
#pragma once

#include "cuda/arguments.h"
#include "cuda/element.h"
#include "cuda/platform.h"
#include "cuda/reduction.h"
#include "cuda/tail.h"

namespace pike::cuda {

struct WelfordArguments {
  Columns columns;
  const void* const* gradient;      ///< [tensor]
  float* mean;                      ///< Of √D·g.
  const std::int64_t* mean_begins;  ///< [tensor] its first element in `mean`, a multiple of eight
  Metric metric;
  Tail tail;
  Global<double> deviation;  ///< One number: what the task has so far, and has then.
  Global<double> norm;       ///< One number: ‖mean‖² of the mean as stored.
  float share;               ///< s/n'
  double factor;             ///< s n/n'; 0 for the first micro-batch of a task, which overwrites the mean.
};

/// What a thread adds up.
struct WelfordSums {
  float sum[2];  ///< ‖δ‖², ‖mean‖²
};

/// Shared memory: two sums of every warp, then the flags of the tail.
inline constexpr unsigned kWelfordSharedBytes = kWarps * 2 * sizeof(double) + 2 * sizeof(unsigned);

/// Updates the columns that a thread owns, of which there are at least one.
template <Dtype dtype>
__device__ __forceinline__ void UpdateMean(const Packed& packed,
                                           const float (&roots)[Element<dtype>::kColumns],
                                           float (&mean)[Element<dtype>::kColumns], bool first, float share,
                                           WelfordSums& sums) {
#pragma unroll
  for (int c = 0; c < Element<dtype>::kColumns; ++c) {
    const float x = __fmul_rn(Element<dtype>::Decode(packed, c), roots[c]);
    if (first) {
      mean[c] = x;
    } else {
      const float delta = __fsub_rn(x, mean[c]);
      sums.sum[0] = __fmaf_rn(delta, delta, sums.sum[0]);
      mean[c] = __fmaf_rn(share, delta, mean[c]);
    }
    sums.sum[1] = __fmaf_rn(mean[c], mean[c], sums.sum[1]);
  }
}

template <Dtype dtype>
__global__ void __launch_bounds__(kThreads, 2) AccumulateMoments(WelfordArguments a) {
  constexpr int kColumns = Element<dtype>::kColumns;
  constexpr int kStep = kThreads * kColumns;
  constexpr int kUnrolled = 2;  // steps whose loads are under way together
  static_assert(kChunkColumns % (kUnrolled * kStep) == 0 && kLongestChain % (kUnrolled * kColumns) == 0);
  using Type = typename Element<dtype>::Type;

  const Shared<double> warp_sums = SharedAt<double>(0);
  const Shared<unsigned> flags = SharedAt<unsigned>(kWarps * 2 * sizeof(double));
  const int thread = threadIdx.x;
  const int lane = thread % 32;
  const bool first = a.factor == 0;
  // CheckMetric has run before. With what it found nothing may change, so nothing does. (An early return in
  // its place costs two registers.)
  const bool invalid = a.metric.tensors != nullptr && a.metric.first_invalid.Load(0) != kNoneInvalid;
  const int blocks = invalid ? 0 : a.tail.virtual_blocks;

  for (int block = blockIdx.x; block < blocks; block += gridDim.x) {
    WelfordSums sums = {{0.0f, 0.0f}};
    double total = 0;  // of the quantity that SumOverLanes leaves to this lane
    int terms = 0;
    const auto flush = [&] {
      SumOverLanes<2>(sums.sum, lane);
      total = __dadd_rn(total, static_cast<double>(sums.sum[0]));
      sums = {{0.0f, 0.0f}};
      terms = 0;
    };

    const ChunkRange chunks = ChunksOf(a.columns, block);
    for (int c = chunks.begin; c < chunks.end; ++c) {
      const Chunk chunk = a.columns.chunks[c];
      const Type* const row = static_cast<const Type*>(a.gradient[chunk.tensor]) + chunk.offset;
      float* const mean_row = a.mean + a.mean_begins[chunk.tensor] + chunk.offset;
      const bool aligned = IsAligned(row);
      for (int at = 0; at < chunk.count; at += kUnrolled * kStep) {
        if (terms == kLongestChain) flush();
        terms += kUnrolled * kColumns;
        Packed packed[kUnrolled];
        float mean[kUnrolled][kColumns];
#pragma unroll
        for (int u = 0; u < kUnrolled; ++u) {
          const int column = at + u * kStep + thread * kColumns;
          packed[u] = LoadPacked<dtype>(row, column, chunk.count, aligned);
          // The mean of a tensor is filled up to whole vectors, with zeros.
          if (column >= chunk.count || first) continue;
#pragma unroll
          for (int i = 0; i < kColumns; i += 4) {
            const float4 four = LoadVector(mean_row + column + i);
            mean[u][i] = four.x;
            mean[u][i + 1] = four.y;
            mean[u][i + 2] = four.z;
            mean[u][i + 3] = four.w;
          }
        }
#pragma unroll
        for (int u = 0; u < kUnrolled; ++u) {
          const int column = at + u * kStep + thread * kColumns;
          if (column >= chunk.count) continue;
          float roots[kColumns];
          LoadRoots<true>(a.metric, a.columns.chunks + c, column, roots);
          UpdateMean<dtype>(packed[u], roots, mean[u], first, a.share, sums);
#pragma unroll
          for (int i = 0; i < kColumns; i += 4) {
            StoreVector(mean_row + column + i, {mean[u][i], mean[u][i + 1], mean[u][i + 2], mean[u][i + 3]});
          }
        }
      }
    }
    flush();

    const int quantity = QuantityOf(2, lane, 0);
    if (quantity >= 0) warp_sums[thread / 32 * 2 + quantity] = total;
    StoreWarpSums<2>(a.tail, 0, block, warp_sums);
    if (!IsLastOfAll(a.tail, 0, block, flags)) continue;
    if (thread == 0) {
      const double step = SumInOrder(a.tail.group_partials, 0, 2, a.tail.groups);
      const double before = first ? 0.0 : a.deviation.Load(0);
      a.deviation.Store(0, first ? 0.0 : __dadd_rn(before, __dmul_rn(a.factor, step)));
    }
    if (thread == 1) a.norm.Store(0, SumInOrder(a.tail.group_partials, 1, 2, a.tail.groups));
  }
}

}  // namespace pike::cuda
