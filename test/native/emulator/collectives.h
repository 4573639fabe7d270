// What threads do together: the barrier of a block, and shuffles and votes of a warp.
#pragma once

#include <cstring>
#include <type_traits>

#include "emulator/machine.h"
#include "emulator/shared_memory.h"

namespace emulator {

void SyncThreads(const Site* site);
/// The thread has come to the end of the kernel.
void NoteReturn(Thread& thread);
void OpenBarrierIfAllAreThere(Block& block);

void SyncWarp(std::uint32_t mask, const Site* site);

/// Waits for the lanes of `mask`. Returns what lane `source` brought; its own value if that is no lane.
std::uint64_t Exchange(std::uint32_t mask, std::uint64_t value, int source, const Site* site);

/// Waits for the lanes of `mask`. Returns those whose predicate holds.
std::uint32_t Ballot(std::uint32_t mask, bool predicate, const Site* site);

inline int OwnLane() { return static_cast<int>(machine.current->lane); }

template <typename T>
T Shuffle(std::uint32_t mask, T value, int source, const Site* site) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = Exchange(mask, bits, source, site);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
template <typename T>
std::remove_const_t<T> Shuffle(std::uint32_t mask, SharedElement<T> value, int source, const Site* site) {
  return Shuffle<std::remove_const_t<T>>(mask, value, source, site);
}

}  // namespace emulator
