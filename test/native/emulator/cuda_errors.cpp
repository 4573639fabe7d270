#include "emulator/cuda_errors.h"

#include "cuda/error.h"

namespace emulator {
namespace {

struct Error {
  int number;
  const char* name;
  const char* text;
};
constexpr Error kErrors[] = {
    {0, "cudaSuccess", "no error"},
    {1, "cudaErrorInvalidValue", "invalid argument"},
    {2, "cudaErrorMemoryAllocation", "out of memory"},
    {3, "cudaErrorInitializationError", "initialization error"},
    {35, "cudaErrorInsufficientDriver", "CUDA driver version is insufficient for CUDA runtime version"},
    {46, "cudaErrorDevicesUnavailable", "CUDA-capable device(s) is/are busy or unavailable"},
    {100, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {101, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {214, "cudaErrorECCUncorrectable", "uncorrectable ECC error encountered"},
    {400, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {401, "cudaErrorIllegalState", "the operation cannot be performed in the present state"},
    {600, "cudaErrorNotReady", "device not ready"},
    {700, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {701, "cudaErrorLaunchOutOfResources", "too many resources requested for launch"},
    {702, "cudaErrorLaunchTimeout", "the launch timed out and was terminated"},
    {710, "cudaErrorAssert", "device-side assert triggered"},
    {714, "cudaErrorHardwareStackError", "hardware stack error"},
    {715, "cudaErrorIllegalInstruction", "an illegal instruction was encountered"},
    {716, "cudaErrorMisalignedAddress", "misaligned address"},
    {719, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {803, "cudaErrorSystemDriverMismatch", "system has unsupported display driver / cuda driver combination"},
    {900, "cudaErrorStreamCaptureUnsupported", "operation not permitted when stream is capturing"},
    {901, "cudaErrorStreamCaptureInvalidated", "operation failed due to a previous error during capture"},
    {905, "cudaErrorStreamCaptureIsolation", "dependency created on uncaptured work in another stream"},
    {999, "cudaErrorUnknown", "unknown error"},
};

const Error& Find(int number) {
  for (const Error& error : kErrors) {
    if (error.number == number) return error;
  }
  static constexpr Error kOther = {-1, "unrecognized error code", "unrecognized error code"};
  return kOther;
}

}  // namespace

const char* ErrorName(int error) { return Find(error).name; }
const char* ErrorText(int error) { return Find(error).text; }

pike::Status ToStatus(int error, const std::string& what, const std::string& detail) {
  if (error == 0) return {};
  pike::Status status = pike::cuda::ErrorStatus(error, ErrorName(error), ErrorText(error), what);
  if (!detail.empty()) status.message += " [emulator: " + detail + "]";
  return status;
}

}  // namespace emulator
