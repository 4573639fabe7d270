#include "emulator/hooks.h"

#include <cstring>
#include <string>

#include "emulator/configuration.h"
#include "emulator/device_memory.h"
#include "emulator/padding.h"
#include "emulator/runtime.h"
#include "emulator/streams.h"

namespace emulator {
namespace {

using Info = Napi::CallbackInfo;

void* AddressOf(const Napi::Value& value) {
  bool lossless;
  return reinterpret_cast<void*>(value.As<Napi::BigInt>().Uint64Value(&lossless));
}
Napi::Value ToBigInt(Napi::Env env, const void* address) {
  return Napi::BigInt::New(env, static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(address)));
}
std::int64_t IntegerOf(const Napi::Value& value) { return value.As<Napi::Number>().Int64Value(); }

/// Calls visit(number) if the object has a number of this name.
template <typename Visit>
void IfGiven(const Napi::Object& object, const char* name, Visit visit) {
  if (const Napi::Value value = object.Get(name); value.IsNumber()) visit(IntegerOf(value));
}

void Require(Napi::Env env, const pike::Status& status) {
  if (!status.ok()) throw Napi::Error::New(env, status.message);
}

std::vector<pike::cuda::runtime::DeviceProperties> ReadDevices(const Napi::Array& list) {
  std::vector<pike::cuda::runtime::DeviceProperties> devices;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const auto object = list.Get(i).As<Napi::Object>();
    const std::string capability = object.Get("computeCapability").As<Napi::String>();
    const std::size_t dot = capability.find('.');
    devices.push_back({object.Get("name").As<Napi::String>(), std::stoi(capability),
                       std::stoi(capability.substr(dot + 1))});
  }
  return devices;
}

/// configure(settings): what is not named is as it is when a process begins.
void Configure(const Info& info) {
  const auto settings = info[0].As<Napi::Object>();
  Machinery machinery;
  if (settings.Get("devices").IsArray())
    machinery.devices = ReadDevices(settings.Get("devices").As<Napi::Array>());
  IfGiven(settings, "driverVersion", [&](std::int64_t v) { machinery.driver_version = static_cast<int>(v); });
  IfGiven(settings, "driverError", [&](std::int64_t v) { machinery.driver_error = static_cast<int>(v); });
  SetMachinery(machinery);

  std::int64_t device_bytes = kDefaultMemory, pinned_bytes = kDefaultMemory;
  IfGiven(settings, "deviceMemory", [&](std::int64_t v) { device_bytes = v; });
  IfGiven(settings, "pinnedMemory", [&](std::int64_t v) { pinned_bytes = v; });
  LimitMemory(device_bytes, pinned_bytes);

  std::uint64_t seed = 1;
  std::chrono::microseconds pause = kDefaultPause;
  std::size_t schedule = 0;
  IfGiven(settings, "seed", [&](std::int64_t v) { seed = static_cast<std::uint64_t>(v); });
  IfGiven(settings, "pause", [&](std::int64_t v) { pause = std::chrono::microseconds(v); });
  IfGiven(settings, "schedule", [&](std::int64_t v) { schedule = static_cast<std::size_t>(v); });
  SetChance(seed, pause);
  Configuration configuration = StandardSchedules(true).at(schedule).configuration;
  configuration.seed += seed;
  SetKernelConfiguration(configuration);
}

Napi::Value Counters(const Info& info) {
  const RuntimeCounters calls = CountCalls();
  const MemoryCounters memory = CountMemory();
  const StreamCounters streams = CountStreams();
  const auto object = Napi::Object::New(info.Env());
  const auto set = [&](const char* name, std::int64_t value) {
    object.Set(name, Napi::Number::New(info.Env(), static_cast<double>(value)));
  };
  set("kernels", calls.kernels);
  set("graphs", streams.graphs);
  set("copies", calls.copies);
  set("fills", calls.fills);
  set("userWork", calls.user_work);
  set("calls", calls.calls);
  set("waits", calls.waits);
  set("allocations", memory.allocations);
  set("liveAllocations", memory.live_allocations);
  set("deviceBytes", memory.device_bytes);
  set("peakDeviceBytes", memory.peak_device_bytes);
  set("pinnedAllocations", memory.pinned_allocations);
  set("livePinnedAllocations", memory.live_pinned_allocations);
  set("pinnedBytes", memory.pinned_bytes);
  set("liveStreams", streams.live_streams);
  set("liveEvents", streams.live_events);
  set("liveGraphs", streams.live_graphs);
  return object;
}

/// allocate(kind, device, bytes): an address.
Napi::Value Allocate(const Info& info) {
  const std::string kind = info[0].As<Napi::String>();
  const Memory memory = kind == "device"    ? Memory::kDevice
                        : kind == "managed" ? Memory::kManaged
                                            : Memory::kPinnedHost;
  void* const address = AllocateMemory(memory, static_cast<int>(IntegerOf(info[1])), IntegerOf(info[2]));
  if (address == nullptr) throw Napi::Error::New(info.Env(), "out of emulated memory");
  return ToBigInt(info.Env(), address);
}

/// free(address)
void Free(const Info& info) {
  void* const address = AddressOf(info[0]);
  if (!FreeMemory(false, address) && !FreeMemory(true, address))
    throw Napi::Error::New(info.Env(), "no allocation begins at " + DescribeAddress(address));
}

void RequireRange(Napi::Env env, const void* address, std::size_t bytes) {
  if (const std::string wrong = WhatIsWrong(address, static_cast<std::int64_t>(bytes)); !wrong.empty())
    throw Napi::Error::New(env, wrong);
}

/// peek(address, bytes): what lies there now, whatever is still to be done.
Napi::Value Peek(const Info& info) {
  const void* const address = AddressOf(info[0]);
  const auto bytes = static_cast<std::size_t>(IntegerOf(info[1]));
  RequireRange(info.Env(), address, bytes);
  auto array = Napi::Uint8Array::New(info.Env(), bytes);
  const MemoryAccess access;
  std::memcpy(array.Data(), address, bytes);
  return array;
}

/// poke(address, bytes)
void Poke(const Info& info) {
  void* const address = AddressOf(info[0]);
  const auto bytes = info[1].As<Napi::Uint8Array>();
  RequireRange(info.Env(), address, bytes.ByteLength());
  const MemoryAccess access;
  std::memcpy(address, bytes.Data(), bytes.ByteLength());
}

Napi::Value CreateStreamOf(const Info& info) {
  void* stream = nullptr;
  Require(info.Env(), CreateUserStream(static_cast<int>(IntegerOf(info[0])), &stream));
  return ToBigInt(info.Env(), stream);
}

void DestroyStreamOf(const Info& info) {
  if (DestroyStream(AddressOf(info[0])) != 0) throw Napi::Error::New(info.Env(), "no such stream");
}

/// work(stream, device, address, bytes, milliseconds)
void UserWork(const Info& info) {
  const auto bytes = info[3].As<Napi::Uint8Array>();
  Require(info.Env(),
          GiveUserWork(AddressOf(info[0]), static_cast<int>(IntegerOf(info[1])), AddressOf(info[2]),
                       std::vector<unsigned char>(bytes.Data(), bytes.Data() + bytes.ByteLength()),
                       std::chrono::milliseconds(IntegerOf(info[4]))));
}

void FailNextOf(const Info& info) {
  FailNext(info[0].As<Napi::String>(), static_cast<int>(IntegerOf(info[1])),
           info[2].IsNumber() ? static_cast<int>(IntegerOf(info[2])) : 0);
}

}  // namespace

Napi::Object DefineHooks(Napi::Env env) {
  const auto hooks = Napi::Object::New(env);
  hooks.Set("configure", Napi::Function::New(env, Configure));
  hooks.Set("reset", Napi::Function::New(env, [](const Info&) { ResetEmulator(); }));
  hooks.Set("counters", Napi::Function::New(env, Counters));
  hooks.Set("failNext", Napi::Function::New(env, FailNextOf));
  hooks.Set("lastDefect", Napi::Function::New(env, [](const Info& info) -> Napi::Value {
              return Napi::String::New(info.Env(), LastDefect());
            }));
  hooks.Set("looksAtArguments", Napi::Boolean::New(env, kClearsPadding));
  hooks.Set("hold", Napi::Function::New(env, [](const Info&) { Hold(); }));
  hooks.Set("resume", Napi::Function::New(env, [](const Info&) { Resume(); }));
  hooks.Set("awaitIdle", Napi::Function::New(env, [](const Info&) { AwaitIdle(); }));
  hooks.Set("allocate", Napi::Function::New(env, Allocate));
  hooks.Set("free", Napi::Function::New(env, Free));
  hooks.Set("peek", Napi::Function::New(env, Peek));
  hooks.Set("poke", Napi::Function::New(env, Poke));
  hooks.Set("createStream", Napi::Function::New(env, CreateStreamOf));
  hooks.Set("destroyStream", Napi::Function::New(env, DestroyStreamOf));
  hooks.Set("work", Napi::Function::New(env, UserWork));
  return hooks;
}

}  // namespace emulator
