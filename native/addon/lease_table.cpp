#include "addon/lease_table.h"

#include <utility>

#include "addon/environment.h"

namespace pike {
namespace {

/// Later than the lease, which holds the sentinels, unless the environment ends.
void EndOfSentinel(napi_env, void*, void* hint) {
  const std::unique_ptr<std::weak_ptr<Lease>> owner(static_cast<std::weak_ptr<Lease>*>(hint));
  const std::shared_ptr<Lease> lease = owner->lock();
  if (!lease || lease->ended) return;
  if (const auto table = lease->table.lock()) table->LookAtEnd();
  lease->LookAtEnd();
}

}  // namespace

bool Lease::InPlace() const {
  if (buffer.IsEmpty()) return false;
  const Napi::HandleScope scope(buffer.Env());
  Napi::ArrayBuffer array = buffer.Value();
  return !array.IsEmpty() && !array.IsDetached() && array.Data() == address;
}

/// A hook of the environment would come too late: by then Node.js has detached its buffers, and whether
/// script had done so before can no longer be seen.
void Lease::AddSentinel(Napi::Env env, const std::shared_ptr<Lease>& self) {
  auto hint = std::make_unique<std::weak_ptr<Lease>>(self);
  napi_value sentinel;
  if (napi_create_external_arraybuffer(env, hint.get(), 1, EndOfSentinel, hint.get(), &sentinel) != napi_ok)
    return;
  hint.release();
  sentinels.push_back(Napi::Persistent(Napi::ArrayBuffer(env, sentinel)));
}

void Lease::LookAtEnd() {
  if (ended || looked_at_end) return;
  looked_at_end = true;
  moved = !InPlace();
}

void Lease::End() {
  ended = true;
  if (const auto known = table.lock()) known->Remove(*this);
  if (moved && memory) OwnedMemory::KeepForever(memory);
  OwnedMemory::Release(std::move(memory));
}

LeaseTable& LeaseTable::Of(Napi::Env env) {
  std::shared_ptr<LeaseTable>& table = Environment::Of(env).leases;
  if (!table) table = std::make_shared<LeaseTable>();
  return *table;
}

void LeaseTable::Add(std::shared_ptr<Lease> lease) {
  lease->table = weak_from_this();
  leases_.insert_or_assign(lease->address, std::move(lease));
}

std::shared_ptr<Lease> LeaseTable::At(void* address) const {
  const auto found = leases_.find(address);
  return found == leases_.end() ? nullptr : found->second;
}

void LeaseTable::LookAtEnd() {
  for (const auto& [address, lease] : leases_) lease->LookAtEnd();
}

/// Other memory may have come to its address since.
void LeaseTable::Remove(const Lease& lease) {
  const auto found = leases_.find(lease.address);
  if (found != leases_.end() && found->second.get() == &lease) leases_.erase(found);
}

}  // namespace pike
