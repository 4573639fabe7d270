// Errors of CUDA by their numbers.
#pragma once

#include <string>

#include "core/status.h"

namespace emulator {

inline constexpr int kInvalidValue = 1;
inline constexpr int kOutOfMemory = 2;
inline constexpr int kNoDevice = 100;
inline constexpr int kInvalidDevice = 101;
inline constexpr int kInvalidHandle = 400;
inline constexpr int kIllegalState = 401;
inline constexpr int kNotReady = 600;
inline constexpr int kIllegalAddress = 700;
inline constexpr int kLaunchTimeout = 702;
inline constexpr int kMisalignedAddress = 716;
inline constexpr int kLaunchFailure = 719;
inline constexpr int kCaptureUnsupported = 900;
inline constexpr int kCaptureInvalidated = 901;
inline constexpr int kCaptureIsolation = 905;

/// As cudaGetErrorName() and cudaGetErrorString() have it.
const char* ErrorName(int error);
const char* ErrorText(int error);

/// The status of native/cuda/error.h; `detail`, which CUDA would not tell, behind it. Ok for error 0.
pike::Status ToStatus(int error, const std::string& what, const std::string& detail = "");

}  // namespace emulator
