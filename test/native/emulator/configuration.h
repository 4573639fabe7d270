// How a launch is scheduled and what is looked for in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace emulator {

/// Of blocks in a grid, of threads in a block, and of the threads that stalled atomics hold back.
enum class Order { kForward, kReverse, kRandom };

struct Configuration {
  // The schedule.
  Order order = Order::kForward;
  std::uint64_t seed = 1;      ///< of all that is random
  unsigned resident = 1;       ///< blocks that run at once
  unsigned preemption = 0;     ///< a memory operation gives way to other threads with chance 1/n; 0: never
  bool stall_atomics = false;  ///< who has done an atomic goes on when nothing else can

  // The detectors. Bounds and alignment of shared memory, deadlocks and incomplete collectives are always
  // seen: there is no way to go on from them.
  bool shared_races = true;
  bool shared_initialised = true;
  bool global_bounds = true;    ///< bounds, alignment, read-only
  bool weak_global = true;      ///< stores reach other blocks by barrier and fence only
  bool global_ordering = true;  ///< unpublished stores, reads without acquire, races on Global<T>
  bool strict_barriers = true;  ///< one __syncthreads() for all, and nobody gone

  /// CUDA gives no order of memory operations by shuffles and votes, only by __syncwarp(). This grants it.
  bool collectives_order_memory = false;

  /// Memory operations and switches between threads after which a launch counts as endless.
  std::uint64_t step_budget = std::uint64_t{1} << 30;
};

const Configuration& CurrentConfiguration();
void SetConfiguration(const Configuration& configuration);

/// A configuration for as long as this lives.
class ScopedConfiguration {
 public:
  explicit ScopedConfiguration(const Configuration& configuration) : before_(CurrentConfiguration()) {
    SetConfiguration(configuration);
  }
  ~ScopedConfiguration() { SetConfiguration(before_); }
  ScopedConfiguration(const ScopedConfiguration&) = delete;
  ScopedConfiguration& operator=(const ScopedConfiguration&) = delete;

 private:
  Configuration before_;
};

struct Schedule {
  std::string name;
  Configuration configuration;
};

/// What every test of a kernel goes through; a kernel is right if the bits of its results are the same in
/// all. The short list is a prefix of the thorough one.
std::vector<Schedule> StandardSchedules(bool thorough);

}  // namespace emulator
