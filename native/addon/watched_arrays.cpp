#include "addon/watched_arrays.h"

namespace pike {

std::size_t WatchedArrays::Add(Napi::Array list, std::uint32_t index, const void* address,
                               std::int64_t bytes) {
  if (lists_.empty() || lists_.back().Value() != list)
    lists_.push_back(Napi::Persistent(list.As<Napi::Object>()));
  arrays_.push_back({lists_.size() - 1, index, address, bytes});
  return arrays_.size() - 1;
}

Status WatchedArrays::Look(std::size_t number) const {
  const Watched& watched = arrays_[number];
  const Napi::ObjectReference& list = lists_[watched.list];
  const Napi::Env env = list.Env();
  const Napi::HandleScope scope(env);
  const Napi::Value array = list.Value().Get(watched.index);
  napi_typedarray_type type;
  std::size_t length = 0;
  void* data = nullptr;
  const bool known = napi_get_typedarray_info(env, array, &type, &length, &data, nullptr, nullptr) == napi_ok;
  if (known && data == watched.address &&
      static_cast<std::int64_t>(length) * array.As<Napi::TypedArray>().ElementSize() == watched.bytes)
    return {};
  return {
      StatusCode::kDetached,
      "a gradient or the preconditioner was transferred away (detached) before all of it was read; memory "
      "must stay until the promise resolves"};
}

}  // namespace pike
