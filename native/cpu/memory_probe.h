// How fast this machine reads memory, and updates it in place: what the kernels are held against. A
// benchmark's yardstick, so everything that makes a loop fast is allowed, except not to read.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/thread_pool.h"

namespace pike {

struct ProbedMemory {
  const void* data;
  std::int64_t bytes;
};

struct ReadResult {
  double seconds;
  /// Sum of all 64-bit words, the last of each memory filled up with zero bytes: shows that all was read.
  std::uint64_t checksum;
};

/// Reads every byte once. A thread reads one stream at a time, or eight with prefetching: which is faster
/// depends on the machine.
ReadResult ProbeRead(const std::vector<ProbedMemory>& memory, bool eight_streams, ThreadPool& pool,
                     int threads);

/// mean += scale · (gradient − mean): reads two vectors, writes one in place. Returns seconds.
double ProbeUpdate(float* mean, const float* gradient, std::int64_t length, float scale, ThreadPool& pool,
                   int threads);

/// What the probes use on this machine.
const char* ProbeInstructionSet();

}  // namespace pike
