#include "addon/executor.h"

#include <utility>

#include "cpu/short_turns.h"

namespace pike {

void Executor::EnsureStarted(Napi::Env env) {
  if (!stopping_ && !thread_.joinable()) Start(env);
}

void Executor::Submit(Napi::Env env, std::unique_ptr<Job> job) {
  if (stopping_) return;  // written on this thread only
  EnsureStarted(env);
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(job));
  }
  job_there_.notify_one();
  if (unsettled_++ == 0) signal_.Ref(env);
}

void Executor::Start(Napi::Env env) {
  // Order matters: hooks run last in, first out. Ours, added after the one that the signal brings along,
  // finds the signal alive, and once it has run no thread of ours is left to use the signal.
  if (!has_signal_) {
    signal_ = Signal::New(env, "pike-mixer", /*maxQueueSize=*/0, /*initialThreadCount=*/1, this);
    signal_.Unref(env);
    env.AddCleanupHook([](Executor* executor) { executor->Stop(); }, this);
    has_signal_ = true;
  }
  thread_ = std::thread([this] {
    TakeShortTurns();
    Work();
  });
}

void Executor::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    job_there_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    std::unique_ptr<Job> job = std::move(waiting_.front());
    waiting_.pop_front();
    running_ = job.get();

    lock.unlock();
    job->Run();
    lock.lock();

    running_ = nullptr;
    finished_.push_back(std::move(job));  // jobs are deleted on the JS thread, here never
    signal_.NonBlockingCall();
  }
}

/// The environment ends: no promise will be settled any more, and this thread waits only for the job that
/// runs.
void Executor::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    if (running_ != nullptr) running_->Cancel();
  }
  job_there_.notify_one();
  if (thread_.joinable()) thread_.join();
  waiting_.clear();
  finished_.clear();
  signal_.Release();
}

/// On the JS thread. `env` is null, and the executor may be gone, when the environment ended before the call
/// came.
void Executor::Wake(Napi::Env env, Napi::Function, Executor* executor, std::nullptr_t*) {
  if (env != nullptr) executor->Settle(env);
}

/// Settles whatever has finished, which may be more or fewer jobs than there were calls.
void Executor::Settle(Napi::Env env) {
  std::deque<std::unique_ptr<Job>> finished;
  {
    std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  for (const std::unique_ptr<Job>& job : finished) {
    if (--unsettled_ == 0) signal_.Unref(env);
    job->Settle(env);
  }
}

}  // namespace pike
