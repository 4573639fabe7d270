// How the core says that something went wrong: a code that programs check and a message that people read.
#pragma once

#include <string>
#include <utility>

namespace pike {

/// A subset of the error codes in lib/errors.ts; see CodeName().
enum class StatusCode {
  kOk,
  kInvalidOption,
  kShape,
  kDetached,
  kMemory,
  kCuda,
  kCudaFatal,
  kAborted,
  kDisposed,
  kInternal
};

struct [[nodiscard]] Status {
  StatusCode code = StatusCode::kOk;
  std::string message;

  bool ok() const { return code == StatusCode::kOk; }
};

/// The spelling of a code in lib/errors.ts.
constexpr const char* CodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "OK";
    case StatusCode::kInvalidOption:
      return "ERR_INVALID_OPTION";
    case StatusCode::kShape:
      return "ERR_SHAPE";
    case StatusCode::kDetached:
      return "ERR_DETACHED";
    case StatusCode::kMemory:
      return "ERR_MEMORY";
    case StatusCode::kCuda:
      return "ERR_CUDA";
    case StatusCode::kCudaFatal:
      return "ERR_CUDA_FATAL";
    case StatusCode::kAborted:
      return "ERR_ABORTED";
    case StatusCode::kDisposed:
      return "ERR_DISPOSED";
    case StatusCode::kInternal:
      return "ERR_INTERNAL";
  }
  return "ERR_INTERNAL";
}

inline Status Aborted() { return {StatusCode::kAborted, "aborted"}; }

}  // namespace pike
