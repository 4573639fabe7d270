// Memory for copies of what JavaScript hands in. Fresh memory costs a page fault per page, on the JS thread;
// memory that served the last call costs none.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>

#include "core/memory.h"

namespace pike {

class BufferPool {
 public:
  /// At least `bytes` bytes; empty when they cannot be had. `*fresh`: no page of it has been touched yet.
  AlignedBuffer Take(std::int64_t bytes, bool* fresh);
  /// Keeps the buffer for the next Take, within kMostKept in all: the oldest go first.
  void Give(AlignedBuffer buffer);

 private:
  static constexpr std::int64_t kMostKept = std::int64_t{512} << 20;

  std::mutex mutex_;
  std::deque<AlignedBuffer> kept_;
  std::int64_t bytes_kept_ = 0;
};

}  // namespace pike
