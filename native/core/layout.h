// The shape of a gradient: a list of flat tensors that are seen as one run of columns, 0 to length − 1.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/dtype.h"

namespace pike {

/// Sizes are kept below this, so that a sum of two never overflows and every size is exact in JavaScript.
inline constexpr std::int64_t kMaxLength = std::int64_t{1} << 53;

class Layout {
 public:
  struct Tensor {
    Dtype dtype;
    std::int64_t length;
    std::int64_t begin;  ///< The column of its first element.
  };

  /// Nothing when a length is negative or the lengths sum to more than kMaxLength.
  static std::optional<Layout> Create(const std::vector<Dtype>& dtypes,
                                      const std::vector<std::int64_t>& lengths);

  const std::vector<Tensor>& tensors() const { return tensors_; }
  std::int64_t length() const { return length_; }
  bool has_float64() const { return has_float64_; }

  /// The tensor that holds `column`; of several that begin there, the one that is not empty.
  std::size_t TensorAt(std::int64_t column) const;

  /// Cuts the columns [begin, end) where tensors meet and after every `step` columns, and calls
  /// visit(tensor, offset within the tensor, count) for each piece in order, until one returns false.
  template <typename Visit>
  void ForEachPiece(std::int64_t begin, std::int64_t end, std::int64_t step, Visit&& visit) const {
    if (begin >= end) return;
    std::size_t tensor = TensorAt(begin);
    for (std::int64_t column = begin; column < end;) {
      while (column == tensors_[tensor].begin + tensors_[tensor].length) ++tensor;
      const std::int64_t offset = column - tensors_[tensor].begin;
      const std::int64_t count = std::min({step, end - column, tensors_[tensor].length - offset});
      if (!visit(tensor, offset, count)) return;
      column += count;
    }
  }

 private:
  std::vector<Tensor> tensors_;
  std::int64_t length_ = 0;
  bool has_float64_ = false;
};

/// Where the elements of one row lie: the address of each tensor of its layout, null for an empty one.
using RowPointers = std::vector<const void*>;

/// A row that brings its own element types, as a preconditioner does.
struct TypedRow {
  Layout layout;
  RowPointers tensors;
};

}  // namespace pike
