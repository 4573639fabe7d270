// Shared memory of a block as kernels see it: arrays that look like pointers, each access of which is
// checked.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

#include "emulator/machine.h"

namespace emulator {

[[noreturn]] void FailSharedBounds(std::int64_t offset, std::size_t size, bool write);
[[noreturn]] void FailSharedAlignment(std::int64_t offset, std::size_t alignment, bool write);
/// The same as the functions below for four bytes that need a closer look.
void NoteSharedRead(Thread& thread, Shadow& shadow, unsigned offset);
void NoteSharedWrite(Thread& thread, Shadow& shadow, unsigned offset);

/// Checks an access and notes it. Returns the memory.
template <bool kWrite>
inline unsigned char* AccessShared(std::int64_t offset, std::size_t size, std::size_t alignment) {
  Tick();
  Thread& thread = *machine.current;
  Block& block = *thread.block;
  if (offset < 0 || offset + static_cast<std::int64_t>(size) > block.shared_bytes) [[unlikely]]
    FailSharedBounds(offset, size, kWrite);
  if (offset % static_cast<std::int64_t>(alignment) != 0) [[unlikely]]
    FailSharedAlignment(offset, alignment, kWrite);
  for (std::size_t byte = 0; byte < size; byte += 4) {
    const std::size_t at = static_cast<std::size_t>(offset) + byte;
    Shadow& shadow = block.shadows[at / 4];
    if constexpr (kWrite) {
      NoteSharedWrite(thread, shadow, static_cast<unsigned>(at));
    } else {
      NoteSharedRead(thread, shadow, static_cast<unsigned>(at));
    }
  }
  return reinterpret_cast<unsigned char*>(block.shared.data()) + offset;
}

/// An element of a shared array: reading it and assigning to it are accesses.
template <typename T>
class SharedElement {
 public:
  using Value = std::remove_const_t<T>;
  explicit SharedElement(std::int64_t offset) : offset_(offset) {}
  SharedElement(const SharedElement&) = default;

  operator Value() const {
    Value value;
    std::memcpy(&value, AccessShared<false>(offset_, sizeof(Value), alignof(Value)), sizeof(Value));
    return value;
  }
  const SharedElement& operator=(Value value) const {
    static_assert(!std::is_const_v<T>, "the array is for reading only");
    std::memcpy(AccessShared<true>(offset_, sizeof(Value), alignof(Value)), &value, sizeof(Value));
    return *this;
  }
  const SharedElement& operator=(const SharedElement& other) const { return *this = Value(other); }
  const SharedElement& operator+=(Value value) const { return *this = Value(*this) + value; }
  const SharedElement& operator-=(Value value) const { return *this = Value(*this) - value; }
  const SharedElement& operator*=(Value value) const { return *this = Value(*this) * value; }

 private:
  std::int64_t offset_;
};

/// A pointer into shared memory.
template <typename T>
class SharedPointer {
 public:
  static_assert(sizeof(T) % 4 == 0, "accesses to shared memory are followed by the four bytes");

  SharedPointer() = default;
  explicit SharedPointer(std::int64_t offset) : offset_(offset) {}
  operator SharedPointer<const T>() const { return SharedPointer<const T>(offset_); }

  SharedElement<T> operator[](std::int64_t index) const {
    return SharedElement<T>(offset_ + index * static_cast<std::int64_t>(sizeof(T)));
  }
  SharedElement<T> operator*() const { return (*this)[0]; }
  SharedPointer operator+(std::int64_t count) const {
    return SharedPointer(offset_ + count * static_cast<std::int64_t>(sizeof(T)));
  }
  SharedPointer operator-(std::int64_t count) const { return *this + -count; }
  SharedPointer& operator+=(std::int64_t count) { return *this = *this + count; }

  std::int64_t offset() const { return offset_; }

 private:
  std::int64_t offset_ = 0;
};

}  // namespace emulator
