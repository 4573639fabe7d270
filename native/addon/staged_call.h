// A call whose gradients take more than one slice to copy, or to read. lib/backends/native-call.ts lets the
// event loop turn, and goes on with it.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/executor.h"
#include "addon/promise_job.h"
#include "addon/stages.h"

namespace pike {

class StagedCall : public Napi::ObjectWrap<StagedCall> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit StagedCall(const Napi::CallbackInfo& info);

  /// Goes through what the job needs to be done on the JS thread (its own; null if there is nothing), and
  /// submits it. Returns its promise; or a StagedCall when it is true that this is to be done `in_slices` and
  /// one was not enough; or a status.
  static Napi::Value Submit(Napi::Env env, Executor& executor, std::unique_ptr<PromiseJob> job,
                            Stages* stages, Napi::Value in_slices);

 private:
  /// advance(): one more slice. Returns what Submit does, with this object for itself.
  Napi::Value Advance(const Napi::CallbackInfo& info);
  /// abandon(): it will not be gone on with.
  Napi::Value Abandon(const Napi::CallbackInfo& info);
  /// waiting: nothing could be done in the last slice; there is no hurry.
  Napi::Value Waiting(const Napi::CallbackInfo& info);

  void Drop();

  Executor* executor_ = nullptr;
  std::unique_ptr<PromiseJob> job_;  // null once submitted or dropped
  Stages* stages_ = nullptr;         // the job's
  bool at_work_ = false;
};

}  // namespace pike
