#include "addon/inputs.h"

#include <cmath>
#include <utility>

namespace pike {
namespace {

napi_typedarray_type ArrayTypeOf(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat32:
      return napi_float32_array;
    case Dtype::kFloat64:
      return napi_float64_array;
    case Dtype::kBFloat16:
    case Dtype::kFloat16:
      return napi_uint16_array;
  }
  return napi_int8_array;  // never the type of a gradient
}

struct ArrayInfo {
  napi_typedarray_type type;
  std::size_t length;
  void* data;
  napi_value buffer;
};

/// Nothing if `value` is no typed array. Works for arrays over a SharedArrayBuffer too.
std::optional<ArrayInfo> InfoOf(napi_env env, napi_value value) {
  ArrayInfo info;
  const napi_status status =
      napi_get_typedarray_info(env, value, &info.type, &info.length, &info.data, &info.buffer, nullptr);
  return status == napi_ok ? std::optional(info) : std::nullopt;
}

bool IsDetached(napi_env env, napi_value buffer) {
  bool detached = false;
  return napi_is_detached_arraybuffer(env, buffer, &detached) == napi_ok && detached;
}

/// Node-API does not count a SharedArrayBuffer among the ArrayBuffers.
bool IsShared(napi_env env, napi_value buffer) {
  bool plain = false;
  return napi_is_arraybuffer(env, buffer, &plain) == napi_ok && !plain;
}

}  // namespace

std::optional<Layout> ReadLayout(Napi::Value dtypes, Napi::Value lengths) {
  const auto types = ReadNumbers<std::uint8_t>(dtypes, napi_uint8_array);
  const auto sizes = ReadNumbers<double>(lengths, napi_float64_array);
  if (!types || !sizes) return std::nullopt;
  std::vector<Dtype> dtype_list;
  for (const std::uint8_t type : *types) {
    if (type >= kDtypes) return std::nullopt;
    dtype_list.push_back(static_cast<Dtype>(type));
  }
  std::vector<std::int64_t> length_list;
  for (const double length : *sizes) {
    if (!(length >= 0 && length <= static_cast<double>(kMaxLength)) || length != std::floor(length))
      return std::nullopt;
    length_list.push_back(static_cast<std::int64_t>(length));
  }
  return Layout::Create(dtype_list, length_list);
}

Status Inputs::ReadRows(Napi::Array tensors, const Layout& layout, std::size_t count) {
  if (tensors.Length() != count * layout.tensors().size())
    return {StatusCode::kShape, "wrong number of tensors"};
  rows.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = "gradient " + std::to_string(i);
    if (Status status = ReadRow(tensors, i * layout.tensors().size(), layout, name, &rows[i]); !status.ok()) {
      return status;
    }
  }
  return {};
}

Status Inputs::ReadPreconditioner(Napi::Value value, Napi::Value lengths) {
  if (value.IsNull() || value.IsUndefined()) return {};
  const Napi::Object object = value.As<Napi::Object>();
  std::optional<Layout> layout = ReadLayout(object.Get("dtypes"), lengths);
  if (!layout) return {StatusCode::kShape, "the preconditioner has no valid layout"};
  const Napi::Array tensors = object.Get("tensors").As<Napi::Array>();
  if (tensors.Length() != layout->tensors().size()) return {StatusCode::kShape, "wrong number of tensors"};
  preconditioner.emplace(TypedRow{*std::move(layout), {}});
  return ReadRow(tensors, 0, preconditioner->layout, "preconditioner", &preconditioner->tensors);
}

Status Inputs::ReadRow(const Napi::Array& tensors, std::size_t first, const Layout& layout,
                       const std::string& name, RowPointers* row) {
  const Napi::Env env = tensors.Env();
  Napi::HandleScope scope(env);
  row->resize(layout.tensors().size());  // its elements stay where they are from now on
  for (std::size_t t = 0; t < row->size(); ++t) {
    const Layout::Tensor& expected = layout.tensors()[t];
    const auto index = static_cast<std::uint32_t>(first + t);
    const Napi::Value value = tensors.Get(index);
    const std::optional<ArrayInfo> info = InfoOf(env, value);
    const auto where = [&] { return name + ", tensor " + std::to_string(t); };
    if (!info) return {StatusCode::kShape, where() + " is no typed array"};
    if (IsDetached(env, info->buffer)) {
      return {StatusCode::kDetached,
              where() + ": its ArrayBuffer was transferred away (detached) before it was read"};
    }
    if (info->type != ArrayTypeOf(expected.dtype) ||
        info->length != static_cast<std::size_t>(expected.length)) {
      return {StatusCode::kShape, where() + " has " + std::to_string(info->length) +
                                      " elements or another type, " + std::to_string(expected.length) +
                                      " of the layout's type were expected"};
    }
    (*row)[t] = info->data;
    if (expected.length == 0) continue;  // its pointer may be null
    const std::int64_t bytes = expected.length * SizeOf(expected.dtype);
    if (IsShared(env, info->buffer)) {
      KeepShared(env, value);
    } else if (std::shared_ptr<OwnedMemory> owned = OwnedMemory::Holding(info->data, bytes)) {
      if (owned_.empty() || owned_.back() != owned) owned_.push_back(std::move(owned));
    } else {
      copy.Add(tensors, index, &(*row)[t], bytes);
    }
  }
  return {};
}

void Inputs::KeepShared(Napi::Env env, napi_value array) {
  if (shared_.IsEmpty()) shared_ = Napi::Persistent(Napi::Array::New(env).As<Napi::Object>());
  shared_.Value().Set(shared_count_++, array);
}

void Inputs::Release() noexcept {
  copy.Release();
  for (std::shared_ptr<OwnedMemory>& owned : owned_) owned.reset();
}

}  // namespace pike
