// Small kernels on which the emulator shows what it sees: right as they stand, wrong in one way for each Bug.
#pragma once

#include <cstdint>

#include "cuda/platform.h"

namespace toy {

using pike::cuda::Global;
using pike::cuda::kAllLanes;
using pike::cuda::Shared;
using pike::cuda::SharedAt;

enum class Bug {
  kNone,
  // Reduce
  kNoBarrierBeforeRead,
  kNoBarrierBeforeReuse,
  kSharedIndexOutside,
  kSharedIndexOfOther,
  kReadsUnwritten,
  kWritesWhatOthersRead,
  kSameValueTwice,
  kBarriersInBranches,
  kReturnsBeforeBarrier,
  kReadsBeyondTail,
  kMisalignedStream,
  kWaitsForever,
  kBarriersForever,
  // ReduceOnce
  kNoBarrierBeforeTicket,
  kNoFenceBeforeTicket,
  kNoFenceAfterTicket,
  kTicketNotReset,
  kPartialOfOther,
  kAtomicAfterTicket,
  // Warps
  kShuffleInBranch,
  kLaneReturned,
  kLaneNotInMask,
  kSourceNotInMask,
  kDifferentShuffles,
  kNoSyncWarp,
  kShuffleForSyncWarp,
  // Transpose
  kNoBarrierInTile,
  kMisalignedTile,
  kWritesInput,
  kVectorOfOther,
  kReadsOwnOutput,
  // Places
  kReadsStored,
  kBeyondRow,
};

constexpr unsigned kThreads = 64;

/// Sum of the values of each block, in two rounds through the same shared memory.
struct ReduceArguments {
  const float* values;
  int count;
  Global<double> sums;
  Bug bug;
};
constexpr unsigned kReduceShared = (kThreads + 1) * sizeof(double);

__device__ inline double SumFour(const ReduceArguments& a, int first) {
  if (first + 4 <= a.count) {
    const uint4 four = pike::cuda::LoadStream(a.values + first + (a.bug == Bug::kMisalignedStream ? 1 : 0));
    return static_cast<double>(__uint_as_float(four.x)) + __uint_as_float(four.y) + __uint_as_float(four.z) +
           __uint_as_float(four.w);
  }
  double sum = 0;
  const int end = a.count + (a.bug == Bug::kReadsBeyondTail ? 1 : 0);
  for (int i = first; i < end; ++i) sum += pike::cuda::LoadElement(a.values + i);
  return sum;
}

__global__ void __launch_bounds__(kThreads) Reduce(ReduceArguments a) {
  const Shared<double> partial = SharedAt<double>(0);
  const int thread = static_cast<int>(threadIdx.x);
  if (a.bug == Bug::kReturnsBeforeBarrier && thread >= 50) return;

  double total = 0;
  for (int round = 0; round < 2; ++round) {
    int own = thread;
    if (a.bug == Bug::kSharedIndexOutside) own += 2;
    if (a.bug == Bug::kSharedIndexOfOther && thread == 33) own = 34;
    partial[own] = SumFour(a, 4 * static_cast<int>((blockIdx.x * 2 + round) * kThreads + threadIdx.x));
    if (a.bug == Bug::kBarriersInBranches && thread < 32) {
      __syncthreads();
    } else if (a.bug != Bug::kNoBarrierBeforeRead) {
      __syncthreads();
    }
    if (thread == 0) {
      const int end = static_cast<int>(kThreads) + (a.bug == Bug::kReadsUnwritten ? 1 : 0);
      for (int i = 0; i < end; ++i) total += partial[i];
    }
    if (a.bug != Bug::kNoBarrierBeforeReuse) __syncthreads();
  }
  // All threads read what the one in the middle of them then writes.
  const double middle = partial[kThreads / 2];
  if (a.bug != Bug::kWritesWhatOthersRead) __syncthreads();
  if (thread == kThreads / 2 || (a.bug == Bug::kSameValueTwice && thread == 1)) {
    partial[kThreads / 2] = middle + 1;
  }
  while (a.bug == Bug::kWaitsForever && partial[thread] < 1e300) {
  }
  while (a.bug == Bug::kBarriersForever) __syncthreads();
  if (thread == 0) a.sums.Store(blockIdx.x, total);
}

/// Sums of columns over blocks: each block's partial sums, added up in order by the block that is last to
/// come.
struct ReduceOnceArguments {
  const float* values;  // kThreads for each block
  Global<double> partials;
  Global<unsigned> ticket;
  Global<double> sums;  // kThreads
  Global<unsigned> least;
  Bug bug;
};
constexpr unsigned kReduceOnceShared = sizeof(unsigned);

__global__ void __launch_bounds__(kThreads) ReduceOnce(ReduceOnceArguments a) {
  const Shared<unsigned> last = SharedAt<unsigned>(0);
  const unsigned thread = threadIdx.x;
  const std::int64_t at = std::int64_t{blockIdx.x} * kThreads + thread;
  // The wrong place has no value of its own otherwise, so that nobody but a reader of another block notices.
  const bool wrong = a.bug == Bug::kPartialOfOther && blockIdx.x == 1 && thread == 5;
  a.partials.Store(wrong ? at + kThreads : at, pike::cuda::LoadElement(a.values + at));
  if (thread == 0 && a.bug != Bug::kAtomicAfterTicket) a.least.AtomicMin(0, 100 - blockIdx.x);

  if (a.bug != Bug::kNoBarrierBeforeTicket) __syncthreads();
  if (thread == 0) {
    if (a.bug != Bug::kNoFenceBeforeTicket) __threadfence();
    last[0] = a.ticket.AtomicAdd(0, 1) == gridDim.x - 1;
    if (a.bug != Bug::kNoFenceAfterTicket) __threadfence();
    if (a.bug == Bug::kAtomicAfterTicket) a.least.AtomicMin(0, 100 - blockIdx.x);
  }
  __syncthreads();
  if (last[0] == 0) return;

  double sum = 0;
  for (unsigned block = 0; block < gridDim.x; ++block) {
    sum += a.partials.Load(std::int64_t{block} * kThreads + thread);
  }
  a.sums.Store(thread, sum + a.least.Load(0));
  if (thread == 0 && a.bug != Bug::kTicketNotReset) a.ticket.Store(0, 0);
}

/// What each warp makes of its values with shuffles and votes, and through shared memory.
struct WarpsArguments {
  const float* values;
  Global<double> results;
  Bug bug;
};
constexpr unsigned kWarpsShared = kThreads * sizeof(float);

__global__ void __launch_bounds__(kThreads) Warps(WarpsArguments a) {
  const Shared<float> mirror = SharedAt<float>(0);
  const unsigned thread = threadIdx.x;
  const unsigned lane = thread % 32;
  const float value = pike::cuda::LoadElement(a.values + thread);
  if (a.bug == Bug::kLaneReturned && thread == 40) return;

  double sum = value;
  for (int step = 16; step > 0; step /= 2) {
    if (a.bug == Bug::kDifferentShuffles && lane >= 16) {
      sum += __shfl_xor_sync(kAllLanes, sum, step);
    } else if (a.bug != Bug::kShuffleInBranch || lane < 16) {
      sum += __shfl_xor_sync(kAllLanes, sum, step);
    }
  }
  float down = value;
  for (int step = 16; step > 0; step /= 2) down += __shfl_down_sync(kAllLanes, down, step);
  const float first = __shfl_sync(kAllLanes, down, 0);
  const bool positive = value > 0;
  unsigned votes = __ballot_sync(kAllLanes, positive);
  votes += __any_sync(kAllLanes, positive) ? 1 : 0;
  votes += __all_sync(kAllLanes, positive) ? 2 : 0;

  // Half a warp by itself, which the other half does not wait for.
  float half = 0;
  if (lane < 16) {
    const unsigned mask = a.bug == Bug::kLaneNotInMask ? 0x7fffu : 0xffffu;
    half = __shfl_xor_sync(mask, value, a.bug == Bug::kSourceNotInMask ? 16 : 8);
  }

  mirror[thread] = value;
  if (a.bug == Bug::kShuffleForSyncWarp) {
    (void)__shfl_sync(kAllLanes, value, 0);
  } else if (a.bug != Bug::kNoSyncWarp) {
    __syncwarp();
  }
  const float opposite = mirror[thread ^ 31u];
  a.results.Store(thread, sum + first + votes + half + opposite);
}

/// Transposes a tile of 32 × 32 through shared memory and doubles it in place.
struct TransposeArguments {
  const float* values;
  float* transposed;
  Bug bug;
};
constexpr int kSide = 32;
constexpr int kStride = kSide + 4;  // rows begin at multiples of sixteen bytes, in different banks
constexpr unsigned kTransposeShared = kSide * kStride * sizeof(float);

__global__ void __launch_bounds__(kThreads) Transpose(TransposeArguments a) {
  const Shared<float> tile = SharedAt<float>(0);
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < kSide * kSide / 4; i += kThreads) {
    const uint4 bits = pike::cuda::LoadStream(a.values + 4 * i);
    const float4 four = {__uint_as_float(bits.x), __uint_as_float(bits.y), __uint_as_float(bits.z),
                         __uint_as_float(bits.w)};
    const int row = i / (kSide / 4);
    const int column = i % (kSide / 4) * 4;
    pike::cuda::StoreShared4(tile, row * kStride + column + (a.bug == Bug::kMisalignedTile ? 1 : 0), four);
  }
  if (a.bug != Bug::kNoBarrierInTile) __syncthreads();
  for (int i = thread; i < kSide * kSide / 4; i += kThreads) {
    const int row = i / (kSide / 4);
    const int column = i % (kSide / 4) * 4;
    const Shared<float> from = tile + column * kStride + row;
    const float4 four = {from[0], from[kStride], from[2 * kStride], from[3 * kStride]};
    const int at = a.bug == Bug::kVectorOfOther && i == 7 ? 6 : i;
    float* to = a.transposed + 4 * at;
    if (a.bug == Bug::kWritesInput && i == 7) to = const_cast<float*>(a.values);
    pike::cuda::StoreVector(to, four);
    float4 again = pike::cuda::LoadVector(to);
    if (a.bug == Bug::kReadsOwnOutput) again.x = pike::cuda::LoadElement(to);
    pike::cuda::StoreVector(to, {2 * again.x, 2 * again.y, 2 * again.z, 2 * again.w});
  }
}

/// A grid of two dimensions, and Global<T> of all widths.
struct PlacesArguments {
  Global<float> numbers;             // rows × columns of blocks
  Global<unsigned long long> least;  // of all numbers
  Global<long long> packed;          // a number for each warp of each block
  Bug bug;
};
constexpr unsigned kPlacesThreads = 40;  // the last warp is not whole

__global__ void Places(PlacesArguments a) {
  const std::int64_t row = blockIdx.y;
  const std::int64_t column = blockIdx.x;
  const std::int64_t place = row * gridDim.x + column + (a.bug == Bug::kBeyondRow ? 1 : 0);
  const float number = static_cast<float>(100 * gridDim.y + 10 * row + column) + 0.5f;
  if (threadIdx.x == 0) {
    a.numbers.Store(place, number);
    if (a.bug == Bug::kReadsStored)
      a.numbers.Store(place, pike::cuda::LoadElement(a.numbers.address + place));
    a.least.AtomicMin(0, __float_as_uint(number));
  }
  if (threadIdx.x % 32 == 0) {
    const std::int64_t warps = (blockDim.x + 31) / 32;
    a.packed.Store(place * warps + threadIdx.x / 32, static_cast<long long>(number) << 32 | threadIdx.x);
  }
}

}  // namespace toy
