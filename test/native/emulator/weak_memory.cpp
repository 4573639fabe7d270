#include "emulator/weak_memory.h"

#include <vector>

#include "emulator/global_memory.h"
#include "emulator/global_order.h"
#include "emulator/scheduler.h"

namespace emulator {
namespace {

/// Stores of blocks that have ended, to be written when the launch ends.
std::vector<PendingStore> left_over;

void Write(const PendingStore& store) {
  std::memcpy(reinterpret_cast<void*>(store.address), &store.bits, store.size);
}

const PendingStore* Find(const std::vector<PendingStore>& stores, std::uintptr_t address) {
  for (std::size_t i = stores.size(); i-- > 0;) {
    if (stores[i].address == address) return &stores[i];
  }
  return nullptr;
}

const PendingStore* FindInBlock(const Block& block, std::uintptr_t address) {
  const auto found = block.stores.find(address);
  return found == block.stores.end() ? nullptr : &found->second;
}

void Move(std::vector<PendingStore>& from, Block& to) {
  for (const PendingStore& store : from) to.stores[store.address] = store;
  from.clear();
}

void Publish(std::vector<PendingStore>& stores, Block& block) {
  for (const PendingStore& store : stores) {
    Write(store);
    NotePublished(store.address, block);
  }
  stores.clear();
}

}  // namespace

std::uint64_t LoadBits(std::uintptr_t address, unsigned size) {
  Tick();
  CheckGlobal(address, size, size, false);
  const Thread& thread = *machine.current;
  NoteLoad(address);
  if (machine.configuration.weak_global) {
    const PendingStore* store = Find(thread.stores, address);
    if (store == nullptr) store = Find(thread.warp->stores, address);
    if (store == nullptr) store = FindInBlock(*thread.block, address);
    if (store != nullptr) return store->bits;
  }
  std::uint64_t bits = 0;
  std::memcpy(&bits, reinterpret_cast<const void*>(address), size);
  return bits;
}

void StoreBits(std::uintptr_t address, unsigned size, std::uint64_t bits) {
  Tick();
  CheckGlobal(address, size, size, true);
  NoteStore(address);
  machine.current->stores.push_back({address, bits, size});
  if (!machine.configuration.weak_global) Write(machine.current->stores.back());
}

void Fence() {
  Tick();
  Thread& thread = *machine.current;
  Block& block = *thread.block;
  BeginFence(thread);
  for (const auto& [address, store] : block.stores) {
    Write(store);
    NotePublished(address, block);
  }
  block.stores.clear();
  Publish(thread.warp->stores, block);
  Publish(thread.stores, block);
  Tick();
}

void BeginAtomic(std::uintptr_t address, unsigned size) {
  Tick();
  CheckGlobal(address, size, size, true);
  Thread& thread = *machine.current;
  NoteAtomic(address);
  // A store that this thread sees to the same place has come before it.
  const PendingStore* store = Find(thread.stores, address);
  if (store == nullptr) store = Find(thread.warp->stores, address);
  if (store == nullptr) store = FindInBlock(*thread.block, address);
  if (store == nullptr) return;
  Write(*store);
  const auto same = [&](const PendingStore& other) { return other.address == address; };
  std::erase_if(thread.stores, same);
  std::erase_if(thread.warp->stores, same);
  thread.block->stores.erase(address);
}

void EndAtomic(std::uintptr_t address) {
  MeetAtAtomic(address);
  StallAfterAtomic();
}

void ShareStoresInWarp(Thread& thread, std::uint32_t mask) {
  ShareAcquiredInWarp(thread, mask);
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1) == 0) continue;
    std::vector<PendingStore>& stores = thread.block->threads[thread.index - thread.lane + lane].stores;
    thread.warp->stores.insert(thread.warp->stores.end(), stores.begin(), stores.end());
    stores.clear();
  }
}

void ShareStoresInBlock(Block& block) {
  for (Warp& warp : block.warps) Move(warp.stores, block);
  for (Thread& thread : block.threads) {
    Move(thread.stores, block);
    if (!thread.acquired.empty()) block.acquired.Join(thread.acquired);
  }
}

void EndBlockStores(Block& block) {
  ShareStoresInBlock(block);
  for (const auto& [address, store] : block.stores) left_over.push_back(store);
  block.stores.clear();
}

void StartLaunchStores() {
  left_over.clear();
  for (const std::unique_ptr<Block>& block : machine.blocks) {
    block->stores.clear();
    for (Warp& warp : block->warps) warp.stores.clear();
    for (Thread& thread : block->threads) thread.stores.clear();
  }
  StartLaunchOrder();
  StartLaunchVectors();
}

void EndLaunchStores() {
  for (const PendingStore& store : left_over) Write(store);
  left_over.clear();
}

}  // namespace emulator
