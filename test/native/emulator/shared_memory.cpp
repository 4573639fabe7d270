#include "emulator/shared_memory.h"

#include <bit>

namespace emulator {
namespace {

const char* Verb(bool write) { return write ? "writes" : "reads"; }

[[noreturn]] void FailRace(const Thread& thread, unsigned offset, bool write, unsigned other, bool wrote) {
  Fail(Kind::kSharedRace,
       Format("%s %s byte %u of shared memory, which thread %u %s with no barrier in between",
              Name(thread).c_str(), Verb(write), offset, other, wrote ? "wrote" : "read"));
}

/// Whether something that a thread of the same block did at `time`, after the last barrier, comes before what
/// this thread does.
bool Precedes(unsigned other, std::uint32_t time, const Thread& thread) {
  if (other == thread.index) return true;
  return other / 32 == thread.index / 32 && thread.warp->order.Knows(thread.lane, other % 32, time);
}

void CheckAgainstWriter(const Thread& thread, const Shadow& shadow, unsigned offset, bool write) {
  if (shadow.write_interval != thread.block->interval) return;
  if (!Precedes(shadow.writer, shadow.write_time, thread))
    FailRace(thread, offset, write, shadow.writer, true);
}

}  // namespace

void FailSharedBounds(std::int64_t offset, std::size_t size, bool write) {
  const Thread& thread = *machine.current;
  Fail(Kind::kSharedOutOfBounds,
       Format("%s %s %zu bytes from byte %lld of shared memory, which has %u", Name(thread).c_str(),
              Verb(write), size, static_cast<long long>(offset), thread.block->shared_bytes));
}

void FailSharedAlignment(std::int64_t offset, std::size_t alignment, bool write) {
  Fail(Kind::kSharedMisaligned,
       Format("%s %s shared memory at byte %lld, which is no multiple of %zu", Name(*machine.current).c_str(),
              Verb(write), static_cast<long long>(offset), alignment));
}

void NoteSharedRead(Thread& thread, Shadow& shadow, unsigned offset) {
  const Block& block = *thread.block;
  if (shadow.write_interval < block.first_interval && machine.configuration.shared_initialised) {
    Fail(Kind::kSharedUninitialised,
         Format("%s reads byte %u of shared memory, which nobody has written", Name(thread).c_str(), offset));
  }
  if (!machine.configuration.shared_races) return;
  CheckAgainstWriter(thread, shadow, offset, false);

  const std::uint16_t warp = static_cast<std::uint16_t>(thread.index / 32);
  const std::uint32_t lane = std::uint32_t{1} << thread.lane;
  const std::uint32_t now = thread.warp->order.now();
  if (shadow.read_interval != block.interval) {
    shadow.read_interval = block.interval;
    shadow.read_time = now;
    shadow.read_lanes = lane;
    shadow.read_warp = warp;
    shadow.read_by_warps = false;
  } else if (shadow.read_warp != warp) {
    shadow.read_by_warps = true;
    shadow.other_reader = static_cast<std::uint16_t>(thread.index);
  } else if (shadow.read_time == now) {
    shadow.read_lanes |= lane;
  } else {
    // Readers that this one follows need no memory: who comes after this one comes after them. The time of
    // the others stands for all (too early for this one: a race with it may be missed, none is made up).
    std::uint32_t rest = shadow.read_lanes & ~lane;
    for (std::uint32_t left = rest; left != 0; left &= left - 1) {
      const unsigned other = static_cast<unsigned>(std::countr_zero(left));
      if (thread.warp->order.Knows(thread.lane, other, shadow.read_time)) rest &= ~(1u << other);
    }
    if (rest == 0) shadow.read_time = now;
    shadow.read_lanes = rest | lane;
  }
}

void NoteSharedWrite(Thread& thread, Shadow& shadow, unsigned offset) {
  const Block& block = *thread.block;
  if (machine.configuration.shared_races) {
    CheckAgainstWriter(thread, shadow, offset, true);
    if (shadow.read_interval == block.interval) {
      if (shadow.read_by_warps && shadow.read_warp == thread.index / 32) {
        FailRace(thread, offset, true, shadow.other_reader, false);
      }
      for (std::uint32_t left = shadow.read_lanes; left != 0; left &= left - 1) {
        const unsigned reader = shadow.read_warp * 32u + static_cast<unsigned>(std::countr_zero(left));
        if (!Precedes(reader, shadow.read_time, thread)) FailRace(thread, offset, true, reader, false);
      }
    }
  }
  shadow.write_interval = block.interval;
  shadow.write_time = thread.warp->order.now();
  shadow.writer = static_cast<std::uint16_t>(thread.index);
}

}  // namespace emulator
