// How many blocks become one result without atomics on data, so that the bits do not depend on which block
// ends when. Virtual blocks belong to fixed groups of about √blocks. The last one of a group to arrive adds
// up the group's partial sums in the order of the blocks, not of arrival; the last group to arrive finishes.
// Nobody waits for anybody, so no block needs another to be running.
#pragma once

#include "cuda/arguments.h"
#include "cuda/platform.h"

namespace pike::cuda {

/// Counts this block in. The same answer in every thread: whether it is the last of `count` to arrive.
/// `ticket` is set back to zero by the last, for the next launch.
__device__ __forceinline__ bool ArrivesLast(const Global<unsigned>& tickets, std::int64_t ticket,
                                            unsigned count, Shared<unsigned> flag) {
  // All stores of the block happen before the barrier, the barrier before the fence, and the fence makes them
  // visible to whoever sees the ticket taken.
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    const bool last = tickets.AtomicAdd(ticket, 1u) + 1 == count;
    // Behind this fence the stores of all that arrived earlier can be seen.
    __threadfence();
    if (last) tickets.Store(ticket, 0u);
    flag[0] = last;
  }
  __syncthreads();
  return flag[0] != 0;
}

/// The chunks of a virtual block.
struct ChunkRange {
  int begin;
  int end;
};
__device__ __forceinline__ ChunkRange ChunksOf(const Columns& columns, int virtual_block) {
  const int begin = virtual_block * columns.chunks_per_block;
  const int most = begin + columns.chunks_per_block;
  return {begin, most < columns.chunk_count ? most : columns.chunk_count};
}

/// Where the partial sums of a virtual block begin.
__device__ __forceinline__ std::int64_t PartialsOf(const Tail& tail, int set, int virtual_block) {
  return (static_cast<std::int64_t>(set) * tail.virtual_blocks + virtual_block) * tail.slots;
}

/// What every warp has put into `warp_sums`, [kWarps][kSlots], added up in order to the partial sums of a
/// virtual block.
template <int kSlots>
__device__ __forceinline__ void StoreWarpSums(const Tail& tail, int set, int virtual_block,
                                              const Shared<double>& warp_sums) {
  static_assert(kSlots <= kThreads);
  __syncthreads();
  const std::int64_t begin = PartialsOf(tail, set, virtual_block);
  const int slot = threadIdx.x;
  if (slot < kSlots) {
    double sum = 0;
    for (int w = 0; w < kWarps; ++w) sum = __dadd_rn(sum, warp_sums[w * kSlots + slot]);
    tail.partials.Store(begin + slot, sum);
  }
}

/// sum over i < count of array[first + i · stride], in order.
__device__ __forceinline__ double SumInOrder(const Global<double>& array, std::int64_t first,
                                             std::int64_t stride, int count) {
  double sum = 0;
#pragma unroll 8
  for (int i = 0; i < count; ++i) sum = __dadd_rn(sum, array.Load(first + i * stride));
  return sum;
}

/// To be called by all threads of a block when they have stored the partial sums of a virtual block. True in
/// the one block, of all that run the launch, that comes last: then group_partials is complete.
/// `flags`: two words of shared memory.
__device__ __forceinline__ bool IsLastOfAll(const Tail& tail, int set, int virtual_block,
                                            Shared<unsigned> flags) {
  const int group = virtual_block / tail.group_size;
  const int first = group * tail.group_size;
  const int left = tail.virtual_blocks - first;
  const int size = left < tail.group_size ? left : tail.group_size;
  const std::int64_t ticket = static_cast<std::int64_t>(set) * tail.groups + group;
  if (!ArrivesLast(tail.tickets, ticket, size, flags)) return false;

  const std::int64_t begin = PartialsOf(tail, set, first);
  for (int slot = threadIdx.x; slot < tail.slots; slot += kThreads) {
    tail.group_partials.Store(ticket * tail.slots + slot,
                              SumInOrder(tail.partials, begin + slot, tail.slots, size));
  }
  const std::int64_t all = static_cast<std::int64_t>(tail.sets) * tail.groups;
  return ArrivesLast(tail.tickets, all, static_cast<unsigned>(all), flags + 1);
}

}  // namespace pike::cuda
