#include "core/memory.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>

#if defined(_WIN32)
#include <malloc.h>
#define NOMINMAX
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace pike {
namespace {

constexpr std::size_t kVectorAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
/// From here on zeros are mapped, not written.
constexpr std::int64_t kMappedFrom = std::int64_t{1} << 20;

/// What no process can use, so that asking for more is refused here. Systems that overcommit memory would
/// grant it and end the process later, when it is written to.
std::int64_t PhysicalMemory() {
#if defined(_WIN32)
  return INT64_MAX;  // does not overcommit
#else
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0 ? std::int64_t{pages} * page : INT64_MAX;
#endif
}

}  // namespace

AlignedBuffer AlignedBuffer::TryAllocate(std::int64_t bytes) noexcept {
  AlignedBuffer buffer;
  if (bytes < 0 || bytes > PhysicalMemory()) return buffer;
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
  if (bytes > PhysicalMemory()) return buffer;
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
