#include "cpu/short_turns.h"

#include <chrono>
#include <thread>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#endif

namespace pike {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::milliseconds(1);

thread_local bool takes_short_turns = false;
thread_local Clock::time_point gave_way;

#if defined(__linux__) && defined(SYS_sched_setattr) && defined(SYS_sched_getattr)

/// struct sched_attr of the kernel, as it was at first; the C library has had it only since glibc 2.41.
struct SchedulingAttributes {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime;  ///< Under kOther the length of a turn, in nanoseconds.
  std::uint64_t deadline;
  std::uint64_t period;
};

constexpr std::uint32_t kOther = 0;               // SCHED_OTHER
constexpr std::uint64_t kShortestTurn = 100'000;  // that the kernel allows

/// Who gives way forgoes the rest of a turn: the kernel's own would be more than was used.
void AskForShortTurns() {
  SchedulingAttributes attributes = {};
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != kOther) return;  // whoever chose another knows why
  attributes.size = sizeof attributes;
  attributes.runtime = kShortestTurn;
  static_cast<void>(syscall(SYS_sched_setattr, 0, &attributes, 0));
}

#else

void AskForShortTurns() {}

#endif

}  // namespace

void TakeShortTurns() {
  takes_short_turns = true;
  AskForShortTurns();
}

bool GiveWay() {
  if (!takes_short_turns) return false;
  const Clock::time_point now = Clock::now();
  if (now - gave_way < kPatience) return false;
  std::this_thread::yield();
  gave_way = Clock::now();
  return true;
}

}  // namespace pike
