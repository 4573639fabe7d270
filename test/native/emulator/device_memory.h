// Memory of the emulated devices and page-locked memory of the host: what lies where, and what is gone.
// Nothing is ever given the address of what was freed, so every use after that is seen. Memory of a device
// begins as NaN, on 256 bytes and no more, with nothing beside it; the host cannot touch it.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "cuda/runtime.h"

namespace emulator {

using pike::cuda::runtime::Memory;
using pike::cuda::runtime::Pointer;

/// Whether this is a thread of JavaScript, which allocates memory for gradients and no other.
inline thread_local bool is_users_thread = false;

/// Null if there is not so much memory of this kind left. `device` is not asked for of kPinnedHost.
void* AllocateMemory(Memory memory, int device, std::int64_t bytes);
/// False unless `address` is where an allocation of this kind begins that is not yet freed. Does not wait for
/// whatever still uses the memory.
bool FreeMemory(bool pinned, void* address);

/// Of each device; of the host in all. What is there already stays.
void LimitMemory(std::int64_t device_bytes, std::int64_t pinned_bytes);

Pointer InspectMemory(const void* address);

/// What is wrong with `bytes` from `address`, or nothing: they must lie within one allocation. Ordinary
/// memory of the host is taken for what its owner says that it is.
std::string WhatIsWrong(const void* address, std::int64_t bytes);

/// Where an address lies, in words: "byte 3 of device allocation 7 (12 bytes), which has been freed".
std::string DescribeAddress(const void* address);

/// What is wrong with the addresses among the words that a kernel is given, or in the allocations that these
/// point to: to a device, addresses of the host are none. Needs an access.
std::string FindForeignAddress(const std::vector<std::uint64_t>& words);

/// For as long as this lives memory of devices can be touched. There is one at a time.
class MemoryAccess {
 public:
  MemoryAccess();
  ~MemoryAccess();
  MemoryAccess(const MemoryAccess&) = delete;
  MemoryAccess& operator=(const MemoryAccess&) = delete;

 private:
  std::lock_guard<std::mutex> lock_;
};

struct MemoryCounters {
  std::int64_t allocations = 0;  ///< Of devices, so far.
  std::int64_t live_allocations = 0;
  std::int64_t device_bytes = 0;
  std::int64_t peak_device_bytes = 0;
  std::int64_t pinned_allocations = 0;
  std::int64_t live_pinned_allocations = 0;
  std::int64_t pinned_bytes = 0;
};
MemoryCounters CountMemory();
/// The peak is what there is now.
void ResetMemoryCounters();

}  // namespace emulator
