#include "addon/promise_job.h"

#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace pike {

Napi::Object ToObject(Napi::Env env, const Status& status) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("code", CodeName(status.code));
  object.Set("message", status.message);
  return object;
}

Status ToStatus(const std::exception& error) {
  // A container may also say that a size is beyond what it could ever hold.
  const bool memory =
      dynamic_cast<const std::bad_alloc*>(&error) || dynamic_cast<const std::length_error*>(&error);
  if (memory) return {StatusCode::kMemory, "not enough memory for sums of these shapes"};
  // Of a limited address space, too, a thread's stack takes its part.
  const auto* const system = dynamic_cast<const std::system_error*>(&error);
  if (system != nullptr && system->code() == std::errc::resource_unavailable_try_again)
    return {StatusCode::kMemory, "the system has no memory for another thread, or allows none"};
  return {StatusCode::kInternal, error.what()};
}

PromiseJob::PromiseJob(Napi::Env env, std::shared_ptr<Cancellation> cancellation)
    : env_(env), cancellation_(std::move(cancellation)) {}

/// First what may fail: a promise that is made has to be settled.
Napi::Promise PromiseJob::Submit(Executor& executor, std::unique_ptr<PromiseJob> job) {
  const Napi::Env env = job->env_;
  executor.EnsureStarted(env);
  const Napi::Promise promise = job->deferred_.emplace(Napi::Promise::Deferred::New(env)).Promise();
  executor.Submit(env, std::move(job));
  return promise;
}

void PromiseJob::Run() noexcept {
  if (cancellation_->cancelled()) {
    status_ = Aborted();
  } else {
    try {
      status_ = Compute(*cancellation_);
    } catch (const std::exception& error) {
      status_ = ToStatus(error);
    }
  }
  ReleaseInputs();
}

void PromiseJob::Settle(Napi::Env env) {
  try {
    deferred_->Resolve(status_.ok() ? Guarded(env, [&] { return Result(env); }) : ToObject(env, status_));
  } catch (const Napi::Error&) {
    // The environment is being terminated: nobody is left to hear of it.
  }
}

}  // namespace pike
