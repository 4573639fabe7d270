#include "emulator/global_order.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

namespace emulator {
namespace {

/// When a thread did something, in its block.
struct Moment {
  unsigned block = 0;
  unsigned thread = 0;
  std::uint32_t interval = 0;
  std::uint32_t time = 0;   // of its warp
  std::uint32_t fence = 0;  // of its block that lets other blocks know of it; 0: has not come
};

/// The reads of one block in one interval: the first reader's, and that of another.
struct Readers {
  Moment first, second;
};

/// A place in Global<T> and what was done to it in this launch.
struct Place {
  bool stored = false;
  Moment store;
  std::vector<Readers> readers;  // since the store
  bool has_atomics = false;
  Moment last_atomic;
  BlockClock atomics;   // fences after which the atomics of each block are known
  BlockClock released;  // what comes before the atomics so far
};

std::unordered_map<std::uintptr_t, Place> places;

Moment Now() {
  const Thread& thread = *machine.current;
  const Block& block = *thread.block;
  return {block.number, thread.index, block.interval, thread.warp->order.now(), block.fences + 1};
}

/// For what a thread of the running thread's block did.
bool PrecedesInBlock(const Moment& moment) {
  const Thread& thread = *machine.current;
  if (moment.thread == thread.index || moment.interval != thread.block->interval) return true;
  return moment.thread / 32 == thread.index / 32 &&
         thread.warp->order.Knows(thread.lane, moment.thread % 32, moment.time);
}

bool Acquired(unsigned block, std::uint32_t fence) {
  const Thread& thread = *machine.current;
  return fence != 0 && (thread.acquired.Knows(block, fence) || thread.block->acquired.Knows(block, fence));
}

bool Precedes(const Moment& moment) {
  if (moment.block == machine.current->block->number) return PrecedesInBlock(moment);
  return Acquired(moment.block, moment.fence);
}

[[noreturn]] void FailOrder(Kind kind, const char* does, const Moment& other, const char* did,
                            const char* lacks) {
  Fail(kind, Format("%s %s what %s %s, %s", Name(*machine.current).c_str(), does,
                    Name(other.block, other.thread).c_str(), did, lacks));
}

/// Whether the fence came too late for the atomics by which the running thread's block met the other.
bool IsFenceLate(const Moment& store) {
  const Block& block = *machine.current->block;
  const auto knows = [&](const Thread& thread) { return thread.met.Knows(store.block, store.fence); };
  return block.has_done_atomics && std::none_of(block.threads.begin(), block.threads.end(), knows);
}

void CheckStore(const Place& place, const char* does, bool reads) {
  if (!place.stored || Precedes(place.store)) return;
  if (place.store.block == machine.current->block->number) {
    FailOrder(Kind::kGlobalRace, does, place.store, "stored", "with no barrier in between");
  }
  if (!reads) {
    FailOrder(Kind::kGlobalRace, does, place.store, "stored", "with nothing that puts one before the other");
  }
  if (place.store.fence == 0) {
    FailOrder(Kind::kUnpublishedStore, does, place.store, "stored",
              "with no fence there by a thread that sees the store");
  }
  if (IsFenceLate(place.store)) {
    FailOrder(Kind::kUnpublishedStore, does, place.store, "stored",
              "with no fence there before the atomic that the two blocks met at");
  }
  FailOrder(Kind::kReadWithoutAcquire, does, place.store, "stored",
            "with no fence here after an atomic that comes after the fence there");
}

void CheckReaders(const Place& place, const char* does) {
  for (const Readers& readers : place.readers) {
    for (const Moment& reader : {readers.first, readers.second}) {
      if (Precedes(reader)) continue;
      FailOrder(Kind::kGlobalRace, does, reader, "has read", "with nothing that puts one before the other");
    }
  }
}

/// For loads and stores of a place that has atomics, too. Who did the last one comes after all of them.
void CheckAtomics(const Place& place, const char* does, Kind kind) {
  if (!place.has_atomics) return;
  const unsigned own = machine.current->block->number;
  if (place.last_atomic.block == own) {
    if (!PrecedesInBlock(place.last_atomic)) {
      FailOrder(Kind::kGlobalRace, does, place.last_atomic, "changed by an atomic",
                "with no barrier in between");
    }
    return;
  }
  for (unsigned block = 0; block < place.atomics.size(); ++block) {
    const std::uint32_t fence = place.atomics.Get(block);
    if (block == own || fence == 0 || Acquired(block, fence)) continue;
    FailOrder(kind, does, place.last_atomic, "changed by an atomic",
              Format("with no order after the atomics of block %u", block).c_str());
  }
}

void AddReader(Place& place) {
  const Moment now = Now();
  for (Readers& readers : place.readers) {
    if (readers.first.block != now.block) continue;
    if (readers.first.interval != now.interval || readers.first.thread == now.thread) {
      readers = {now, now};
    } else {
      readers.second = now;
    }
    return;
  }
  place.readers.push_back({now, now});
}

}  // namespace

void NoteLoad(std::uintptr_t address) {
  if (!machine.configuration.global_ordering) return;
  Place& place = places[address];
  CheckStore(place, "loads", true);
  CheckAtomics(place, "loads", Kind::kReadWithoutAcquire);
  AddReader(place);
}

void NoteStore(std::uintptr_t address) {
  if (!machine.configuration.global_ordering) return;
  Place& place = places[address];
  CheckStore(place, "overwrites", false);
  CheckAtomics(place, "overwrites", Kind::kGlobalRace);
  CheckReaders(place, "overwrites");
  place.readers.clear();
  place.stored = true;
  place.store = Now();
  place.store.fence = 0;
}

void NoteAtomic(std::uintptr_t address) {
  if (!machine.configuration.global_ordering) return;
  Place& place = places[address];
  CheckStore(place, "changes by an atomic", true);
  CheckReaders(place, "changes by an atomic");
  place.readers.clear();
  place.stored = false;  // in order for whoever has an order with this
  place.has_atomics = true;
  place.last_atomic = Now();
  place.atomics.Learn(place.last_atomic.block, place.last_atomic.fence);
}

bool FindStore(std::uintptr_t address, unsigned* block, unsigned* thread) {
  const auto found = places.find(address);
  if (found == places.end() || (!found->second.stored && !found->second.has_atomics)) return false;
  const Moment& last = found->second.stored ? found->second.store : found->second.last_atomic;
  *block = last.block;
  *thread = last.thread;
  return true;
}

void MeetAtAtomic(std::uintptr_t address) {
  if (!machine.configuration.global_ordering) return;
  Place& place = places[address];
  machine.current->block->has_done_atomics = true;
  machine.current->met.Join(place.released);
  place.released.Join(machine.current->released);
}

void BeginFence(Thread& thread) {
  Block& block = *thread.block;
  ++block.fences;
  if (!machine.configuration.global_ordering) return;
  thread.acquired.Join(thread.met);
  thread.released.Join(thread.acquired);
  thread.released.Join(block.acquired);
  thread.released.Learn(block.number, block.fences);
}

void NotePublished(std::uintptr_t address, const Block& block) {
  if (!machine.configuration.global_ordering) return;
  Place& place = places[address];
  if (place.stored && place.store.block == block.number && place.store.fence == 0) {
    place.store.fence = block.fences;
  }
}

void ShareAcquiredInWarp(Thread& thread, std::uint32_t mask) {
  BlockClock all;
  Thread* first = &thread - thread.lane;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1) != 0) all.Join(first[lane].acquired);
  }
  if (all.empty()) return;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1) != 0) first[lane].acquired.Join(all);
  }
}

void StartLaunchOrder() { places.clear(); }

}  // namespace emulator
