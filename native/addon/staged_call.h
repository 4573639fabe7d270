// A call whose gradients take more than one slice to copy. lib/backends/native-call.ts lets the event loop
// turn, and goes on with it.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/executor.h"
#include "addon/inputs.h"
#include "addon/promise_job.h"

namespace pike {

class StagedCall : public Napi::ObjectWrap<StagedCall> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit StagedCall(const Napi::CallbackInfo& info);

  /// Copies what of the job's inputs (null if it has none to copy) cannot be read in place, and submits the
  /// job. Returns its promise; or a StagedCall when it is true that copies are to be made `in_slices` and one
  /// was not enough; or a status.
  static Napi::Value Submit(Napi::Env env, Executor& executor, std::unique_ptr<PromiseJob> job,
                            Inputs* inputs, Napi::Value in_slices);

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
  Inputs* inputs_ = nullptr;         // the job's
};

}  // namespace pike
