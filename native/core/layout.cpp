#include "core/layout.h"

namespace pike {

std::optional<Layout> Layout::Create(const std::vector<Dtype>& dtypes,
                                     const std::vector<std::int64_t>& lengths) {
  if (dtypes.size() != lengths.size()) return std::nullopt;
  Layout layout;
  layout.tensors_.reserve(lengths.size());
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 0 || lengths[i] > kMaxLength - layout.length_) return std::nullopt;
    layout.tensors_.push_back({dtypes[i], lengths[i], layout.length_});
    layout.length_ += lengths[i];
    layout.has_float64_ |= dtypes[i] == Dtype::kFloat64;
  }
  return layout;
}

std::size_t Layout::TensorAt(std::int64_t column) const {
  const auto after = std::upper_bound(tensors_.begin(), tensors_.end(), column,
                                      [](std::int64_t c, const Tensor& tensor) { return c < tensor.begin; });
  return static_cast<std::size_t>(after - tensors_.begin()) - 1;
}

}  // namespace pike
