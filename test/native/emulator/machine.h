// The state of a launch: blocks, warps and threads, and which thread runs. There is one machine; the threads
// of a kernel take turns on the one thread of the process that launched it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "emulator/builtins.h"
#include "emulator/configuration.h"
#include "emulator/defect.h"
#include "emulator/fiber.h"
#include "emulator/ordering.h"
#include "emulator/shadow.h"

namespace emulator {

struct Block;
struct Warp;

/// A call in the source of a kernel. Each has its own address.
struct Site {
  const char* call;
  const char* file;
  int line;
};

enum class State : std::uint8_t { kRunnable, kAtBarrier, kInCollective, kHeld, kReturned };

/// A store to Global<T> that some threads see and others do not.
struct PendingStore {
  std::uintptr_t address;
  std::uint64_t bits;
  unsigned size;
};

struct Thread {
  Context context;
  Block* block = nullptr;
  Warp* warp = nullptr;
  unsigned index = 0;  // in its block
  unsigned lane = 0;   // in its warp
  State state = State::kRunnable;
  const Site* site = nullptr;  // where it waits
  std::uint64_t received = 0;  // from the collective that it waited in
  std::vector<PendingStore> stores;
  // Of other blocks' stores and reads: what this thread's last fence let go on, what its atomics have met,
  // and what a fence after those made known to it.
  BlockClock released, met, acquired;
};

/// Lanes that wait for each other at one call.
struct Meeting {
  Meeting(const Site* where, std::uint32_t lanes) : site(where), mask(lanes) {}

  const Site* site;
  std::uint32_t mask;
  std::uint32_t arrived = 0;
  std::uint32_t votes = 0;   // lanes whose value is not zero
  std::uint64_t values[32];  // of lanes that have arrived
  int sources[32];           // lane from which each takes its value, or a negative number of collectives.cpp
};

struct Warp {
  std::vector<Meeting> meetings;
  LaneOrder order;
  std::vector<PendingStore> stores;  // seen by all lanes
};

struct alignas(16) SharedLine {
  unsigned char bytes[16];
};

struct Block {
  dim3 index;
  unsigned number = 0;  // in the grid
  std::vector<Thread> threads;
  std::vector<Warp> warps;

  const Site* barrier = nullptr;  // where the first thread waits
  unsigned waiting = 0;           // at the barrier
  unsigned returned = 0;

  /// Counts barriers, of all blocks that used this memory. What was noted in earlier ones is past.
  std::uint32_t interval = 0;
  std::uint32_t first_interval = 0;

  unsigned shared_bytes = 0;
  std::vector<SharedLine> shared;
  std::vector<Shadow> shadows;

  std::unordered_map<std::uintptr_t, PendingStore> stores;  // seen by all threads, by address
  std::uint32_t fences = 0;
  bool has_done_atomics = false;
  BlockClock acquired;
};

struct Machine {
  Configuration configuration;
  Thread* current = nullptr;
  /// Memory operations until the end of the running thread's turn.
  std::uint64_t turn_left = 0;

  dim3 grid;
  unsigned threads = 0;    // of a block
  std::uint64_t turn = 0;  // memory operations in the whole turn
  std::uint64_t steps = 0;
  std::uint64_t random = 1;

  Context scheduler;
  void (*kernel)(void*) = nullptr;
  void* arguments = nullptr;
  std::optional<Defect> defect;  // of this launch, which ends with it

  StackPool stacks;
  std::vector<std::unique_ptr<Block>> blocks;  // kept from launch to launch
};

inline Machine machine;

inline std::uint64_t Random() {
  std::uint64_t& state = machine.random;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state * 0x2545f4914f6cdd1du >> 11;
}

/// Lets other threads run; returns when it is this thread's turn again.
void GiveWay();

/// The running thread's kernel is at fault: the launch ends here. Thrown on the thread's own stack, and
/// caught at the lower end of it.
[[noreturn]] void Fail(Kind kind, const std::string& message);

/// "block 3, thread 17", or "block (3, 1), thread 17" in a grid of two dimensions.
std::string Name(unsigned block, unsigned thread);
inline std::string Name(const Thread& thread) { return Name(thread.block->number, thread.index); }

/// Every memory operation begins with this.
inline void Tick() {
  if (--machine.turn_left == 0) [[unlikely]]
    GiveWay();
}

}  // namespace emulator
