#include "addon/watched_arrays.h"

namespace pike {

std::size_t WatchedArrays::Add(Napi::Array list, std::uint32_t index, const void* address,
                               std::int64_t bytes) {
  if (lists_.empty() || lists_.back().Value() != list)
    lists_.push_back(Napi::Persistent(list.As<Napi::Object>()));
  arrays_.push_back({lists_.size() - 1, index, address, bytes});
  return arrays_.size() - 1;
}

Status WatchedArrays::Look(const std::vector<std::size_t>& numbers) const {
  if (numbers.empty()) return {};
  const Napi::Env env = lists_[0].Env();
  const Napi::HandleScope scope(env);
  // First all of them are fetched, for that may run script: a list can have getters.
  std::vector<Napi::Value> arrays;
  for (const std::size_t number : numbers)
    arrays.push_back(lists_[arrays_[number].list].Value().Get(arrays_[number].index));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (!IsInPlace(env, arrays[i], arrays_[numbers[i]])) return Detached();
  }
  return {};
}

bool WatchedArrays::IsInPlace(Napi::Env env, Napi::Value array, const Watched& watched) {
  napi_typedarray_type type;
  std::size_t length = 0;
  void* data = nullptr;
  return napi_get_typedarray_info(env, array, &type, &length, &data, nullptr, nullptr) == napi_ok &&
         data == watched.address &&
         static_cast<std::int64_t>(length) * array.As<Napi::TypedArray>().ElementSize() == watched.bytes;
}

Status WatchedArrays::Detached() {
  return {
      StatusCode::kDetached,
      "a gradient or the preconditioner was transferred away (detached) before all of it was read; memory "
      "must stay until the promise resolves"};
}

}  // namespace pike
