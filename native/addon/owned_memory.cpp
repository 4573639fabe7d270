#include "addon/owned_memory.h"

#include <atomic>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace pike {
namespace {

constexpr std::int64_t kReleasedAtOnce = std::int64_t{4} << 20;

/// Large memories begin in different sets of the caches, or else the same columns of more rows than a cache
/// has ways would drive one another out. Some pages and lines further than the last one, then again from the
/// start.
constexpr std::int64_t kStaggeredFrom = std::int64_t{4} << 20;
constexpr std::int64_t kStagger = 4096 + 2 * 64;
constexpr std::int64_t kPlaces = 32;

std::int64_t NextOffset(std::int64_t bytes) {
  static std::atomic<std::int64_t> count{0};
  if (bytes < kStaggeredFrom) return 0;
  return count.fetch_add(1, std::memory_order_relaxed) % kPlaces * kStagger;
}

/// All owned memory of the process, by its address.
struct Registry {
  std::mutex mutex;
  std::map<std::uintptr_t, std::weak_ptr<OwnedMemory>> memories;

  /// Never destroyed: memory may be let go by threads that outlive static objects.
  static Registry& Get() {
    static Registry& registry = *new Registry;
    return registry;
  }
};

std::uintptr_t AddressOf(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

}  // namespace

std::shared_ptr<OwnedMemory> OwnedMemory::TryAllocate(std::int64_t bytes) {
  const std::int64_t offset = NextOffset(bytes);
  AlignedBuffer buffer = AlignedBuffer::TryAllocateZeros(offset + bytes);
  if (!buffer) return nullptr;
  auto memory = std::make_shared<OwnedMemory>(std::move(buffer), offset);
  Registry& registry = Registry::Get();
  std::lock_guard lock(registry.mutex);
  registry.memories.emplace(AddressOf(memory->data()), memory);
  return memory;
}

std::shared_ptr<OwnedMemory> OwnedMemory::Holding(const void* address, std::int64_t bytes) {
  Registry& registry = Registry::Get();
  std::shared_ptr<OwnedMemory> memory;  // outlives the lock: its end takes the lock, too
  std::lock_guard lock(registry.mutex);
  auto after = registry.memories.upper_bound(AddressOf(address));
  if (after == registry.memories.begin()) return nullptr;
  memory = std::prev(after)->second.lock();
  if (!memory) return nullptr;
  const std::uintptr_t offset = AddressOf(address) - AddressOf(memory->data());
  const auto size = static_cast<std::uintptr_t>(memory->bytes());
  const bool inside = offset <= size && static_cast<std::uintptr_t>(bytes) <= size - offset;
  return inside ? memory : nullptr;
}

/// Before the memory is freed, so that its address cannot have come to another one yet.
OwnedMemory::~OwnedMemory() {
  Registry& registry = Registry::Get();
  std::lock_guard lock(registry.mutex);
  registry.memories.erase(AddressOf(data()));
}

void OwnedMemory::KeepForever(std::shared_ptr<OwnedMemory> memory) noexcept {
  OwnedMemory& kept = *memory;
  kept.itself_ = std::move(memory);
}

void OwnedMemory::Release(std::shared_ptr<OwnedMemory> memory) {
  if (!memory || memory->bytes() <= kReleasedAtOnce) return;
  try {
    std::thread([memory = std::move(memory)]() mutable { memory.reset(); }).detach();
  } catch (const std::system_error&) {
    // No thread to be had: it is freed here.
  }
}

}  // namespace pike
