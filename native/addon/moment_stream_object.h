// `new MomentStream({ tasks, dtypes, lengths, inner, threads })`: the streaming path. Methods return a
// promise, or a StagedCall, or, when a call cannot be begun, a status.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>

#include "core/status.h"
#include "cpu/moment_stream.h"

namespace pike {

class MomentStreamObject : public Napi::ObjectWrap<MomentStreamObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit MomentStreamObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

  /// Tells the garbage collector how much memory hangs on this object.
  void ReportMemory(Napi::BasicEnv env, std::int64_t bytes);

 private:
  Napi::Value Add(const Napi::CallbackInfo& info);
  Napi::Value Collect(const Napi::CallbackInfo& info);
  Napi::Value Dispose(const Napi::CallbackInfo& info);

  /// Why no further call can be served, or ok.
  Status Open(Napi::Value options);
  Status Usable() const;
  /// Lets go of the stream. Jobs in flight keep it until they are done, and its memory is freed off the JS
  /// thread.
  void Release(Napi::Env env);

  std::shared_ptr<MomentStream> stream_;  // null once disposed
  Status opening_;                        // why it never opened
  int threads_ = 1;
  std::int64_t reported_ = 0;
};

}  // namespace pike
