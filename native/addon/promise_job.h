// A job with a promise, which is always fulfilled: with the result, or with a status { code, message } that
// lib/backends/native-call.ts turns into a PikeError. (An error made here would not show a line of the
// user's.)
#pragma once

#include <napi.h>

#include <exception>
#include <memory>
#include <optional>

#include "addon/executor.h"
#include "core/cancellation.h"
#include "core/status.h"

namespace pike {

Napi::Object ToObject(Napi::Env env, const Status& status);
Status ToStatus(const std::exception& error);

/// Calls body() and returns its value; if it throws, the status that tells so. Nothing leaves the addon as a
/// raw error.
template <typename Body>
Napi::Value Guarded(Napi::Env env, Body&& body) {
  Status status;
  try {
    return body();
  } catch (const Napi::Error& error) {
    status = {StatusCode::kInternal, error.Message()};
  } catch (const std::exception& error) {
    status = ToStatus(error);
  }
  return ToObject(env, status);
}

class PromiseJob : public Job {
 public:
  PromiseJob(Napi::Env env, std::shared_ptr<Cancellation> cancellation);

  /// The promise of its result.
  static Napi::Promise Submit(Executor& executor, std::unique_ptr<PromiseJob> job);

  void Run() noexcept final;
  void Settle(Napi::Env env) final;
  void Cancel() final { cancellation_->Cancel(); }

 protected:
  /// On the executor's thread.
  virtual Status Compute(const Cancellation& cancellation) = 0;
  /// On the executor's thread, after Compute or instead of it: gives back the memory that only it needed.
  virtual void ReleaseInputs() noexcept {}
  /// On the JS thread, if Compute succeeded: what the promise is fulfilled with.
  virtual Napi::Value Result(Napi::Env env) = 0;

 private:
  Napi::Env env_;
  std::optional<Napi::Promise::Deferred> deferred_;
  std::shared_ptr<Cancellation> cancellation_;
  Status status_;
};

}  // namespace pike
