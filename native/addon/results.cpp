#include "addon/results.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace pike {
namespace {

template <typename Array, typename Element>
Array ToArray(Napi::Env env, const std::vector<Element>& elements) {
  Array array = Array::New(env, elements.size());
  std::copy(elements.begin(), elements.end(), array.Data());
  return array;
}

Napi::Float64Array ToArray(Napi::Env env, const std::vector<double>& elements) {
  return ToArray<Napi::Float64Array>(env, elements);
}

Napi::Value ToArrayOrNull(Napi::Env env, const std::optional<std::vector<double>>& elements) {
  return elements ? Napi::Value(ToArray(env, *elements)) : Napi::Value(env.Null());
}

}  // namespace

Napi::Object ToObject(Napi::Env env, const Moments& moments) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("microBatches", ToArray<Napi::Int32Array>(env, moments.micro_batches));
  object.Set("samples", ToArray(env, moments.samples));
  object.Set("deviation", ToArray(env, moments.deviation));
  object.Set("meanNormSquared", ToArray(env, moments.mean_norm_squared));
  object.Set("meanInner", ToArrayOrNull(env, moments.mean_inner));
  object.Set("rowDeviation", ToArrayOrNull(env, moments.row_deviation));
  object.Set("rowAlignment", ToArrayOrNull(env, moments.row_alignment));
  return object;
}

Napi::Object ToObject(Napi::Env env, const cuda::SolvedWeights& solved) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("outputs", ToArray(env, solved.outputs));
  object.Set("measured", solved.measured);
  object.Set("limited", solved.limited);
  return object;
}

}  // namespace pike
