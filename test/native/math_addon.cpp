// Runs native/math on the host for math.test.ts and gramian.test.ts.
#include <napi.h>

#include <cstring>
#include <vector>

#include "addon/update_options.h"
#include "math/gramian.h"
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

/// gramian(tasks, options, inner, variances, logPrior, logWeights) → { logWeights, projected, limited }
Napi::Value Gramian(const Napi::CallbackInfo& info) {
  const int tasks = info[0].As<Napi::Number>().Int32Value();
  const auto size = static_cast<std::size_t>(tasks);
  const auto numbers = [&](std::size_t index, std::size_t length) {
    const auto array = info[index].As<Napi::Float64Array>();
    if (array.ElementLength() != length) throw Napi::RangeError::New(info.Env(), "an array of another size");
    return array;
  };
  const auto inner = numbers(2, size * size);
  const auto variances = numbers(3, size);
  const auto log_prior = numbers(4, size);
  const auto start = numbers(5, size);
  auto log_weights = Napi::Float64Array::New(info.Env(), size);
  for (std::size_t k = 0; k < size; k++) log_weights[k] = start[k];
  std::vector<double> scratch(kScratchParts * size, kNaN);
  // A margin shows whether it keeps to what it asked for.
  constexpr std::size_t kMargin = 64;
  std::vector<double> memory(GramianNumbers(tasks) + kMargin, kNaN);
  std::vector<int> indices(GramianIndices(tasks) + kMargin, -1);
  const GramianResult result =
      GramianStep(tasks, ReadUpdateOptions(info[1].As<Napi::Object>()), inner.Data(), variances.Data(),
                  log_prior.Data(), log_weights.Data(), scratch.data(), {memory.data(), indices.data()});
  for (std::size_t i = 0; i < kMargin; i++)
    if (!IsNaN(memory[memory.size() - 1 - i]) || indices[indices.size() - 1 - i] != -1)
      throw Napi::Error::New(info.Env(), "a write beyond the workspace");
  auto object = Napi::Object::New(info.Env());
  object["logWeights"] = log_weights;
  object["projected"] = Napi::Number::New(info.Env(), result.projected);
  object["limited"] = Napi::Boolean::New(info.Env(), result.limited);
  return object;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports["update"] = Napi::Function::New(env, Update);
  exports["gramian"] = Napi::Function::New(env, Gramian);
  return exports;
}

}  // namespace

NODE_API_MODULE(math_addon, Init)
