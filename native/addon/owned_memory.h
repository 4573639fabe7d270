// Memory that the addon owns and JavaScript fills. Whoever reads it off the JS thread holds it, so that
// nothing that script does to its array can take it away.
#pragma once

#include <cstdint>
#include <memory>

#include "core/memory.h"

namespace pike {

class OwnedMemory {
 public:
  /// Zeros. Null when they cannot be had.
  static std::shared_ptr<OwnedMemory> TryAllocate(std::int64_t bytes);
  /// The memory that holds these bytes; null if they are not all in one. Any thread.
  static std::shared_ptr<OwnedMemory> Holding(const void* address, std::int64_t bytes);
  /// Lets go, on a thread of its own where giving back what may be the last would take longer than a section
  /// on the JS thread should.
  static void Release(std::shared_ptr<OwnedMemory> memory);
  /// What may still be read in another thread, though nobody will tell for how long. Cannot fail.
  static void KeepForever(std::shared_ptr<OwnedMemory> memory) noexcept;

  OwnedMemory(AlignedBuffer buffer, std::int64_t offset) : buffer_(std::move(buffer)), offset_(offset) {}
  OwnedMemory(const OwnedMemory&) = delete;
  OwnedMemory& operator=(const OwnedMemory&) = delete;
  ~OwnedMemory();

  void* data() const { return static_cast<char*>(buffer_.data()) + offset_; }
  std::int64_t bytes() const { return buffer_.bytes() - offset_; }

 private:
  AlignedBuffer buffer_;
  std::int64_t offset_;
  std::shared_ptr<OwnedMemory> itself_;
};

}  // namespace pike
