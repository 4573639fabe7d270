#include "emulator/device_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "emulator/address_range.h"
#include "emulator/global_memory.h"

namespace emulator {
namespace {

struct Allocation {
  Memory memory;
  int device;
  std::uintptr_t begin;
  std::int64_t bytes;
  int number;
  bool freed = false;
  bool foreign = false;                      // of whoever uses the addon: no tables of ours in it
  std::optional<Registration> registration;  // what kernels may access

  std::uintptr_t end() const { return begin + static_cast<std::uintptr_t>(bytes); }
};

/// What there is of all this in a process. Never destroyed: threads may still ask when the process ends.
struct Book {
  /// Of allocations, but not of what lies in them.
  std::mutex mutex;
  std::map<std::uintptr_t, Allocation> allocations;  // by where they begin
  std::deque<std::uintptr_t> freed;                  // oldest first
  std::int64_t freed_bytes = 0;
  std::int64_t device_limit = std::int64_t{1} << 32;
  std::int64_t pinned_limit = std::int64_t{1} << 32;
  std::map<int, std::int64_t> used;  // by device
  MemoryCounters counters;
  int next_number = 1;

  /// Held while memory of devices may be touched.
  std::mutex access;
  AddressRange devices;
  AddressRange host;
};
Book& Get() {
  static Book& book = *new Book;
  return book;
}

/// What was freed stays as it is, for whoever uses it still, up to so many bytes.
constexpr std::int64_t kMostFreedBytes = 64 << 20;

const char* NameOf(Memory memory) {
  return memory == Memory::kDevice ? "device" : memory == Memory::kManaged ? "managed" : "page-locked";
}

std::string Describe(const Allocation& allocation) {
  std::string name = NameOf(allocation.memory);
  if (allocation.device > 0) name += " " + std::to_string(allocation.device);
  return name + " allocation " + std::to_string(allocation.number);
}

/// The allocation, perhaps a freed one, that begins last at or before an address. Needs the mutex.
Allocation* FindBefore(std::uintptr_t address) {
  auto& allocations = Get().allocations;
  const auto next = allocations.upper_bound(address);
  return next == allocations.begin() ? nullptr : &std::prev(next)->second;
}

/// That `address` lies in.
Allocation* Find(std::uintptr_t address) {
  Allocation* const before = FindBefore(address);
  return before != nullptr && address < before->end() ? before : nullptr;
}

bool IsOurs(std::uintptr_t address) {
  return Get().devices.Contains(address) || Get().host.Contains(address);
}

std::uintptr_t Number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

std::string DescribeNumber(std::uintptr_t address) {
  std::lock_guard lock(Get().mutex);
  const Allocation* const found = IsOurs(address) ? FindBefore(address) : nullptr;
  if (found == nullptr) return "an address of the host";
  std::string text = "byte " + std::to_string(address - found->begin) + " of " + Describe(*found) + " (" +
                     std::to_string(found->bytes) + " bytes)";
  return found->freed ? text + ", which has been freed" : text;
}

void ForgetOldest(Book& book) {
  const auto oldest = book.allocations.find(book.freed.front());
  book.freed_bytes -= oldest->second.bytes;
  AddressRange& range = oldest->second.memory == Memory::kDevice ? book.devices : book.host;
  range.Discard(oldest->second.begin, oldest->second.bytes);
  book.allocations.erase(oldest);
  book.freed.pop_front();
}

bool Fits(Book& book, Memory memory, int device, std::int64_t bytes) {
  if (memory == Memory::kPinnedHost) return bytes <= book.pinned_limit - book.counters.pinned_bytes;
  return bytes <= book.device_limit - book.used[device];
}

void Count(Book& book, const Allocation& allocation, int sign) {
  MemoryCounters& counters = book.counters;
  const std::int64_t bytes = sign * allocation.bytes;
  if (allocation.memory == Memory::kPinnedHost) {
    counters.pinned_bytes += bytes;
    counters.live_pinned_allocations += sign;
    if (sign > 0) ++counters.pinned_allocations;
    return;
  }
  book.used[allocation.device] += bytes;
  counters.device_bytes += bytes;
  counters.peak_device_bytes = std::max(counters.peak_device_bytes, counters.device_bytes);
  counters.live_allocations += sign;
  if (sign > 0) ++counters.allocations;
}

}  // namespace

void* AllocateMemory(Memory memory, int device, std::int64_t bytes) {
  Book& book = Get();
  if (memory == Memory::kPinnedHost) device = -1;
  // No kernel runs while it is registered what kernels may access.
  const MemoryAccess access;
  std::lock_guard lock(book.mutex);
  if (bytes <= 0 || !Fits(book, memory, device, bytes)) return nullptr;
  AddressRange& range = memory == Memory::kDevice ? book.devices : book.host;
  const std::uintptr_t begin = range.Take(bytes);
  if (begin == 0) return nullptr;
  void* const address = reinterpret_cast<void*>(begin);
  std::memset(address, 0xff, static_cast<std::size_t>(bytes));
  Allocation allocation = {memory, device, begin, bytes, book.next_number++, false, is_users_thread, {}};
  if (memory != Memory::kPinnedHost) {
    describe_unregistered = DescribeNumber;
    allocation.registration.emplace(
        RegisterMemory(Describe(allocation), address, static_cast<std::size_t>(bytes), true));
  }
  Count(book, allocation, 1);
  book.allocations.emplace(begin, std::move(allocation));
  return address;
}

bool FreeMemory(bool pinned, void* address) {
  Book& book = Get();
  const MemoryAccess access;
  std::lock_guard lock(book.mutex);
  const auto found = book.allocations.find(Number(address));
  if (found == book.allocations.end()) return false;
  Allocation& allocation = found->second;
  if (allocation.freed || (allocation.memory == Memory::kPinnedHost) != pinned) return false;
  allocation.freed = true;
  allocation.registration.reset();
  std::memset(address, 0xff, static_cast<std::size_t>(allocation.bytes));
  Count(book, allocation, -1);
  book.freed.push_back(allocation.begin);
  book.freed_bytes += allocation.bytes;
  while (book.freed_bytes > kMostFreedBytes) ForgetOldest(book);
  return true;
}

void LimitMemory(std::int64_t device_bytes, std::int64_t pinned_bytes) {
  std::lock_guard lock(Get().mutex);
  Get().device_limit = device_bytes;
  Get().pinned_limit = pinned_bytes;
}

Pointer InspectMemory(const void* address) {
  std::lock_guard lock(Get().mutex);
  const Allocation* const found = Find(Number(address));
  if (found == nullptr || found->freed) return {};
  return {found->memory, found->device};
}

std::string WhatIsWrong(const void* address, std::int64_t bytes) {
  const std::uintptr_t begin = Number(address);
  {
    std::lock_guard lock(Get().mutex);
    const Allocation* const found = Find(begin);
    if (found == nullptr && !IsOurs(begin)) return "";
    const std::uintptr_t end = begin + static_cast<std::uintptr_t>(bytes);
    if (found != nullptr && !found->freed && end <= found->end()) return "";
  }
  return std::to_string(bytes) + " bytes from " + DescribeNumber(begin);
}

std::string DescribeAddress(const void* address) { return DescribeNumber(Number(address)); }

namespace {

/// Whether a word is, as good as certainly, an address of memory that this process has and devices have not.
bool IsHostAddress(std::uint64_t word) {
  // Not the heap of a program that lies low: there any float might point.
  constexpr std::uint64_t kLowest = std::uint64_t{1} << 32, kHighest = std::uint64_t{1} << 47;
  if (word < kLowest || word >= kHighest || Get().devices.Contains(word)) return false;
  {
    std::lock_guard lock(Get().mutex);
    const Allocation* const found = Find(word);
    if (found != nullptr && found->memory == Memory::kPinnedHost) return true;
  }
  // What stands between the members of a structure may be half of an address, above a small number. One in
  // 4096 addresses that chance gives to a process looks like that.
  if ((word & 0xffffffffu) < 1 << 20) return false;
  const std::uint64_t page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  unsigned char resident;
  if (mincore(reinterpret_cast<void*>(word / page * page), 1, &resident) != 0) return false;
  std::lock_guard lock(Get().mutex);
  const Allocation* const found = Find(word);
  return found == nullptr || found->memory != Memory::kManaged;
}

}  // namespace

std::string FindForeignAddress(const std::vector<std::uint64_t>& words) {
  /// Tables are small, and not of those who use the addon: the rest holds gradients, where any word may be.
  constexpr std::int64_t kMostBytes = 1 << 20;
  std::set<std::uintptr_t> seen;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string where = "the word at byte " + std::to_string(8 * i) + " of its arguments";
    if (IsHostAddress(words[i])) return where + " is an address of the host";
    Allocation table;
    {
      std::lock_guard lock(Get().mutex);
      const Allocation* const found = Find(words[i]);
      if (found == nullptr || found->memory == Memory::kPinnedHost) continue;
      table = {found->memory, found->device, found->begin,   found->bytes,
               found->number, found->freed,  found->foreign, {}};
    }
    if (table.freed) return where + " is the address of " + DescribeNumber(words[i]);
    if (table.foreign || table.bytes > kMostBytes || !seen.insert(table.begin).second) continue;
    for (std::int64_t byte = 0; byte + 8 <= table.bytes; byte += 8) {
      std::uint64_t word;
      std::memcpy(&word, reinterpret_cast<const void*>(table.begin + static_cast<std::uintptr_t>(byte)), 8);
      if (IsHostAddress(word))
        return "the word at byte " + std::to_string(byte) + " of " + Describe(table) + ", which " + where +
               " points to, is an address of the host";
    }
  }
  return "";
}

MemoryAccess::MemoryAccess() : lock_(Get().access) { Get().devices.Open(); }
MemoryAccess::~MemoryAccess() { Get().devices.Close(); }

MemoryCounters CountMemory() {
  std::lock_guard lock(Get().mutex);
  return Get().counters;
}

void ResetMemoryCounters() {
  std::lock_guard lock(Get().mutex);
  MemoryCounters& counters = Get().counters;
  counters.allocations = counters.pinned_allocations = 0;
  counters.peak_device_bytes = counters.device_bytes;
}

}  // namespace emulator
