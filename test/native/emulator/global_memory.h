// Which memory of the process counts as global memory of the GPU, and loads and stores that stay within it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "emulator/machine.h"

namespace emulator {

struct Region {
  std::string name;
  std::uintptr_t begin;
  std::uintptr_t end;
  bool writable;
  /// Who has written sixteen bytes with StoreVector(): the launch and the thread; empty before the first.
  std::vector<std::uint64_t> writers;
};

/// Memory that kernels may access, for as long as this lives.
class Registration {
 public:
  explicit Registration(std::shared_ptr<Region> region) : region_(std::move(region)) {}
  ~Registration();
  Registration(Registration&&) = default;
  Registration& operator=(Registration&& other) noexcept {
    std::swap(region_, other.region_);
    return *this;
  }

 private:
  std::shared_ptr<Region> region_;
};

/// Lets kernels read, and write where `writable`, `bytes` from `memory`. What is registered as a whole is
/// taken for one array: to see an access beyond the end of a tensor, register each tensor.
[[nodiscard]] Registration RegisterMemory(const std::string& name, const void* memory, std::size_t bytes,
                                          bool writable);

/// The regions found last, by their pages.
inline constexpr std::size_t kRecentRegions = 64;
inline Region* recent_regions[kRecentRegions] = {};

/// What there is at an address that is in no region, if anybody knows: then reports say so.
inline std::string (*describe_unregistered)(std::uintptr_t address) = nullptr;

/// Finds the region of an access that is not in recent_regions, or fails.
Region& FindRegion(std::uintptr_t address, std::size_t size, std::size_t alignment, bool write);

/// Checks that an access is to registered memory. Null where that is not looked for.
inline Region* CheckGlobal(std::uintptr_t address, std::size_t size, std::size_t alignment, bool write) {
  if (!machine.configuration.global_bounds) return nullptr;
  Region* recent = recent_regions[address / 4096 % kRecentRegions];
  if (recent != nullptr && address >= recent->begin && address + size <= recent->end &&
      address % alignment == 0 && (!write || recent->writable)) {
    return recent;
  }
  return &FindRegion(address, size, alignment, write);
}

/// Fails if another thread has written these sixteen bytes in this launch; `write`: notes that this one does.
void NoteVector(Region& region, std::uintptr_t address, bool write);
/// Fails if anyone has written there in this launch: read-only caches do not notice.
void CheckUnwritten(const Region& region, std::uintptr_t address);

/// The writers of earlier launches are past.
void StartLaunchVectors();

/// Reads memory that nobody writes in this launch.
template <typename T>
T LoadReadOnly(const void* from, std::size_t alignment = alignof(T)) {
  Tick();
  const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(from);
  Region* region = CheckGlobal(address, sizeof(T), alignment, false);
  if (region != nullptr && region->writable) CheckUnwritten(*region, address);
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Reads and writes memory that one thread has for itself.
template <typename T>
T LoadOwn(const void* from) {
  static_assert(sizeof(T) == 16);
  Tick();
  const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(from);
  Region* region = CheckGlobal(address, sizeof(T), sizeof(T), false);
  if (region != nullptr && !region->writers.empty()) NoteVector(*region, address, false);
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <typename T>
void StoreOwn(void* to, T value) {
  static_assert(sizeof(T) == 16);
  Tick();
  const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(to);
  Region* region = CheckGlobal(address, sizeof(T), sizeof(T), true);
  if (region != nullptr) NoteVector(*region, address, true);
  std::memcpy(to, &value, sizeof value);
}

}  // namespace emulator
