// `new DeviceMomentStream({ device, tasks, dtypes, lengths, inner })`: the streaming path on a GPU. Methods
// return a promise or, when a call cannot be begun, a status.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "addon/device_executors.h"
#include "core/layout.h"
#include "core/status.h"
#include "cuda/engine.h"

namespace pike {

/// A stream that comes to be with the first call, and is used on the thread of its engine only.
struct DeviceStreamSlot {
  ~DeviceStreamSlot() {
    if (stream) engine->Bury(std::move(stream));
  }

  std::shared_ptr<EngineSlot> engine;
  std::int32_t tasks = 0;
  Layout layout;
  bool inner = false;
  std::unique_ptr<cuda::DeviceMomentStream> stream;

  Status Get(cuda::DeviceMomentStream** opened);
};

class DeviceStreamObject : public Napi::ObjectWrap<DeviceStreamObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit DeviceStreamObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

 private:
  Napi::Value Add(const Napi::CallbackInfo& info);
  Napi::Value Collect(const Napi::CallbackInfo& info);
  Napi::Value Dispose(const Napi::CallbackInfo& info);

  Status Open(Napi::Env env, Napi::Value options);
  Status Usable() const;

  int device_ = 0;
  std::shared_ptr<DeviceStreamSlot> slot_;  // null once disposed
  Status opening_;                          // why it never opened
};

}  // namespace pike
