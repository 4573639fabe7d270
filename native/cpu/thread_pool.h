// A standing pool of threads: starting one costs as much as summing a million numbers.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace pike {

class ThreadPool {
 public:
  /// One call of the work of a loop: its index, and a slot below the loop's thread count that no other call
  /// running at the same time has, to pick scratch memory by. It must not throw.
  using Work = std::function<void(std::int64_t index, int slot)>;

  ThreadPool() = default;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  /// No loop may be running.
  ~ThreadPool();

  /// Calls work(0 … count − 1), begun in that order, on at most `threads` threads, and returns when all are
  /// done. The calling thread takes part and needs no helper to get to the end, so loops of several callers
  /// may run at once without waiting for one another. Which thread takes which index is left to chance:
  /// results must not depend on it.
  void ParallelFor(std::int64_t count, int threads, const Work& work);

  /// To be called from time to time by work that takes long: lets others run, and keeps the threads of its
  /// loop on processors of their own.
  static void GiveWay();

 private:
  struct Loop;

  static void TakePart(Loop& loop, int slot);
  void Help();
  void StartHelpers(int wanted);

  std::mutex mutex_;
  std::condition_variable work_there_;
  std::deque<Loop*> open_;  // loops that want more helpers
  std::vector<std::thread> helpers_;
  bool stopping_ = false;
};

}  // namespace pike
