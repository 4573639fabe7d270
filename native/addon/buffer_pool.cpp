#include "addon/buffer_pool.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace pike {

AlignedBuffer BufferPool::Take(std::int64_t bytes, bool* fresh) {
  {
    std::lock_guard lock(mutex_);
    // Not one of a wholly different size: it would be missing for its own purpose.
    const auto fits = [bytes](const AlignedBuffer& buffer) {
      return buffer.bytes() >= bytes && buffer.bytes() / 2 <= bytes;
    };
    if (const auto found = std::find_if(kept_.begin(), kept_.end(), fits); found != kept_.end()) {
      AlignedBuffer buffer = std::move(*found);
      kept_.erase(found);
      bytes_kept_ -= buffer.bytes();
      *fresh = false;
      return buffer;
    }
  }
  *fresh = true;
  return AlignedBuffer::TryAllocate(bytes);
}

void BufferPool::Give(AlignedBuffer buffer) {
  if (!buffer || buffer.bytes() > kMostKept) return;
  std::vector<AlignedBuffer> dropped;  // freed after the lock is: giving back large memory takes its time
  std::lock_guard lock(mutex_);
  bytes_kept_ += buffer.bytes();
  kept_.push_back(std::move(buffer));
  while (bytes_kept_ > kMostKept) {
    bytes_kept_ -= kept_.front().bytes();
    dropped.push_back(std::move(kept_.front()));
    kept_.pop_front();
  }
}

}  // namespace pike
