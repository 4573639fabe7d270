// Runs native/math on the host for math.test.ts.
#include <napi.h>

#include <cstring>
#include <vector>

#include "addon/update_options.h"
#include "math/update.h"

namespace {

using namespace pike::math;

/// update(tasks, options, moments, inputs) → { outputs, measured, limited }
Napi::Value Update(const Napi::CallbackInfo& info) {
  const int tasks = info[0].As<Napi::Number>().Int32Value();
  const auto moments = info[2].As<Napi::Float64Array>();
  const auto inputs = info[3].As<Napi::Float64Array>();
  const auto size = static_cast<std::size_t>(tasks);
  if (moments.ElementLength() != kMomentParts * size || inputs.ElementLength() != kInputParts * size)
    throw Napi::RangeError::New(info.Env(), "blocks of another size");
  auto outputs = Napi::Float64Array::New(info.Env(), kOutputParts * size);
  std::memset(outputs.Data(), 0xff, outputs.ByteLength());  // NaN, in case something reads before it writes
  std::vector<double> scratch(kScratchParts * size, kNaN);
  const UpdateArrays<const double*, const double*, double*> arrays{tasks, moments.Data(), inputs.Data(),
                                                                   outputs.Data(), scratch.data()};
  const UpdateResult result =
      UpdateWeights(SerialTeam{}, ReadUpdateOptions(info[1].As<Napi::Object>()), arrays);
  auto object = Napi::Object::New(info.Env());
  object["outputs"] = outputs;
  object["measured"] = Napi::Boolean::New(info.Env(), result.measured);
  object["limited"] = Napi::Boolean::New(info.Env(), result.limited);
  return object;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports["update"] = Napi::Function::New(env, Update);
  return exports;
}

}  // namespace

NODE_API_MODULE(math_addon, Init)
