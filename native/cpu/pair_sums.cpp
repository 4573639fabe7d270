#include "cpu/pair_sums.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "cpu/blocks.h"
#include "cpu/kernels.h"
#include "cpu/range.h"

namespace pike {
namespace {

constexpr std::int64_t kColumns = 512;  // chains of at most kLongestChain terms, even in vectors of four

bool AreInFloatRange(const std::vector<const float*>& vectors, std::int64_t count) {
  const Kernels& kernels = CurrentKernels();
  return std::all_of(vectors.begin(), vectors.end(), [&](const float* vector) {
    const double norm = kernels.floats.norm(vector, count);
    return IsInFloatRange(norm) || (norm == 0 && IsZero(vector, count * std::int64_t{sizeof(float)}));
  });
}

/// The next block of each is fetched meanwhile.
template <typename Element>
ProductsBlock<Element> BlockOf(const std::vector<const Element*>& vectors, std::int64_t count,
                               const void* const* coming) {
  constexpr std::int64_t kSize = sizeof(Element);
  const auto vector_count = static_cast<std::int64_t>(vectors.size());
  return {vectors.data(), vector_count, count, coming, vector_count, count * kSize, kSize};
}

}  // namespace

template <typename Element>
PairSums<Element>::PairSums(std::vector<const Element*> vectors, std::size_t pairs)
    : vectors_(std::move(vectors)), block_(vectors_.size()), products_(pairs), section_(pairs) {
  copies_.resize(vectors_.size() * kColumns);
  copied_.resize(vectors_.size());
  coming_.resize(vectors_.size());
}

template <typename Element>
void PairSums<Element>::Section(std::int64_t begin, std::int64_t end, double* sums) {
  std::fill(section_.begin(), section_.end(), 0.0);
  for (std::int64_t at = begin; at < end; at += kColumns) {
    Block(at, std::min(kColumns, end - at));
    for (std::size_t i = 0; i < section_.size(); ++i) section_[i] += products_[i];
  }
  for (std::size_t i = 0; i < section_.size(); ++i) sums[i] += section_[i];
}

template <typename Element>
void PairSums<Element>::Block(std::int64_t begin, std::int64_t count) {
  const Kernels& kernels = CurrentKernels();
  for (std::size_t i = 0; i < vectors_.size(); ++i) coming_[i] = block_[i] = vectors_[i] + begin;
  if (count % kPadding == 0) {
    if constexpr (std::is_same_v<Element, double>) {
      kernels.doubles.products(BlockOf(block_, count, coming_.data()), products_.data());
      return;
    } else if (AreInFloatRange(block_, count)) {
      kernels.floats.products(BlockOf(block_, count, coming_.data()), products_.data());
      return;
    }
  }
  // The end, which is not padded, or out of the range of floats.
  constexpr Dtype kDtype = sizeof(Element) == sizeof(double) ? Dtype::kFloat64 : Dtype::kFloat32;
  for (std::size_t i = 0; i < vectors_.size(); ++i) {
    double* const copy = copies_.data() + static_cast<std::int64_t>(i) * kColumns;
    LoadScaled(kDtype, block_[i], 0, count, nullptr, copy);
    copied_[i] = copy;
  }
  kernels.doubles.products(BlockOf(copied_, count, coming_.data()), products_.data());
}

template class PairSums<float>;
template class PairSums<double>;

}  // namespace pike
