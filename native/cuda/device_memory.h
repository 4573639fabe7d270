// Memory of the device and page-locked memory of the host, freed when their owner goes. Freeing may wait for
// the device: not on a thread that must not wait.
#pragma once

#include <cstdint>
#include <utility>

#include "cuda/runtime.h"

namespace pike::cuda {

template <Status (*allocate)(std::int64_t, void**), void (*release)(void*) noexcept>
class OwnedMemory {
 public:
  OwnedMemory() = default;
  OwnedMemory(OwnedMemory&& other) noexcept { swap(other); }
  OwnedMemory& operator=(OwnedMemory&& other) noexcept {
    OwnedMemory(std::move(other)).swap(*this);
    return *this;
  }
  ~OwnedMemory() { release(data_); }

  /// Unless the status is ok, `*memory` is as it was.
  static Status Allocate(std::int64_t bytes, OwnedMemory* memory) {
    OwnedMemory made;
    Status status = allocate(bytes, &made.data_);
    if (!status.ok()) {
      made.data_ = nullptr;
      return status;
    }
    made.bytes_ = bytes;
    *memory = std::move(made);
    return {};
  }

  explicit operator bool() const { return data_ != nullptr; }
  char* data() const { return static_cast<char*>(data_); }
  std::int64_t bytes() const { return bytes_; }

 private:
  void swap(OwnedMemory& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }

  void* data_ = nullptr;
  std::int64_t bytes_ = 0;
};

using DeviceMemory = OwnedMemory<runtime::Allocate, runtime::Free>;
using PinnedMemory = OwnedMemory<runtime::AllocateHost, runtime::FreeHost>;

}  // namespace pike::cuda
