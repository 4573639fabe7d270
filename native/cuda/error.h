// What an error of CUDA means for whoever called: whether to go on, with less memory, or not at all.
#pragma once

#include <string>

#include "core/status.h"

namespace pike::cuda {

/// After these the context of the process is lost: every later call gives the same error, and only a new
/// process helps. A device that others may use is never reset from here. (Numbers of cudaError_t.)
constexpr bool IsSticky(int error) {
  switch (error) {
    case 214:  // cudaErrorECCUncorrectable
    case 220:  // cudaErrorNvlinkUncorrectable
    case 226:  // cudaErrorContained
    case 700:  // cudaErrorIllegalAddress
    case 702:  // cudaErrorLaunchTimeout
    case 710:  // cudaErrorAssert
    case 714:  // cudaErrorHardwareStackError
    case 715:  // cudaErrorIllegalInstruction
    case 716:  // cudaErrorMisalignedAddress
    case 717:  // cudaErrorInvalidAddressSpace
    case 718:  // cudaErrorInvalidPc
    case 719:  // cudaErrorLaunchFailure
    case 721:  // cudaErrorTensorMemoryLeak
    case 810:  // cudaErrorMpsClientTerminated
    case 911:  // cudaErrorExternalDevice
      return true;
    default:
      return false;
  }
}

inline constexpr int kMemoryAllocationError = 2;  // cudaErrorMemoryAllocation

/// `what` could not be done: "memory could not be copied".
inline Status ErrorStatus(int error, const char* name, const char* text, const std::string& what) {
  const StatusCode code = IsSticky(error)                   ? StatusCode::kCudaFatal
                          : error == kMemoryAllocationError ? StatusCode::kMemory
                                                            : StatusCode::kCuda;
  return {code, what + ": " + name + " (" + std::to_string(error) + "), " + text};
}

}  // namespace pike::cuda
