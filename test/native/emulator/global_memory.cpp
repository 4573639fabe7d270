#include "emulator/global_memory.h"

#include <algorithm>
#include <iterator>

#include "emulator/global_order.h"

namespace emulator {
namespace {

std::vector<std::shared_ptr<Region>> regions;
std::uint32_t launch = 0;

void ForgetRecent() { std::fill(std::begin(recent_regions), std::end(recent_regions), nullptr); }

/// Writers are known by launch, in the upper half, and number in the grid.
std::uint64_t RunningWriter() {
  const Thread& thread = *machine.current;
  return std::uint64_t{launch} << 32 | (std::uint64_t{thread.block->number} * machine.threads + thread.index);
}

std::size_t VectorIndex(const Region& region, std::uintptr_t address) {
  return address / 16 - region.begin / 16;
}

std::string Describe(std::uintptr_t address, const Region& region) {
  return Format("byte %lld of \"%s\" (%zu bytes)", static_cast<long long>(address - region.begin),
                region.name.c_str(), static_cast<std::size_t>(region.end - region.begin));
}

[[noreturn]] void FailWritten(const Region& region, std::uintptr_t address, const char* does, unsigned block,
                              unsigned thread) {
  Fail(Kind::kGlobalRace,
       Format("%s %s %s, which %s has written in this launch", Name(*machine.current).c_str(), does,
              Describe(address, region).c_str(), Name(block, thread).c_str()));
}

/// Fails if someone else than `except` has written these sixteen bytes with StoreVector() in this launch.
void CheckWriter(const Region& region, std::uintptr_t address, std::uint64_t except, const char* does) {
  const std::uint64_t writer = region.writers[VectorIndex(region, address)];
  if (writer >> 32 != launch || writer == except) return;
  const unsigned number = static_cast<unsigned>(writer);
  FailWritten(region, address, does, number / machine.threads, number % machine.threads);
}

std::uintptr_t Distance(const Region& region, std::uintptr_t address) {
  if (address < region.begin) return region.begin - address;
  return address < region.end ? 0 : address - region.end;
}

}  // namespace

Registration::~Registration() {
  if (region_ == nullptr) return;
  std::erase(regions, region_);
  ForgetRecent();
}

Registration RegisterMemory(const std::string& name, const void* memory, std::size_t bytes, bool writable) {
  const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(memory);
  auto region = std::make_shared<Region>(Region{name, begin, begin + bytes, writable, {}});
  regions.push_back(region);
  ForgetRecent();
  return Registration(region);
}

Region& FindRegion(std::uintptr_t address, std::size_t size, std::size_t alignment, bool write) {
  const char* does = write ? "writes" : "reads";
  const std::string thread = Name(*machine.current);
  const Region* nearest = nullptr;
  Region* read_only = nullptr;
  for (const std::shared_ptr<Region>& region : regions) {
    if (address >= region->begin && address + size <= region->end) {
      if (address % alignment != 0) {
        Fail(Kind::kGlobalMisaligned,
             Format("%s %s %zu bytes at %s, an address that is no multiple of %zu", thread.c_str(), does,
                    size, Describe(address, *region).c_str(), alignment));
      }
      if (region->writable || !write) {
        recent_regions[address / 4096 % kRecentRegions] = region.get();
        return *region;
      }
      read_only = region.get();
    }
    if (nearest == nullptr || Distance(*region, address) < Distance(*nearest, address))
      nearest = region.get();
  }
  if (read_only != nullptr) {
    Fail(Kind::kGlobalReadOnly, thread + " writes " + Describe(address, *read_only));
  }
  if (describe_unregistered != nullptr) {
    Fail(Kind::kGlobalOutOfBounds,
         Format("%s %s %zu bytes at %s", thread.c_str(), does, size, describe_unregistered(address).c_str()));
  }
  Fail(Kind::kGlobalOutOfBounds,
       nearest == nullptr ? Format("%s %s global memory, but none is registered", thread.c_str(), does)
                          : Format("%s %s %zu bytes at %s", thread.c_str(), does, size,
                                   Describe(address, *nearest).c_str()));
}

void NoteVector(Region& region, std::uintptr_t address, bool write) {
  if (!machine.configuration.global_ordering) return;
  if (region.writers.empty()) region.writers.resize((region.end + 15) / 16 - region.begin / 16);
  const std::uint64_t running = RunningWriter();
  CheckWriter(region, address, running, write ? "overwrites" : "reads");
  if (write) region.writers[VectorIndex(region, address)] = running;
}

void CheckUnwritten(const Region& region, std::uintptr_t address) {
  if (!machine.configuration.global_ordering) return;
  constexpr const char* kDoes = "reads as memory that does not change";
  constexpr std::uint64_t kNobody = 0;
  if (!region.writers.empty()) CheckWriter(region, address, kNobody, kDoes);
  unsigned block = 0, thread = 0;
  if (FindStore(address, &block, &thread)) FailWritten(region, address, kDoes, block, thread);
}

void StartLaunchVectors() { ++launch; }

}  // namespace emulator
