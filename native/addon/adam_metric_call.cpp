#include "addon/adam_metric_call.h"

#include <cstdint>
#include <optional>

#include "addon/promise_job.h"
#include "cpu/adam_metric.h"

namespace pike {
namespace {

struct Floats {
  float* data;
  std::size_t length;
};

std::optional<Floats> FloatsOf(Napi::Env env, Napi::Value value) {
  napi_typedarray_type type;
  void* data = nullptr;
  std::size_t length = 0;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_float32_array)
    return std::nullopt;
  return Floats{static_cast<float*>(data), length};
}

}  // namespace

Napi::Value AdamMetric(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    const std::optional<Floats> second = FloatsOf(env, info[0]);
    const std::optional<Floats> into = FloatsOf(env, info[3]);
    if (!second || !into || second->length != into->length || !info[1].IsNumber() || !info[2].IsNumber())
      return ToObject(
          env, {StatusCode::kInvalidOption,
                "adamMetric takes a Float32Array, two numbers and a Float32Array as long as the first"});
    WriteAdamMetric(second->data, static_cast<std::int64_t>(second->length),
                    info[1].As<Napi::Number>().FloatValue(), info[2].As<Napi::Number>().FloatValue(),
                    into->data);
    return env.Undefined();
  });
}

}  // namespace pike
