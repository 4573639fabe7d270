// What the CPU kernels were compiled for. There is no dispatch at run time yet: it is the baseline of the
// compiler's target unless a build asked for more.
#pragma once

namespace pike {

constexpr const char* InstructionSet() {
#if defined(__AVX512F__)
  return "x86-64 (AVX-512)";
#elif defined(__AVX2__)
  return "x86-64 (AVX2)";
#elif defined(__x86_64__) || defined(_M_X64)
  return "x86-64 baseline (SSE2)";
#elif defined(__aarch64__) || defined(_M_ARM64)
  return "arm64 (NEON)";
#else
  return "portable C++";
#endif
}

}  // namespace pike
