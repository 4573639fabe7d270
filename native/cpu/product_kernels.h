// Products of vectors with one another, in tiles of registers. Included where the instructions of V are
// allowed.
#pragma once

#include <cstdint>

#include "cpu/kernels.h"
#include "cpu/platform.h"

namespace pike {

template <typename V>
class ProductTiles {
 public:
  using E = typename V::Element;

  ProductTiles(const ProductsBlock<E>& block, double* out) : block_(block), out_(out) {}

  /// In the order of ForEachPair.
  void Run() {
    const std::int64_t vectors = block_.vector_count;
    for (std::int64_t first = 0; first < vectors; first += 4) {
      const E* const* const x = block_.vectors + first;
      switch (vectors - first) {
        case 1:
          return;
        case 2:
          return Square<2>(x);
        case 3:
          return Square<3>(x);
        default:
          Square<4>(x);
      }
      for (std::int64_t right = first + 4; right < vectors; right += V::kTile) {
        const E* const* const y = block_.vectors + right;
        switch (vectors - right < V::kTile ? vectors - right : V::kTile) {
          case 1:
            Rectangle<1>(x, y);
            break;
          case 2:
            Rectangle<2>(x, y);
            break;
          case 3:
            if constexpr (V::kTile >= 3) Rectangle<3>(x, y);
            break;
          default:
            if constexpr (V::kTile >= 4) Rectangle<4>(x, y);
        }
      }
    }
  }

 private:
  static_assert(V::kTile <= 4);

  /// Where a row begins that is fetched while the next tile is computed.
  const char* Coming() {
    const std::int64_t row = tile_++ % block_.coming_count;
    return static_cast<const char*>(block_.coming[row]) + block_.coming_offset;
  }

  /// The pairs i > j of kCount vectors.
  template <int kCount>
  void Square(const E* const* vectors) {
    const char* coming = Coming();
    const std::int64_t step = block_.coming_step * V::kWidth;
    const E* x[kCount];
    V sum[kCount][kCount];
    PIKE_UNROLL
    for (int i = 0; i < kCount; ++i) {
      x[i] = vectors[i];
      PIKE_UNROLL
      for (int j = 0; j < i; ++j) sum[i][j] = V::Zero();
    }
    for (std::int64_t c = 0; c < block_.count; c += V::kWidth) {
      PIKE_PREFETCH(coming);
      coming += step;
      V value[kCount];
      PIKE_UNROLL
      for (int i = 0; i < kCount; ++i) value[i] = V::Load(x[i] + c);
      PIKE_UNROLL
      for (int i = 1; i < kCount; ++i) {
        PIKE_UNROLL
        for (int j = 0; j < i; ++j) sum[i][j] = V::MultiplyAdd(value[i], value[j], sum[i][j]);
      }
    }
    PIKE_UNROLL
    for (int i = 1; i < kCount; ++i) {
      PIKE_UNROLL
      for (int j = 0; j < i; ++j) *out_++ = sum[i][j].Sum();
    }
  }

  /// Four vectors x with kColumns others.
  template <int kColumns>
  void Rectangle(const E* const* x_vectors, const E* const* y_vectors) {
    const char* coming = Coming();
    const std::int64_t step = block_.coming_step * V::kWidth;
    const E* x[4];
    const E* y[kColumns];
    V sum[kColumns][4];
    PIKE_UNROLL
    for (int j = 0; j < 4; ++j) x[j] = x_vectors[j];
    PIKE_UNROLL
    for (int i = 0; i < kColumns; ++i) {
      y[i] = y_vectors[i];
      PIKE_UNROLL
      for (int j = 0; j < 4; ++j) sum[i][j] = V::Zero();
    }
    for (std::int64_t c = 0; c < block_.count; c += V::kWidth) {
      PIKE_PREFETCH(coming);
      coming += step;
      V value[kColumns];
      PIKE_UNROLL
      for (int i = 0; i < kColumns; ++i) value[i] = V::Load(y[i] + c);
      PIKE_UNROLL
      for (int j = 0; j < 4; ++j) {
        const V other = V::Load(x[j] + c);
        PIKE_UNROLL
        for (int i = 0; i < kColumns; ++i) sum[i][j] = V::MultiplyAdd(value[i], other, sum[i][j]);
      }
    }
    PIKE_UNROLL
    for (int i = 0; i < kColumns; ++i) {
      PIKE_UNROLL
      for (int j = 0; j < 4; ++j) *out_++ = sum[i][j].Sum();
    }
  }

  const ProductsBlock<E>& block_;
  double* out_;
  std::int64_t tile_ = 0;
};

template <typename V>
void Products(const ProductsBlock<typename V::Element>& block, double* out) {
  ProductTiles<V>(block, out).Run();
}

}  // namespace pike
