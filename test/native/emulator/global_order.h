// Watches the order of what blocks do to Global<T>. Operations of different blocks on one place are in order
// if a fence after the first, an atomic, an atomic that follows it on the same place, and a fence before the
// second lead from one to the other, with barriers of the blocks in between.
#pragma once

#include <cstdint>

#include "emulator/machine.h"

namespace emulator {

// Fail if the running thread's operation has no order with an earlier one that it must have.
void NoteLoad(std::uintptr_t address);
void NoteStore(std::uintptr_t address);
void NoteAtomic(std::uintptr_t address);

/// Whether anyone has stored there, or done an atomic, in this launch; if so, who was last.
bool FindStore(std::uintptr_t address, unsigned* block, unsigned* thread);

/// The running thread has done an atomic: it meets those who did one there before.
void MeetAtAtomic(std::uintptr_t address);

/// A fence: what the thread's atomics have met is before what it does from now on; what its block has done,
/// before its atomics from now on.
void BeginFence(Thread& thread);
/// A store of the block is among those that its last fence published.
void NotePublished(std::uintptr_t address, const Block& block);

void ShareAcquiredInWarp(Thread& thread, std::uint32_t mask);
void StartLaunchOrder();

}  // namespace emulator
