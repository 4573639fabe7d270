#include "cpu/own_processor.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace pike {

#if defined(__linux__)

void OwnProcessors::Settle(int slot) {
  const auto own = static_cast<std::size_t>(slot);
  const int here = sched_getcpu();
  if (own >= kMost || here < 0) return;
  at_[own].store(here + 1, std::memory_order_relaxed);
  bool shared = false;
  for (std::size_t i = 0; i < own; ++i) shared |= at_[i].load(std::memory_order_relaxed) == here + 1;
  if (!shared) return;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;  // more processors than the set holds
  cpu_set_t free = allowed;
  for (const std::atomic<int>& at : at_) {
    const int taken = at.load(std::memory_order_relaxed) - 1;
    if (taken >= 0 && taken < CPU_SETSIZE) CPU_CLR(taken, &free);
  }
  if (CPU_COUNT(&free) == 0 || sched_setaffinity(0, sizeof free, &free) != 0) return;
  sched_setaffinity(0, sizeof allowed, &allowed);  // it stays where it is now, but may be moved again
  at_[own].store(sched_getcpu() + 1, std::memory_order_relaxed);
}

#else

void OwnProcessors::Settle(int) {}

#endif

}  // namespace pike
