// What tests ask of the emulated CUDA runtime (native/cuda/runtime.h) and do to it: devices, limits, errors,
// work of others. See streams.h for what they do to the GPU.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda/runtime.h"
#include "emulator/configuration.h"

namespace emulator {

inline constexpr std::int64_t kDefaultMemory = std::int64_t{1} << 32;
inline constexpr std::chrono::microseconds kDefaultPause{50};

struct Machinery {
  std::vector<pike::cuda::runtime::DeviceProperties> devices{{"Emulated GPU", 9, 0}};
  int driver_version = 13000;
  /// Of the driver: every call ends in it, the probe of native/cuda/probe.h as well.
  int driver_error = 0;
};
void SetMachinery(const Machinery& machinery);

/// The call of this name, "Allocate" for runtime::Allocate, fails with this error once `after` more have been
/// made. "Launch" is that of a kernel. "Kernel" and "Copying" fail on the device, at the time that it comes
/// to them, and lose it.
void FailNext(const std::string& call, int error, int after);

/// What a kernel was found at fault for, or what else a device was lost by; empty if nothing.
std::string LastDefect();

/// How kernels run from now on.
void SetKernelConfiguration(const Configuration& configuration);

/// Work of somebody else: a while after the stream has come to it, bytes appear in memory of the device.
pike::Status GiveUserWork(void* stream, int device, void* to, std::vector<unsigned char> bytes,
                          std::chrono::milliseconds delay);
/// Not counted as a call.
pike::Status CreateUserStream(int device, void** stream);

struct RuntimeCounters {
  std::int64_t kernels = 0;    ///< executed, also those of graphs
  std::int64_t copies = 0;     ///< executed
  std::int64_t fills = 0;      ///< executed
  std::int64_t user_work = 0;  ///< executed
  /// Of the thread that asks: calls of the runtime, and those that may have waited for a device.
  std::int64_t calls = 0;
  std::int64_t waits = 0;
};
RuntimeCounters CountCalls();

/// Everything as it was when the process began; but memory, streams, events and graphs their owners have to
/// give back, and other threads still use the device that they used.
void ResetEmulator();

}  // namespace emulator
