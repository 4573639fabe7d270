// Which ArrayBuffers of an environment lie over owned memory. JS thread only.
#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <vector>

#include "addon/owned_memory.h"

namespace pike {

/// JavaScript's hold on owned memory: until it disposes of the array, or V8 lets go of it.
struct Lease {
  explicit Lease(std::shared_ptr<OwnedMemory> owned) : memory(std::move(owned)), address(memory->data()) {}

  /// Whether the ArrayBuffer that it was made for still lies there.
  bool InPlace() const;
  /// To be called before the ArrayBuffer is made, and after.
  void AddSentinel(Napi::Env env, const std::shared_ptr<Lease>& self);
  /// The environment ends: whether script has moved the memory. The first time counts.
  void LookAtEnd();
  /// V8 has let go of the memory, or the environment ends and detaches all ArrayBuffers that are left.
  void End();

  std::shared_ptr<OwnedMemory> memory;  // null once disposed of
  void* const address;
  Napi::Reference<Napi::ArrayBuffer> buffer;  // weak
  std::weak_ptr<class LeaseTable> table;
  /// Other ArrayBuffers, whose end is that of the environment: one of them ends before `buffer` does.
  std::vector<Napi::Reference<Napi::ArrayBuffer>> sentinels;
  /// As the environment came to its end, script had moved the memory to another ArrayBuffer.
  bool moved = false;
  bool looked_at_end = false;
  bool ended = false;
};

class LeaseTable : public std::enable_shared_from_this<LeaseTable> {
 public:
  static LeaseTable& Of(Napi::Env env);

  void Add(std::shared_ptr<Lease> lease);
  std::shared_ptr<Lease> At(void* address) const;
  void Remove(const Lease& lease);
  /// At all of them, as soon as the first sentinel tells: while the environment ends, arrays are collected
  /// that nobody had moved, and could then no longer be told from those that were.
  void LookAtEnd();

 private:
  std::map<void*, std::shared_ptr<Lease>> leases_;
};

}  // namespace pike
