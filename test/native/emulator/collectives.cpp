#include "emulator/collectives.h"

#include "emulator/weak_memory.h"

namespace emulator {
namespace {

std::string Name(const Site& site) { return Format("%s (%s:%d)", site.call, site.file, site.line); }

/// In place of a lane as the source: the thread's own value, or the votes of all.
constexpr int kOwn = -1;
constexpr int kVotes = -2;

/// What lanes get whose meeting is complete.
void Deliver(Block& block, unsigned first, const Meeting& meeting) {
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((meeting.mask >> lane & 1) == 0) continue;
    Thread& thread = block.threads[first + lane];
    const int source = meeting.sources[lane];
    thread.received = source == kVotes ? meeting.votes
                      : source == kOwn ? meeting.values[lane]
                                       : meeting.values[source];
    if (thread.state == State::kInCollective) thread.state = State::kRunnable;
  }
}

void CheckSources(const Thread& thread, const Meeting& meeting) {
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((meeting.mask >> lane & 1) == 0 || meeting.sources[lane] < 0) continue;
    if ((meeting.mask >> meeting.sources[lane] & 1) != 0) continue;
    Fail(
        Kind::kDivergentCollective,
        Format("%s: lane %u takes a value from lane %d, which is not in the mask %08x of %s",
               Name(thread).c_str(), lane, meeting.sources[lane], meeting.mask, Name(*meeting.site).c_str()));
  }
}

/// Waits until all lanes of `mask` are at `site`. `order`: whether memory operations before come before those
/// after.
std::uint64_t Meet(std::uint32_t mask, std::uint64_t value, int source, bool order, const Site* site) {
  Thread& thread = *machine.current;
  Warp& warp = *thread.warp;
  if ((mask >> thread.lane & 1) == 0) {
    Fail(Kind::kDivergentCollective, Format("%s calls %s with mask %08x, which its own lane %u is not in",
                                            Name(thread).c_str(), Name(*site).c_str(), mask, thread.lane));
  }
  std::size_t at = 0;
  while (at < warp.meetings.size() && (warp.meetings[at].site != site || warp.meetings[at].mask != mask)) {
    ++at;
  }
  if (at == warp.meetings.size()) warp.meetings.emplace_back(site, mask);
  Meeting& meeting = warp.meetings[at];
  meeting.arrived |= std::uint32_t{1} << thread.lane;
  if (value != 0) meeting.votes |= std::uint32_t{1} << thread.lane;
  meeting.values[thread.lane] = value;
  meeting.sources[thread.lane] = source;
  if (meeting.arrived != mask) {
    thread.state = State::kInCollective;
    thread.site = site;
    GiveWay();
    return thread.received;
  }

  CheckSources(thread, meeting);
  Deliver(*thread.block, thread.index - thread.lane, meeting);
  warp.meetings.erase(warp.meetings.begin() + static_cast<std::ptrdiff_t>(at));
  if (order) {
    warp.order.Synchronise(mask);
    ShareStoresInWarp(thread, mask);
  }
  const std::uint64_t received = thread.received;
  // Who comes last goes on first, unless chance has it otherwise.
  if (machine.configuration.order == Order::kRandom && Random() % 2 == 0) GiveWay();
  return received;
}

}  // namespace

std::uint64_t Exchange(std::uint32_t mask, std::uint64_t value, int source, const Site* site) {
  if (source < 0 || source > 31) source = kOwn;
  return Meet(mask, value, source, machine.configuration.collectives_order_memory, site);
}

std::uint32_t Ballot(std::uint32_t mask, bool predicate, const Site* site) {
  const bool order = machine.configuration.collectives_order_memory;
  return static_cast<std::uint32_t>(Meet(mask, predicate, kVotes, order, site));
}

void SyncWarp(std::uint32_t mask, const Site* site) { Meet(mask, 0, kOwn, true, site); }

void SyncThreads(const Site* site) {
  Thread& thread = *machine.current;
  Block& block = *thread.block;
  if (machine.configuration.strict_barriers) {
    if (block.waiting != 0 && block.barrier != site) {
      Fail(Kind::kDivergentBarrier, Format("%s is at %s, while %u threads wait at %s", Name(thread).c_str(),
                                           Name(*site).c_str(), block.waiting, Name(*block.barrier).c_str()));
    }
    if (block.returned != 0) {
      Fail(Kind::kBarrierAfterReturn,
           Format("%s is at %s, but %u of %zu threads have returned", Name(thread).c_str(),
                  Name(*site).c_str(), block.returned, block.threads.size()));
    }
  }
  block.barrier = site;
  thread.state = State::kAtBarrier;
  thread.site = site;
  ++block.waiting;
  OpenBarrierIfAllAreThere(block);
  GiveWay();
}

void OpenBarrierIfAllAreThere(Block& block) {
  if (block.waiting == 0 || block.waiting + block.returned < block.threads.size()) return;
  for (Thread& thread : block.threads) {
    if (thread.state == State::kAtBarrier) thread.state = State::kRunnable;
  }
  block.waiting = 0;
  ++block.interval;
  ShareStoresInBlock(block);
}

void NoteReturn(Thread& thread) {
  Block& block = *thread.block;
  if (machine.configuration.strict_barriers && block.waiting != 0) {
    Fail(Kind::kBarrierAfterReturn, Format("%s returns, while %u threads wait at %s", Name(thread).c_str(),
                                           block.waiting, Name(*block.barrier).c_str()));
  }
  thread.state = State::kReturned;
  ++block.returned;
  OpenBarrierIfAllAreThere(block);
}

}  // namespace emulator
