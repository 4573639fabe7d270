// The other half of native/cuda/platform.h: the names that kernels use, for compilers of the host. Kernels
// run in the emulator, thread by thread, and what they do is checked; see configuration.h for what is looked
// for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/half.h"
#include "core/status.h"
#include "emulator/builtins.h"
#include "emulator/collectives.h"
#include "emulator/global_memory.h"
#include "emulator/machine.h"
#include "emulator/padding.h"
#include "emulator/scheduler.h"
#include "emulator/shared_memory.h"
#include "emulator/weak_memory.h"

// Kernels ask nvcc to unroll loops.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#endif

#if !defined(__FILE_NAME__)
#define __FILE_NAME__ __FILE__
#endif

// The address of a local static tells call sites apart: in a template, those of each instance.
#define EMULATOR_SITE(call)                                                \
  ([]() -> const ::emulator::Site* {                                       \
    static constexpr ::emulator::Site site{call, __FILE_NAME__, __LINE__}; \
    return &site;                                                          \
  }())

#define threadIdx (::emulator::ThreadIndex())
#define blockIdx (::emulator::machine.current->block->index)
#define blockDim (::emulator::BlockSize())
#define gridDim (::emulator::machine.grid)

#define __syncthreads() ::emulator::SyncThreads(EMULATOR_SITE("__syncthreads"))
#define __syncwarp(...) ::emulator::SyncWarp(::emulator::MaskOf(__VA_ARGS__), EMULATOR_SITE("__syncwarp"))
#define __threadfence() ::emulator::Fence()
#define __shfl_sync(mask, value, lane) \
  ::emulator::Shuffle(mask, value, (lane)&31, EMULATOR_SITE("__shfl_sync"))
#define __shfl_xor_sync(mask, value, bits) \
  ::emulator::Shuffle(mask, value, ::emulator::OwnLane() ^ (bits), EMULATOR_SITE("__shfl_xor_sync"))
#define __shfl_down_sync(mask, value, count) \
  ::emulator::Shuffle(mask, value, ::emulator::OwnLane() + int(count), EMULATOR_SITE("__shfl_down_sync"))
#define __ballot_sync(mask, predicate) \
  ::emulator::Ballot(mask, (predicate) != 0, EMULATOR_SITE("__ballot_sync"))
#define __any_sync(mask, predicate) \
  int(::emulator::Ballot(mask, (predicate) != 0, EMULATOR_SITE("__any_sync")) != 0)
#define __all_sync(mask, predicate) \
  int(::emulator::Ballot(mask, (predicate) == 0, EMULATOR_SITE("__all_sync")) == 0)

namespace emulator {

inline dim3 ThreadIndex() { return {machine.current->index, 0, 0}; }
inline dim3 BlockSize() { return {machine.threads}; }
constexpr std::uint32_t MaskOf(std::uint32_t mask = 0xffffffffu) { return mask; }

/// What CUDA refuses to launch on some GPU that the builds compile for: one of 7.5 gives a block 64 KiB of
/// shared memory.
pike::Status CheckLaunch(dim3 grid, unsigned threads, std::size_t shared, std::size_t parameter_bytes);

/// Puts a launch at the end of a stream. `words`: what the kernel is given, as far as it may be addresses.
/// Null in builds without runtime.cpp, which have no streams.
inline pike::Status (*give_kernel)(void* stream, std::function<void()> run,
                                   std::vector<std::uint64_t> words) = nullptr;

/// Appends the whole words of an argument, without what is by chance between its members.
template <typename T>
void AppendWords(T argument, std::vector<std::uint64_t>* words) {
  if (!kClearsPadding) return;
  ClearPadding(&argument);
  const std::size_t before = words->size();
  words->resize(before + sizeof argument / sizeof(std::uint64_t));
  std::memcpy(words->data() + before, &argument, (words->size() - before) * sizeof(std::uint64_t));
}

}  // namespace emulator

namespace pike::cuda {

inline constexpr unsigned kAllLanes = 0xffffffffu;

template <typename T>
using Shared = emulator::SharedPointer<T>;

template <typename T>
Shared<T> SharedAt(unsigned bytes) {
  return Shared<T>(bytes);
}

inline float4 LoadShared4(Shared<const float> array, int index) {
  const std::int64_t offset = (array + index).offset();
  float4 value;
  std::memcpy(&value, emulator::AccessShared<false>(offset, sizeof value, alignof(float4)), sizeof value);
  return value;
}
inline void StoreShared4(Shared<float> array, int index, float4 value) {
  const std::int64_t offset = (array + index).offset();
  std::memcpy(emulator::AccessShared<true>(offset, sizeof value, alignof(float4)), &value, sizeof value);
}

template <typename T>
struct Global {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);

  T* address;

  T Load(std::int64_t index) const { return emulator::LoadWeak(address + index); }
  void Store(std::int64_t index, T value) const { emulator::StoreWeak(address + index, value); }
  T AtomicAdd(std::int64_t index, T value) const {
    static_assert(!std::is_same_v<T, unsigned long> && !std::is_same_v<T, long>,
                  "CUDA has atomics of long long, but of long none");
    return emulator::Atomic(address + index, [value](T before) { return before + value; });
  }
  T AtomicMin(std::int64_t index, T value) const {
    static_assert(std::is_integral_v<T>, "CUDA has a minimum of integers only");
    static_assert(!std::is_same_v<T, unsigned long> && !std::is_same_v<T, long>,
                  "CUDA has atomics of long long, but of long none");
    return emulator::Atomic(address + index, [value](T before) { return value < before ? value : before; });
  }
};

inline uint4 LoadStream(const void* address) { return emulator::LoadReadOnly<uint4>(address); }

template <typename T>
T LoadElement(const T* address) {
  return emulator::LoadReadOnly<T>(address);
}

inline float4 LoadVector(const float* address) { return emulator::LoadOwn<float4>(address); }
inline void StoreVector(float* address, float4 value) { emulator::StoreOwn(address, value); }

inline float HalfToFloat(std::uint16_t bits) { return FromFloat16(bits); }

using Stream = void*;

/// Without a stream runs the kernel to its end, and throws an emulator::Defect if it is at fault.
template <typename... Parameters, typename... Arguments>
Status Launch(void (*kernel)(Parameters...), dim3 grid, unsigned threads, std::size_t shared, Stream stream,
              Arguments... arguments) {
  static_assert((std::is_trivially_copyable_v<Parameters> && ...),
                "what kernels are given is copied as bytes");
  Status status = emulator::CheckLaunch(grid, threads, shared, (std::size_t{0} + ... + sizeof(Parameters)));
  if (!status.ok()) return status;
  const auto run = [=] {
    auto call = [&] { kernel(arguments...); };
    emulator::RunGrid(
        grid, threads, static_cast<unsigned>(shared),
        [](void* pointer) { (*static_cast<decltype(call)*>(pointer))(); }, &call);
  };
  if (stream == nullptr) {
    run();
    return {};
  }
  if (emulator::give_kernel == nullptr) return {StatusCode::kInternal, "this emulator has no streams"};
  std::vector<std::uint64_t> words;
  (emulator::AppendWords<Parameters>(arguments, &words), ...);
  return emulator::give_kernel(stream, run, std::move(words));
}

}  // namespace pike::cuda
