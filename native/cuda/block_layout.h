// Many small arrays in one block of memory, so that one copy carries them all and one allocation holds them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace pike::cuda {

/// Where an array lies in a block. The same in the block of the host and in that of the device.
template <typename T>
struct BlockArray {
  std::int64_t begin = 0;  ///< In bytes.
  std::int64_t length = 0;

  T* In(char* block) const { return reinterpret_cast<T*>(block + begin); }
  /// One value, and nothing of what was by chance between its members: what goes to a device is the same
  /// every time.
  void Put(char* block, const T& value) const {
    *In(block) = value;
#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
    __builtin_clear_padding(In(block));
#endif
#endif
  }
  void Write(char* block, const std::vector<T>& values) const {
    std::copy(values.begin(), values.end(), In(block));
  }
};

class BlockLayout {
 public:
  template <typename T>
  BlockArray<T> Add(std::int64_t length) {
    const BlockArray<T> array = {bytes_, length};
    bytes_ += (length * static_cast<std::int64_t>(sizeof(T)) + kAlignment - 1) / kAlignment * kAlignment;
    return array;
  }
  std::int64_t bytes() const { return bytes_; }

 private:
  static constexpr std::int64_t kAlignment = 16;
  std::int64_t bytes_ = 0;
};

}  // namespace pike::cuda
