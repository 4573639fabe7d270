#include "addon/cancellation_object.h"

namespace pike {
namespace {

// Marks our objects, so that no other is ever taken for one.
constexpr napi_type_tag kTypeTag = {0x3b1f6a52c9e04d17, 0x8d2c5e90f7a1b364};

}  // namespace

Napi::Function CancellationObject::Define(Napi::Env env) {
  return DefineClass(env, "Cancellation", {InstanceMethod<&CancellationObject::Cancel>("cancel")});
}

CancellationObject::CancellationObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  info.This().As<Napi::Object>().TypeTag(&kTypeTag);
}

std::shared_ptr<Cancellation> CancellationObject::Of(Napi::Value value) {
  if (!value.IsObject()) return std::make_shared<Cancellation>();
  const Napi::Object object = value.As<Napi::Object>();
  if (!object.CheckTypeTag(&kTypeTag)) throw Napi::TypeError::New(value.Env(), "expected a Cancellation");
  return Unwrap(object)->cancellation_;
}

Napi::Value CancellationObject::Cancel(const Napi::CallbackInfo& info) {
  cancellation_->Cancel();
  return info.Env().Undefined();
}

}  // namespace pike
