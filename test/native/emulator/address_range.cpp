#include "emulator/address_range.h"

#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace emulator {
namespace {

constexpr std::size_t kOffset = 256;

std::size_t PageBytes() {
  static const std::size_t bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

AddressRange::AddressRange() {
  void* const memory = mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  begin_ = reinterpret_cast<std::uintptr_t>(memory);
}

std::uintptr_t AddressRange::Take(std::int64_t bytes) {
  const std::size_t page = PageBytes();
  if (static_cast<std::uint64_t>(bytes) > kBytes - taken_ - 2 * page) return 0;
  const std::size_t size = (kOffset + static_cast<std::size_t>(bytes) + page - 1) / page * page;
  const std::uintptr_t at = begin_ + taken_;
  taken_ += size;
  if (open_) mprotect(reinterpret_cast<void*>(at), size, PROT_READ | PROT_WRITE);
  return at + kOffset;
}

void AddressRange::Discard(std::uintptr_t begin, std::int64_t bytes) {
  const std::size_t size =
      (kOffset + static_cast<std::size_t>(bytes) + PageBytes() - 1) / PageBytes() * PageBytes();
  madvise(reinterpret_cast<void*>(begin - kOffset), size, MADV_DONTNEED);
}

void AddressRange::Open() {
  open_ = true;
  if (taken_ > 0) mprotect(reinterpret_cast<void*>(begin_), taken_, PROT_READ | PROT_WRITE);
}

void AddressRange::Close() {
  open_ = false;
  if (taken_ > 0) mprotect(reinterpret_cast<void*>(begin_), taken_, PROT_NONE);
}

}  // namespace emulator
