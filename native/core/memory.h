// Large blocks of memory that say when they cannot be had instead of throwing.
#pragma once

#include <cstdint>
#include <utility>

namespace pike {

/// Refuses what there is not enough memory for. Systems that overcommit would grant it, and end the process
/// later, when it is written to. Nothing is refused that is small. On Linux what counts is what the machine,
/// the control groups that this process is in, and a limit of its address space have to spare; elsewhere,
/// what the machine has at all.
bool MayBeHad(std::int64_t bytes) noexcept;

/// The same for memory that containers are about to take. Throws std::bad_alloc.
void RequireMemory(std::int64_t bytes);

/// A block of bytes, aligned for any vector instruction and, where it is large, for huge pages.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  /// Empty when the memory cannot be had. The bytes are not initialised.
  static AlignedBuffer TryAllocate(std::int64_t bytes) noexcept;
  /// The same of zeros. Nothing large is written here: such memory comes from the system, zero when it is
  /// first touched.
  static AlignedBuffer TryAllocateZeros(std::int64_t bytes) noexcept;

  AlignedBuffer(AlignedBuffer&& other) noexcept { swap(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    AlignedBuffer(std::move(other)).swap(*this);
    return *this;
  }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer();

  explicit operator bool() const { return data_ != nullptr; }
  void* data() const { return data_; }
  std::int64_t bytes() const { return bytes_; }

 private:
  void swap(AlignedBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(mapped_, other.mapped_);
  }

  void* data_ = nullptr;
  std::int64_t bytes_ = 0;
  std::int64_t mapped_ = 0;  // bytes that the system mapped for it; 0 if it came from malloc
};

}  // namespace pike
