// `new Cancellation()`: by which lib/backends/native-call.ts cancels a job that it handed it to.
#pragma once

#include <napi.h>

#include <memory>

#include "core/cancellation.h"

namespace pike {

class CancellationObject : public Napi::ObjectWrap<CancellationObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit CancellationObject(const Napi::CallbackInfo& info);

  /// The flag behind a JavaScript value; a new one, that nobody will set, if it is null.
  static std::shared_ptr<Cancellation> Of(Napi::Value value);

 private:
  Napi::Value Cancel(const Napi::CallbackInfo& info);

  std::shared_ptr<Cancellation> cancellation_ = std::make_shared<Cancellation>();
};

}  // namespace pike
