// Two threads on one processor: who came second leaves it, and may still use all that it might before.
// Exit code 0 if so, 77 where there is but one processor.
#include "cpu/own_processor.h"

#include <sched.h>

#include <cstdio>
#include <cstring>

namespace {

int Fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  return 1;
}

}  // namespace

int main() {
  cpu_set_t all;
  if (sched_getaffinity(0, sizeof all, &all) != 0) return Fail("no affinity");
  if (CPU_COUNT(&all) < 2) return 77;
  int moves = 0;
  for (int round = 0; round < 100; ++round) {
    pike::OwnProcessors processors;
    // The thread plays both parts, so that nobody is moved meanwhile.
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &all) && seen++ == round % CPU_COUNT(&all)) CPU_SET(cpu, &one);
    }
    if (sched_setaffinity(0, sizeof one, &one) != 0) return Fail("cannot be moved");
    const int first = sched_getcpu();
    processors.Settle(0);
    // It may go nowhere else: it stays.
    processors.Settle(1);
    if (sched_getcpu() != first) return Fail("left the processors that it may use");
    cpu_set_t now;
    sched_getaffinity(0, sizeof now, &now);
    if (std::memcmp(&now, &one, sizeof now) != 0) return Fail("may use more than before");

    if (sched_setaffinity(0, sizeof all, &all) != 0) return Fail("cannot be freed");
    if (sched_getcpu() != first) continue;  // the kernel was quicker
    processors.Settle(1);
    if (sched_getcpu() == first) return Fail("stayed where another thread is");
    sched_getaffinity(0, sizeof now, &now);
    if (std::memcmp(&now, &all, sizeof now) != 0) return Fail("may use fewer than before");
    // Who came first stays.
    const int second = sched_getcpu();
    pike::OwnProcessors others;
    others.Settle(1);
    others.Settle(0);
    moves += sched_getcpu() != second;
  }
  if (moves > 50) return Fail("whoever came first leaves");  // the kernel moves threads too, but rarely
  return 0;
}
