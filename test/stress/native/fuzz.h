// What the fuzz targets share: choices from the fuzzer's bytes, and how a broken promise is told.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernel_problems.h"

namespace pike {

/// The first bytes are a seed for whatever is not a choice, such as the elements of gradients.
inline Random RandomOf(const std::uint8_t* data, std::size_t size) {
  std::uint64_t seed = 0;
  const std::size_t head = size < 4 ? size : 4;
  if (head > 0) std::memcpy(&seed, data, head);
  return Random(seed, data + head, size - head);
}

/// A crash, as the fuzzer reports it: with the input that led here.
[[noreturn]] inline void Fail(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::fputc('\n', stderr);
  std::abort();
}

}  // namespace pike

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
