#include "addon/device_rows.h"

#include <cstdint>
#include <utility>

namespace pike {
namespace {

/// A value as an array of addresses, or nothing.
std::optional<std::vector<const void*>> ReadAddresses(Napi::Value value) {
  const auto numbers = ReadNumbers<std::uint64_t>(value, napi_biguint64_array);
  if (!numbers) return std::nullopt;
  std::vector<const void*> addresses;
  for (const std::uint64_t number : *numbers)
    addresses.push_back(reinterpret_cast<const void*>(static_cast<std::uintptr_t>(number)));
  return addresses;
}

Napi::Value LengthsOf(Napi::Env env, const Layout& layout) {
  auto lengths = Napi::Float64Array::New(env, layout.tensors().size());
  for (std::size_t t = 0; t < layout.tensors().size(); ++t)
    lengths[t] = static_cast<double>(layout.tensors()[t].length);
  return lengths;
}

Status Misshapen(const char* what) { return {StatusCode::kShape, what}; }

}  // namespace

Status DeviceRows::Read(const Napi::Object& given, Napi::Value metric, const Layout& layout,
                        std::size_t count, std::shared_ptr<SharedResources> shared) {
  if (given.Get("pointers").IsNull()) return ReadHost(given, metric, layout, count, std::move(shared));

  const std::size_t tensors = layout.tensors().size();
  const auto addresses = ReadAddresses(given.Get("pointers"));
  if (!addresses || addresses->size() != count * tensors) return Misshapen("wrong number of addresses");
  for (std::size_t row = 0; row < count; ++row) {
    const auto first = addresses->begin() + static_cast<std::ptrdiff_t>(row * tensors);
    rows.emplace_back(first, first + static_cast<std::ptrdiff_t>(tensors));
  }
  if (metric.IsObject()) {
    const auto object = metric.As<Napi::Object>();
    std::optional<Layout> typed = ReadLayout(object.Get("dtypes"), LengthsOf(given.Env(), layout));
    auto of_metric = ReadAddresses(object.Get("pointers"));
    if (!typed || !of_metric || of_metric->size() != tensors || typed->has_float64())
      return Misshapen("the preconditioner has no valid layout");
    preconditioner.emplace(TypedRow{*std::move(typed), *std::move(of_metric)});
  }
  const auto streams = ReadAddresses(given.Get("streams"));
  if (!streams) return Misshapen("the streams are not valid");
  for (const void* const stream : *streams) source.streams.push_back(const_cast<void*>(stream));
  if (const Napi::Value owners = given.Get("owners"); owners.IsArray())
    owners_ = Napi::Persistent(owners.As<Napi::Object>());
  return {};
}

Status DeviceRows::ReadHost(const Napi::Object& given, Napi::Value metric, const Layout& layout,
                            std::size_t count, std::shared_ptr<SharedResources> shared) {
  host_ = std::make_unique<Inputs>(std::move(shared));
  Status status = host_->ReadRows(given.Get("tensors").As<Napi::Array>(), layout, count);
  if (status.ok()) status = host_->ReadPreconditioner(metric, LengthsOf(given.Env(), layout));
  if (status.ok() && host_->preconditioner && host_->preconditioner->layout.has_float64())
    status = Misshapen("a GPU takes no float64");
  if (status.ok()) status = host_->copy.Begin();
  if (!status.ok()) return status;
  rows = host_->rows;
  preconditioner = host_->preconditioner;
  source.host = true;
  return {};
}

}  // namespace pike
