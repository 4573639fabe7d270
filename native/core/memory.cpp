#include "core/memory.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "core/control_groups.h"
#include "core/system_files.h"

#if defined(_WIN32)
#include <malloc.h>
#define NOMINMAX
#include <windows.h>
#else
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace pike {
namespace {

constexpr std::size_t kVectorAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
/// From here on zeros are mapped, not written.
constexpr std::int64_t kMappedFrom = std::int64_t{1} << 20;

/// From here on it is worth the time to ask, some tens of microseconds.
constexpr std::int64_t kLarge = std::int64_t{64} << 20;

/// What no process can use more of.
std::int64_t PhysicalMemory() {
#if defined(_WIN32)
  return INT64_MAX;  // does not overcommit
#else
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0 ? std::int64_t{pages} * page : INT64_MAX;
#endif
}

#if defined(__linux__)

/// What a limit of the address space leaves (ulimit -v).
std::int64_t LeftInAddressSpace() {
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur > static_cast<rlim_t>(INT64_MAX)) return INT64_MAX;
  const std::int64_t used = NumberIn("/proc/self/status", "VmSize:") * 1024;
  return std::max<std::int64_t>(static_cast<std::int64_t>(limit.rlim_cur) - used, 0);
}

std::int64_t AvailableMemory() {
  const std::int64_t available = NumberIn("/proc/meminfo", "MemAvailable:");
  const std::int64_t swap = std::max<std::int64_t>(NumberIn("/proc/meminfo", "SwapFree:"), 0);
  const std::int64_t left = available >= 0 ? (available + swap) * 1024 : PhysicalMemory();
  return std::min({left, LeftInAddressSpace(), LeftInControlGroups()});
}

#else

std::int64_t AvailableMemory() { return PhysicalMemory(); }

#endif

}  // namespace

bool MayBeHad(std::int64_t bytes) noexcept {
  if (bytes < kLarge) return true;
  if (bytes > PhysicalMemory()) return false;
  try {
    return bytes <= AvailableMemory();
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void RequireMemory(std::int64_t bytes) {
  if (!MayBeHad(bytes)) throw std::bad_alloc();
}

AlignedBuffer AlignedBuffer::TryAllocate(std::int64_t bytes) noexcept {
  AlignedBuffer buffer;
  if (bytes < 0 || !MayBeHad(bytes)) return buffer;
  const std::size_t size = bytes == 0 ? 1 : static_cast<std::size_t>(bytes);
  // With pages of 4 KiB, reading a large vector spends about as long on address translation as on memory.
  const bool huge = size >= 2 * kHugePage;
  const std::size_t alignment = huge ? kHugePage : kVectorAlignment;
#if defined(_WIN32)
  buffer.data_ = _aligned_malloc(size, alignment);
#else
  if (posix_memalign(&buffer.data_, alignment, size) != 0) buffer.data_ = nullptr;
#if defined(MADV_HUGEPAGE)
  if (huge && buffer.data_ != nullptr)
    madvise(buffer.data_, size, MADV_HUGEPAGE);  // a hint: failure is harmless
#endif
#endif
  if (buffer.data_ != nullptr) buffer.bytes_ = bytes;
  return buffer;
}

AlignedBuffer AlignedBuffer::TryAllocateZeros(std::int64_t bytes) noexcept {
  if (bytes < kMappedFrom) {
    AlignedBuffer buffer = TryAllocate(bytes);
    if (buffer) std::memset(buffer.data_, 0, static_cast<std::size_t>(bytes));
    return buffer;
  }
  AlignedBuffer buffer;
  if (!MayBeHad(bytes)) return buffer;
  const std::size_t size = static_cast<std::size_t>(bytes);
#if defined(_WIN32)
  buffer.data_ = VirtualAlloc(nullptr, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (buffer.data_ == nullptr) return buffer;
  buffer.mapped_ = bytes;
#else
  const std::size_t rounded = (size + kHugePage - 1) / kHugePage * kHugePage;
  const std::size_t most = rounded + kHugePage;
  void* const mapping = mmap(nullptr, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return buffer;
  // Whole huge pages from a boundary of theirs; what is before and after goes back.
  char* const begin = static_cast<char*>(mapping);
  const std::size_t before = (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
  if (before > 0) munmap(begin, before);
  if (before < kHugePage) munmap(begin + before + rounded, kHugePage - before);
  buffer.data_ = begin + before;
  buffer.mapped_ = static_cast<std::int64_t>(rounded);
#if defined(MADV_HUGEPAGE)
  madvise(buffer.data_, rounded, MADV_HUGEPAGE);  // a hint: failure is harmless
#endif
#endif
  buffer.bytes_ = bytes;
  return buffer;
}

AlignedBuffer::~AlignedBuffer() {
  if (mapped_ > 0) {
#if defined(_WIN32)
    VirtualFree(data_, 0, MEM_RELEASE);
#else
    munmap(data_, static_cast<std::size_t>(mapped_));
#endif
    return;
  }
#if defined(_WIN32)
  _aligned_free(data_);
#else
  std::free(data_);
#endif
}

}  // namespace pike
