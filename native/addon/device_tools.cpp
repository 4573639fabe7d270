#include "addon/device_tools.h"

#include <cstdint>
#include <optional>

#include "addon/promise_job.h"
#include "cuda/engine.h"

namespace pike {
namespace {

struct Range {
  std::uint64_t address;
  std::int64_t bytes;  // −1 where only the caller knows
};

/// A BigInt as an address of the device, a typed array as one of the host; nothing else.
std::optional<Range> ReadRange(Napi::Value value) {
  if (value.IsBigInt()) {
    bool lossless = false;
    const std::uint64_t address = value.As<Napi::BigInt>().Uint64Value(&lossless);
    return lossless ? std::optional(Range{address, -1}) : std::nullopt;
  }
  if (!value.IsTypedArray()) return std::nullopt;
  const auto array = value.As<Napi::TypedArray>();
  const char* const data = static_cast<const char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  return Range{reinterpret_cast<std::uintptr_t>(data), static_cast<std::int64_t>(array.ByteLength())};
}

Status Invalid(const char* message) { return {StatusCode::kInvalidOption, message}; }

/// allocate(device, bytes)
Napi::Value Allocate(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    const std::int64_t bytes = info[1].ToNumber().Int64Value();
    if (bytes < 1) return ToObject(env, Invalid("bytes must be positive"));
    std::uint64_t address = 0;
    Status status = cuda::DeviceTools::Allocate(info[0].ToNumber().Int32Value(), bytes, &address);
    if (!status.ok()) return ToObject(env, status);
    return Napi::BigInt::New(env, address);
  });
}

/// free(device, address)
Napi::Value Free(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    const std::optional<Range> range = ReadRange(info[1]);
    if (!range || range->bytes >= 0) return ToObject(env, Invalid("address must be a BigInt"));
    Status status = cuda::DeviceTools::Free(info[0].ToNumber().Int32Value(), range->address);
    return status.ok() ? env.Undefined() : Napi::Value(ToObject(env, status));
  });
}

/// copy(device, to, from, bytes)
Napi::Value Copy(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    // Numbers first: to read them may run script, which could take an array away.
    const std::int32_t device = info[0].ToNumber().Int32Value();
    const std::int64_t bytes = info[3].ToNumber().Int64Value();
    const std::optional<Range> to = ReadRange(info[1]);
    const std::optional<Range> from = ReadRange(info[2]);
    if (!to || !from) return ToObject(env, Invalid("to and from must be BigInts or typed arrays"));
    for (const Range& range : {*to, *from}) {
      if (bytes < 1 || (range.bytes >= 0 && range.bytes < bytes))
        return ToObject(env, Invalid("bytes must be positive and fit the array"));
    }
    double milliseconds = 0;
    Status status = cuda::DeviceTools::Copy(device, to->address, from->address, bytes, &milliseconds);
    return status.ok() ? Napi::Value(Napi::Number::New(env, milliseconds)) : ToObject(env, status);
  });
}

}  // namespace

Napi::Object DeviceToolsObject(Napi::Env env) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("allocate", Napi::Function::New<Allocate>(env, "allocate"));
  object.Set("free", Napi::Function::New<Free>(env, "free"));
  object.Set("copy", Napi::Function::New<Copy>(env, "copy"));
  return object;
}

}  // namespace pike
