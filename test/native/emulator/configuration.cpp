#include "emulator/configuration.h"

#include <utility>

namespace emulator {
namespace {

Configuration current;

/// As many blocks as tests have: all of a grid.
constexpr unsigned kAll = 64;

}  // namespace

const Configuration& CurrentConfiguration() { return current; }
void SetConfiguration(const Configuration& configuration) { current = configuration; }

std::vector<Schedule> StandardSchedules(bool thorough) {
  std::vector<Schedule> schedules{
      {"in order, one block at a time", {}},
      {"reverse, all blocks, atomics stalled",
       {.order = Order::kReverse, .resident = kAll, .stall_atomics = true}},
      {"random, preempted often", {.order = Order::kRandom, .seed = 1, .resident = 5, .preemption = 8}},
      {"random, all blocks, atomics stalled",
       {.order = Order::kRandom, .seed = 2, .resident = kAll, .preemption = 64, .stall_atomics = true}},
  };
  if (!thorough) return schedules;
  const std::vector<Schedule> more{
      {"reverse, one block at a time", {.order = Order::kReverse}},
      {"in order, all blocks", {.resident = kAll}},
      {"in order, all blocks, atomics stalled", {.resident = kAll, .stall_atomics = true}},
      {"reverse, three blocks", {.order = Order::kReverse, .resident = 3}},
      {"random, one block at a time", {.order = Order::kRandom, .seed = 3}},
      {"random, all blocks", {.order = Order::kRandom, .seed = 4, .resident = kAll}},
      {"random, two blocks, preempted all the time",
       {.order = Order::kRandom, .seed = 5, .resident = 2, .preemption = 2}},
      {"in order, preempted", {.resident = 4, .preemption = 16}},
  };
  schedules.insert(schedules.end(), more.begin(), more.end());
  return schedules;
}

}  // namespace emulator
