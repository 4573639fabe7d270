// The addon of runtime.test.ts: every call of native/cuda/runtime.h, on the emulated devices, and a kernel.
#include <napi.h>

#include <string>
#include <type_traits>

#include "cuda/platform.h"
#include "cuda/runtime.h"
#include "emulator/hooks.h"

namespace {

using namespace pike;
using namespace pike::cuda;
using Info = Napi::CallbackInfo;

/// An address or a handle: a bigint, or an array for where it lies.
void* AddressOf(const Napi::Value& value) {
  if (value.IsTypedArray()) {
    const auto array = value.As<Napi::TypedArray>();
    return static_cast<char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  }
  bool lossless;
  return reinterpret_cast<void*>(value.As<Napi::BigInt>().Uint64Value(&lossless));
}
Napi::Value ToBigInt(Napi::Env env, void* address) {
  return Napi::BigInt::New(env, static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(address)));
}
std::int64_t IntegerOf(const Napi::Value& value) { return value.As<Napi::Number>().Int64Value(); }

/// A status becomes an error with its code.
void Require(Napi::Env env, const Status& status) {
  if (status.ok()) return;
  auto error = Napi::Error::New(env, status.message);
  error.Set("code", Napi::String::New(env, CodeName(status.code)));
  throw error;
}

/// A call that makes something.
template <Status (*make)(void**)>
Napi::Value Make(const Info& info) {
  void* made = nullptr;
  Require(info.Env(), make(&made));
  return ToBigInt(info.Env(), made);
}
template <Status (*make)(std::int64_t, void**)>
Napi::Value MakeBytes(const Info& info) {
  void* made = nullptr;
  Require(info.Env(), make(IntegerOf(info[0]), &made));
  return ToBigInt(info.Env(), made);
}
/// A call that is given handles or addresses.
template <auto call>
void Give(const Info& info) {
  if constexpr (std::is_invocable_v<decltype(call), void*, void*>) {
    Require(info.Env(), call(AddressOf(info[0]), AddressOf(info[1])));
  } else if constexpr (std::is_same_v<std::invoke_result_t<decltype(call), void*>, void>) {
    call(AddressOf(info[0]));
  } else {
    Require(info.Env(), call(AddressOf(info[0])));
  }
}

Napi::Value Elapsed(const Info& info) {
  double milliseconds = 0;
  Require(info.Env(), runtime::Elapsed(AddressOf(info[0]), AddressOf(info[1]), &milliseconds));
  return Napi::Number::New(info.Env(), milliseconds);
}

void Copy(const Info& info) {
  Require(info.Env(),
          runtime::Copy(AddressOf(info[0]), AddressOf(info[1]), IntegerOf(info[2]), AddressOf(info[3])));
}
void FillZero(const Info& info) {
  Require(info.Env(), runtime::FillZero(AddressOf(info[0]), IntegerOf(info[1]), AddressOf(info[2])));
}

Napi::Value Inspect(const Info& info) {
  runtime::Pointer pointer;
  Require(info.Env(), runtime::Inspect(AddressOf(info[0]), &pointer));
  constexpr const char* kNames[] = {"host", "pinned", "device", "managed"};
  const std::string name = kNames[static_cast<int>(pointer.memory)];
  return Napi::String::New(info.Env(), name + " " + std::to_string(pointer.device));
}

Napi::Value EndCapture(const Info& info) {
  runtime::GraphHandle graph = nullptr;
  Require(info.Env(), runtime::EndCapture(AddressOf(info[0]), &graph));
  return ToBigInt(info.Env(), graph);
}

Napi::Value Properties(const Info& info) {
  runtime::DeviceProperties properties;
  Require(info.Env(), runtime::Properties(static_cast<int>(IntegerOf(info[0])), &properties));
  return Napi::String::New(info.Env(), properties.name + " " + std::to_string(properties.major) + "." +
                                           std::to_string(properties.minor));
}
void UseDevice(const Info& info) {
  Require(info.Env(), runtime::UseDevice(static_cast<int>(IntegerOf(info[0]))));
}

/// values[i] += amount. Threads of one block.
struct AddArguments {
  Global<float> values;
  const float* amount;
  const float* const* table;  ///< Where the address of the amount lies, if not null.
  int count;
};
__global__ void Add(AddArguments a) {
  const float amount = LoadElement(a.table == nullptr ? a.amount : *a.table);
  for (int i = static_cast<int>(threadIdx.x); i < a.count; i += static_cast<int>(blockDim.x)) {
    a.values.Store(i, a.values.Load(i) + amount);
  }
}
Status LaunchAdd(const Info& info, const void* amount, const void* table) {
  const AddArguments arguments = {{static_cast<float*>(AddressOf(info[0]))},
                                  static_cast<const float*>(amount),
                                  static_cast<const float* const*>(table),
                                  static_cast<int>(IntegerOf(info[2]))};
  return Launch(Add, dim3(1), 8, 0, AddressOf(info[3]), arguments);
}
/// add(values, amount, count, stream): `amount` is an address, too.
void AddDirectly(const Info& info) { Require(info.Env(), LaunchAdd(info, AddressOf(info[1]), nullptr)); }
/// addThrough(values, table, count, stream): what lies at `table` is the address.
void AddThrough(const Info& info) { Require(info.Env(), LaunchAdd(info, nullptr, AddressOf(info[1]))); }

/// read(address): a byte, by the host itself.
Napi::Value Read(const Info& info) {
  return Napi::Number::New(info.Env(), *static_cast<const volatile unsigned char*>(AddressOf(info[0])));
}

/// whereIs(array): its address.
Napi::Value WhereIs(const Info& info) {
  return Napi::BigInt::New(info.Env(), reinterpret_cast<std::uint64_t>(AddressOf(info[0])));
}

Napi::Object Initialise(Napi::Env env, Napi::Object exports) {
  const auto set = [&](const char* name, auto function) {
    exports.Set(name, Napi::Function::New(env, function));
  };
  set("allocate", MakeBytes<runtime::Allocate>);
  set("allocateHost", MakeBytes<runtime::AllocateHost>);
  set("free", Give<runtime::Free>);
  set("freeHost", Give<runtime::FreeHost>);
  set("createStream", Make<runtime::CreateStream>);
  set("destroyStream", Give<runtime::DestroyStream>);
  set("createEvent", Make<runtime::CreateEvent>);
  set("destroyEvent", Give<runtime::DestroyEvent>);
  set("record", Give<runtime::Record>);
  set("streamAwait", Give<runtime::StreamAwait>);
  set("synchronize", Give<runtime::Synchronize>);
  set("synchronizeStream", Give<runtime::SynchronizeStream>);
  set("elapsed", Elapsed);
  set("copy", Copy);
  set("fillZero", FillZero);
  set("inspect", Inspect);
  set("beginCapture", Give<runtime::BeginCapture>);
  set("endCapture", EndCapture);
  set("launchGraph", Give<runtime::LaunchGraph>);
  set("destroyGraph", Give<runtime::DestroyGraph>);
  set("properties", Properties);
  set("useDevice", UseDevice);
  set("add", AddDirectly);
  set("addThrough", AddThrough);
  set("read", Read);
  set("whereIs", WhereIs);
  exports.Set("emulator", emulator::DefineHooks(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(runtime_addon, Initialise)
