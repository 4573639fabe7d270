// One thread per JavaScript environment that runs jobs in the order they came, off the event loop. libuv's
// four threads stay free for files and names; the heavy loops within a job spread over the process-wide
// ThreadPool.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace pike {

/// Made and deleted on the JS thread; deleted unsettled when the environment ends first.
class Job {
 public:
  virtual ~Job() = default;
  /// On the executor's thread: must not touch JavaScript.
  virtual void Run() noexcept = 0;
  /// On the JS thread, after Run.
  virtual void Settle(Napi::Env) {}
  /// On the JS thread, before or during Run, which should then end soon.
  virtual void Cancel() {}
};

class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Throws std::system_error where there is no room for a thread.
  void EnsureStarted(Napi::Env env);
  /// Starts the thread with the first job. The event loop stays alive until the job is settled. Once the
  /// environment has begun to end, the job is dropped.
  void Submit(Napi::Env env, std::unique_ptr<Job> job);

 private:
  static void Wake(Napi::Env env, Napi::Function, Executor* executor, std::nullptr_t*);
  using Signal = Napi::TypedThreadSafeFunction<Executor, std::nullptr_t, Wake>;

  void Start(Napi::Env env);
  void Stop();
  void Work();
  void Settle(Napi::Env env);

  std::mutex mutex_;
  std::condition_variable job_there_;
  std::deque<std::unique_ptr<Job>> waiting_;
  std::deque<std::unique_ptr<Job>> finished_;
  Job* running_ = nullptr;
  bool stopping_ = false;

  // JS thread only.
  std::thread thread_;
  Signal signal_;
  bool has_signal_ = false;
  std::size_t unsettled_ = 0;
};

}  // namespace pike
