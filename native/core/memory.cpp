#include "core/memory.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>

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

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

/// The number after `name` in lines of a name and a number each; −1 if there is none.
std::int64_t NumberIn(const std::string& path, const char* name) {
  const File file(std::fopen(path.c_str(), "re"), &std::fclose);
  char line[256];
  while (file && std::fgets(line, sizeof line, file.get()) != nullptr) {
    const std::size_t length = std::strlen(name);
    if (std::strncmp(line, name, length) != 0) continue;
    char* end = nullptr;
    const long long number = std::strtoll(line + length, &end, 10);
    return end == line + length ? -1 : number;
  }
  return -1;
}

#if !defined(PIKE_CONTROL_GROUPS)
#define PIKE_CONTROL_GROUPS "/sys/fs/cgroup"  // a test has groups of its own
#endif

/// What makes way for who asks: files that were only read, often ones too, and caches of the kernel.
std::int64_t Reclaimable(const std::string& statistics) {
  std::int64_t bytes = 0;
  for (const char* const name : {"inactive_file ", "active_file ", "slab_reclaimable "})
    bytes += std::max<std::int64_t>(NumberIn(statistics, name), 0);
  return bytes;
}

/// What the control group of this path, and those above it, may still take (cgroup v2). INT64_MAX without a
/// limit.
std::int64_t LeftInGroup(std::string path) {
  std::int64_t left = INT64_MAX;
  for (;;) {
    const std::string folder = PIKE_CONTROL_GROUPS + path;
    const std::int64_t most = NumberIn(folder + "/memory.max", "");
    const std::int64_t used = NumberIn(folder + "/memory.current", "");
    if (most >= 0 && used >= 0)
      left = std::min(left, std::max<std::int64_t>(most - used + Reclaimable(folder + "/memory.stat"), 0));
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return left;
    path.resize(slash);
  }
}

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
  std::int64_t left = available >= 0 ? (available + swap) * 1024 : PhysicalMemory();
  left = std::min(left, LeftInAddressSpace());
  const File groups(std::fopen("/proc/self/cgroup", "re"), &std::fclose);
  char line[4096];
  while (groups && std::fgets(line, sizeof line, groups.get()) != nullptr) {
    if (std::strncmp(line, "0::", 3) != 0) continue;
    std::string path(line + 3);
    while (!path.empty() && (path.back() == '\n' || path.back() == '/')) path.pop_back();
    left = std::min(left, LeftInGroup(std::move(path)));
  }
  return left;
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
