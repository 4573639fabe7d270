#include "cpu/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <utility>

#include "cpu/own_processor.h"
#include "cpu/short_turns.h"

namespace pike {
namespace {

/// The part that this thread takes in a loop.
struct Part {
  OwnProcessors* processors = nullptr;
  int slot = 0;
};
thread_local Part part;

}  // namespace

/// Lives on the stack of the caller of ParallelFor. All but `next` is guarded by the pool's mutex.
struct ThreadPool::Loop {
  const Work& work;
  const std::int64_t count;
  std::atomic<std::int64_t> next{0};
  OwnProcessors processors{};
  int helpers_wanted;
  int slots_given = 1;  // slot 0 is the caller's
  int helpers_active = 0;
  std::condition_variable helpers_gone{};
};

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_there_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void ThreadPool::GiveWay() {
  const bool gave_way = pike::GiveWay();
  // Who came first never has to leave, but others must know where it is; it may be a thread without short
  // turns.
  if (part.processors != nullptr && (gave_way || part.slot == 0)) part.processors->Settle(part.slot);
}

void ThreadPool::TakePart(Loop& loop, int slot) {
  const Part before = std::exchange(part, {&loop.processors, slot});
  loop.processors.Settle(slot);
  for (;;) {
    const std::int64_t index = loop.next.fetch_add(1, std::memory_order_relaxed);
    if (index >= loop.count) break;
    loop.work(index, slot);
    GiveWay();
  }
  part = before;
}

void ThreadPool::ParallelFor(std::int64_t count, int threads, const Work& work) {
  const int helpers = static_cast<int>(std::min<std::int64_t>(threads, count)) - 1;
  if (helpers <= 0) {
    for (std::int64_t index = 0; index < count; ++index) {
      work(index, 0);
      GiveWay();
    }
    return;
  }

  Loop loop{.work = work, .count = count, .helpers_wanted = helpers};
  {
    std::lock_guard lock(mutex_);
    StartHelpers(helpers);
    open_.push_back(&loop);
  }
  for (int i = 0; i < helpers; ++i) work_there_.notify_one();
  TakePart(loop, 0);

  // Helpers that have not come by now are not waited for; those that have must leave before `loop` goes.
  std::unique_lock lock(mutex_);
  std::erase(open_, &loop);
  loop.helpers_gone.wait(lock, [&] { return loop.helpers_active == 0; });
}

void ThreadPool::StartHelpers(int wanted) {
  while (static_cast<int>(helpers_.size()) < wanted) {
    try {
      helpers_.emplace_back([this] {
        TakeShortTurns();
        Help();
      });
    } catch (const std::system_error&) {
      return;  // the system allows no more threads: fewer do the same work
    }
  }
}

void ThreadPool::Help() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_there_.wait(lock, [this] { return stopping_ || !open_.empty(); });
    if (stopping_) return;
    Loop& loop = *open_.front();
    const int slot = loop.slots_given++;
    ++loop.helpers_active;
    if (--loop.helpers_wanted == 0) open_.pop_front();

    lock.unlock();
    TakePart(loop, slot);
    lock.lock();
    if (--loop.helpers_active == 0) loop.helpers_gone.notify_one();
  }
}

}  // namespace pike
