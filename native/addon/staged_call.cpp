#include "addon/staged_call.h"

#include <utility>

#include "addon/environment.h"

namespace pike {
Napi::Function StagedCall::Define(Napi::Env env) {
  return DefineClass(
      env, "StagedCall",
      {InstanceMethod<&StagedCall::Advance>("advance"), InstanceMethod<&StagedCall::Abandon>("abandon"),
       InstanceAccessor<&StagedCall::Waiting>("waiting")});
}

StagedCall::StagedCall(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

Napi::Value StagedCall::Submit(Napi::Env env, Executor& executor, std::unique_ptr<PromiseJob> job,
                               Stages* stages, Napi::Value in_slices) {
  if (stages != nullptr) {
    const bool sliced = in_slices.ToBoolean();
    Status status = sliced ? stages->Continue() : stages->Finish();
    if (!status.ok()) return ToObject(env, status);
  }
  if (stages == nullptr || stages->done()) return PromiseJob::Submit(executor, std::move(job));
  const Napi::Object object = Environment::Of(env).staged_call.New({});
  StagedCall& call = *Unwrap(object);
  call.executor_ = &executor;
  call.job_ = std::move(job);
  call.stages_ = stages;
  return object;
}

Napi::Value StagedCall::Advance(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    if (!job_ || at_work_) return ToObject(env, Status{StatusCode::kInternal, "the call was over"});
    at_work_ = true;  // to look at an array may run script, which might come back here
    Status status;
    try {
      status = stages_->Continue();
    } catch (...) {
      at_work_ = false;
      Drop();
      throw;
    }
    at_work_ = false;
    if (!status.ok()) {
      Drop();
      return ToObject(env, status);
    }
    return stages_->done() ? PromiseJob::Submit(*executor_, std::move(job_)) : info.This();
  });
}

Napi::Value StagedCall::Abandon(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    Drop();
    return env.Undefined();
  });
}

Napi::Value StagedCall::Waiting(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), job_ && stages_->waiting());
}

/// The room for the copies serves the next call.
void StagedCall::Drop() {
  if (!job_ || at_work_) return;
  stages_->Release();
  job_.reset();
}

}  // namespace pike
