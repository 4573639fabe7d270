#include "addon/gradient_memory.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "addon/environment.h"
#include "addon/lease_table.h"
#include "addon/promise_job.h"

namespace pike {
namespace {

void Finalize(napi_env, void*, void* hint) {
  const std::unique_ptr<std::shared_ptr<Lease>> lease(static_cast<std::shared_ptr<Lease>*>(hint));
  (*lease)->End();
}

void ClearException(napi_env env) {
  napi_value ignored;
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending)
    napi_get_and_clear_last_exception(env, &ignored);
}

}  // namespace

Napi::Value AllocateMemory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    const double bytes = info[0].ToNumber().DoubleValue();
    const Status none = {StatusCode::kMemory, "the system does not have so much"};
    if (!(bytes >= 1 && bytes <= static_cast<double>(kMaxLength))) return ToObject(env, none);
    auto memory = OwnedMemory::TryAllocate(static_cast<std::int64_t>(bytes));
    if (!memory) return ToObject(env, none);
    auto lease = std::make_shared<Lease>(std::move(memory));
    lease->AddSentinel(env, lease);
    auto hint = std::make_unique<std::shared_ptr<Lease>>(lease);
    napi_value buffer;
    const napi_status status = napi_create_external_arraybuffer(
        env, lease->address, static_cast<std::size_t>(bytes), Finalize, hint.get(), &buffer);
    if (status == napi_ok) {
      hint.release();
      lease->AddSentinel(env, lease);
      lease->buffer = Napi::Reference<Napi::ArrayBuffer>::New(Napi::ArrayBuffer(env, buffer), 0);
      LeaseTable::Of(env).Add(std::move(lease));
      return Napi::Value(env, buffer);
    }
    // Some builds keep all ArrayBuffers in a cage of their own. And Node 20 refuses those beyond 4 GiB,
    // having called the finalizer.
    if (lease->ended) hint.release();
    ClearException(env);
    return env.Null();
  });
}

Napi::Value ReleaseMemory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    if (!info[0].IsArrayBuffer()) return env.Undefined();
    auto buffer = info[0].As<Napi::ArrayBuffer>();
    LeaseTable& table = LeaseTable::Of(env);
    const std::shared_ptr<Lease> lease = table.At(buffer.Data());
    if (!lease || !lease->InPlace()) return env.Undefined();
    table.Remove(*lease);
    buffer.Detach();
    OwnedMemory::Release(std::move(lease->memory));
    return env.Undefined();
  });
}

Napi::Value Misalignment(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    void* data = nullptr;
    napi_get_typedarray_info(env, info[0], nullptr, nullptr, &data, nullptr, nullptr);
    return Napi::Number::New(env, static_cast<double>(reinterpret_cast<std::uintptr_t>(data) % 64));
  });
}

}  // namespace pike
