// All that the kernels need of the machine under them, beside the names of CUDA itself. Compiled by nvcc it
// is a thin skin over CUDA; compiled by any other compiler the same names come from the emulator of the tests
// (test/native/emulator), which runs the same kernels on the host and checks what a GPU would not.
//
// Kernels touch memory only through what stands here: Shared<T> for what threads of a block share, Global<T>
// for what blocks share, LoadStream/LoadVector/StoreVector/LoadElement for gradients and means.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__CUDACC__)

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "cuda/error.h"

namespace pike::cuda {

inline constexpr unsigned kAllLanes = 0xffffffffu;

/// What is being compiled for: 75, 80, 90 …; 0 on the host.
#if defined(__CUDA_ARCH__)
inline constexpr int kArchitecture = __CUDA_ARCH__ / 10;
#else
inline constexpr int kArchitecture = 0;
#endif

/// Dynamic shared memory of a block, as an array. SharedAt(b) begins b bytes into it.
template <typename T>
using Shared = T*;

extern __shared__ __align__(16) unsigned char shared_bytes[];

template <typename T>
__device__ __forceinline__ Shared<T> SharedAt(unsigned bytes) {
  return reinterpret_cast<T*>(shared_bytes + bytes);
}

/// Four floats of shared memory at once; `index` counts floats and is a multiple of four.
__device__ __forceinline__ float4 LoadShared4(const float* array, int index) {
  return *reinterpret_cast<const float4*>(array + index);
}
__device__ __forceinline__ void StoreShared4(float* array, int index, float4 value) {
  *reinterpret_cast<float4*>(array + index) = value;
}

/// Memory that one block writes and another reads within one launch: never cached where it could be stale.
template <typename T>
struct Global {
  T* address;

  __device__ __forceinline__ T Load(std::int64_t index) const { return __ldcg(address + index); }
  __device__ __forceinline__ void Store(std::int64_t index, T value) const { address[index] = value; }
  __device__ __forceinline__ T AtomicAdd(std::int64_t index, T value) const {
    return atomicAdd(address + index, value);
  }
  __device__ __forceinline__ T AtomicMin(std::int64_t index, T value) const {
    return atomicMin(address + index, value);
  }
};

/// Sixteen aligned bytes that are read once: past the first level of cache.
__device__ __forceinline__ uint4 LoadStream(const void* address) {
  uint4 value;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
               : "l"(address));
  return value;
}

/// One element of a tensor.
template <typename T>
__device__ __forceinline__ T LoadElement(const T* address) {
  return __ldg(address);
}

/// Sixteen aligned bytes of a vector that the same thread updates.
__device__ __forceinline__ float4 LoadVector(const float* address) {
  return *reinterpret_cast<const float4*>(address);
}
__device__ __forceinline__ void StoreVector(float* address, float4 value) {
  *reinterpret_cast<float4*>(address) = value;
}

/// Exact.
__device__ __forceinline__ float HalfToFloat(std::uint16_t bits) {
  return __half2float(__ushort_as_half(bits));
}

/// Keeps the compiler from holding in registers what can as well be read from memory again.
__device__ __forceinline__ void ReadAgain() { asm volatile("" ::: "memory"); }

using Stream = cudaStream_t;

/// Launches a kernel; `shared` bytes of dynamic shared memory per block. Says so when CUDA refuses.
template <typename Arguments>
Status Launch(void (*kernel)(Arguments), dim3 grid, unsigned threads, std::size_t shared, Stream stream,
              Arguments arguments) {
  constexpr std::size_t kWithoutAsking = 48 * 1024;
  cudaError_t error = cudaSuccess;
  if (shared > kWithoutAsking) {
    error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
  }
  void* parameters[] = {&arguments};
  if (error == cudaSuccess) {
    error = cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, dim3(threads), parameters, shared,
                             stream);
  }
  if (error == cudaSuccess) return {};
  cudaGetLastError();  // told here, and not to be found by the next one who asks
  return ErrorStatus(error, cudaGetErrorName(error), cudaGetErrorString(error),
                     "a kernel could not be launched");
}

}  // namespace pike::cuda

#else

#include "emulator/cuda.h"

namespace pike::cuda {
inline constexpr int kArchitecture = 0;
inline void ReadAgain() {}
}  // namespace pike::cuda

#endif
