// Memory that blocks share within a launch, no stronger than CUDA promises: a store is seen by the thread
// that made it; by its block after a barrier; by other blocks after a fence of a thread that sees it. Others
// read what was there before. An atomic acts at once.
#pragma once

#include <cstdint>
#include <cstring>

#include "emulator/machine.h"

namespace emulator {

std::uint64_t LoadBits(std::uintptr_t address, unsigned size);
void StoreBits(std::uintptr_t address, unsigned size, std::uint64_t bits);
void Fence();

/// An atomic's two halves: what comes before the memory is changed, and what comes after.
void BeginAtomic(std::uintptr_t address, unsigned size);
void EndAtomic(std::uintptr_t address);

/// Replaces the value at `address` by operation(value). Returns the value before.
template <typename T, typename Operation>
T Atomic(T* address, Operation operation) {
  const std::uintptr_t number = reinterpret_cast<std::uintptr_t>(address);
  BeginAtomic(number, sizeof(T));
  const T before = *address;
  *address = operation(before);
  EndAtomic(number);
  return before;
}

template <typename T>
T LoadWeak(const T* address) {
  const std::uint64_t bits = LoadBits(reinterpret_cast<std::uintptr_t>(address), sizeof(T));
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
template <typename T>
void StoreWeak(T* address, T value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  StoreBits(reinterpret_cast<std::uintptr_t>(address), sizeof(T), bits);
}

// What synchronisation does to stores.
void ShareStoresInWarp(Thread& thread, std::uint32_t mask);
void ShareStoresInBlock(Block& block);
void EndBlockStores(Block& block);
void StartLaunchStores();
void EndLaunchStores();

}  // namespace emulator
