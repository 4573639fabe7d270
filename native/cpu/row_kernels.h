// Sums over the rows of a task, in vectors `V` (vectors_*.h). Included where the instructions of V are
// allowed.
#pragma once

#include <cstdint>
#include <cstring>

#include "cpu/kernels.h"
#include "cpu/platform.h"

namespace pike {

/// How V reads rows of a dtype.
template <typename V>
struct Plain {
  using Type = typename V::Element;
  static PIKE_INLINE V Load(const Type* p) { return V::Load(p); }
};
template <typename V>
struct BFloat16 {
  using Type = std::uint16_t;
  static PIKE_INLINE V Load(const Type* p) { return V::LoadBFloat16(p); }
};
template <typename V>
struct Float16 {
  using Type = std::uint16_t;
  static PIKE_INLINE V Load(const Type* p) { return V::LoadFloat16(p); }
};

/// Calls step(p, column) with the addresses `p` of one vector of every row, for all columns. The last one, if
/// the rows end within it, is read from a copy that ends in zeros. While a cache line of each row is worked
/// on, one of each of `coming` is fetched.
template <typename V, typename Source, int kRows, typename Step>
PIKE_INLINE void ForEachVector(const void* const* rows, const void* const* coming, std::int64_t count,
                               Step& step) {
  using T = typename Source::Type;
  constexpr int kWidth = V::kWidth;
  constexpr int kLine = 64 / sizeof(T) > kWidth ? 64 / sizeof(T) : kWidth;
  const T* p[kRows];
  const T* ahead[kRows];
  PIKE_UNROLL
  for (int i = 0; i < kRows; ++i) {
    p[i] = static_cast<const T*>(rows[i]);
    ahead[i] = static_cast<const T*>(coming[i]);
  }
  std::int64_t c = 0;
  for (; c + kLine <= count; c += kLine) {
    PIKE_UNROLL
    for (int i = 0; i < kRows; ++i) PIKE_PREFETCH(ahead[i] + c);
    for (int at = 0; at < kLine; at += kWidth) step(p, c + at, c + at);
  }
  for (; c + kWidth <= count; c += kWidth) step(p, c, c);
  if (c == count) return;
  alignas(64) T last[kRows][kWidth] = {};
  for (int i = 0; i < kRows; ++i) {
    std::memcpy(last[i], p[i] + c, static_cast<std::size_t>(count - c) * sizeof(T));
    p[i] = last[i];
  }
  step(p, 0, c);
}

/// Deviations and alignments, and the mean and its norm if not kGiven.
template <typename V, typename Source, int kRows, bool kAlignment, bool kGiven>
struct Scores {
  using E = typename V::Element;
  using T = typename Source::Type;

  V weight[kRows];
  V deviation[kRows];
  V alignment[kRows];
  V norm;
  const E* roots;
  E* mean;

  PIKE_INLINE explicit Scores(const RowsBlock<E>& block)
      : norm(V::Zero()), roots(block.roots), mean(block.mean) {
    PIKE_UNROLL
    for (int i = 0; i < kRows; ++i) {
      deviation[i] = alignment[i] = V::Zero();
      weight[i] = kGiven ? V::Zero() : V::Broadcast(block.weight[i]);
    }
  }

  PIKE_INLINE void operator()(const T* const (&p)[kRows], std::int64_t at, std::int64_t column) {
    const V root = V::Load(roots + column);
    V x[kRows];
    PIKE_UNROLL
    for (int i = 0; i < kRows; ++i) x[i] = Source::Load(p[i] + at) * root;
    V m;
    if constexpr (kGiven) {
      m = V::Load(mean + column);
    } else {
      m = weight[0] * x[0];
      PIKE_UNROLL
      for (int i = 1; i < kRows; ++i) m = V::MultiplyAdd(weight[i], x[i], m);
      m.Store(mean + column);
      norm = V::MultiplyAdd(m, m, norm);
    }
    PIKE_UNROLL
    for (int i = 0; i < kRows; ++i) {
      const V d = x[i] - m;
      deviation[i] = V::MultiplyAdd(d, d, deviation[i]);
      if constexpr (kAlignment) alignment[i] = V::MultiplyAdd(d, m, alignment[i]);
    }
  }
};

template <typename V, typename Source, int kRows, bool kAlignment, bool kGiven>
void ScoreRows(const RowsBlock<typename V::Element>& block) {
  Scores<V, Source, kRows, kAlignment, kGiven> scores(block);
  ForEachVector<V, Source, kRows>(block.rows, block.coming, block.count, scores);
  PIKE_UNROLL
  for (int i = 0; i < kRows; ++i) {
    block.deviation[i] = scores.deviation[i].Sum();
    if constexpr (kAlignment) block.alignment[i] = scores.alignment[i].Sum();
  }
  if constexpr (!kGiven) *block.norm = scores.norm.Sum();
}

/// The weighted sum of some rows, formed by itself before it is added to that of others: so chains stay short
/// however many rows there are.
template <typename V, typename Source, int kRows, bool kAdd>
struct WeightedSum {
  using E = typename V::Element;
  using T = typename Source::Type;

  V weight[kRows];
  const E* roots;
  E* mean;

  PIKE_INLINE explicit WeightedSum(const RowsBlock<E>& block) : roots(block.roots), mean(block.mean) {
    PIKE_UNROLL
    for (int i = 0; i < kRows; ++i) weight[i] = V::Broadcast(block.weight[i]);
  }

  PIKE_INLINE void operator()(const T* const (&p)[kRows], std::int64_t at, std::int64_t column) {
    V sum = weight[0] * Source::Load(p[0] + at);
    PIKE_UNROLL
    for (int i = 1; i < kRows; ++i) sum = V::MultiplyAdd(weight[i], Source::Load(p[i] + at), sum);
    sum = sum * V::Load(roots + column);
    if constexpr (kAdd) sum = V::Load(mean + column) + sum;
    sum.Store(mean + column);
  }
};

template <typename V, typename Source, int kRows, bool kAdd>
void SumRows(const RowsBlock<typename V::Element>& block) {
  WeightedSum<V, Source, kRows, kAdd> sum(block);
  ForEachVector<V, Source, kRows>(block.rows, block.coming, block.count, sum);
}

template <typename V, typename Source, int kRows = 1>
constexpr void FillRowKernels(RowKernels<typename V::Element>& kernels) {
  constexpr int i = kRows - 1;
  kernels.whole[i][0] = ScoreRows<V, Source, kRows, false, false>;
  kernels.whole[i][1] = ScoreRows<V, Source, kRows, true, false>;
  if constexpr (kRows <= kPartRows) {
    kernels.scores[i][0] = ScoreRows<V, Source, kRows, false, true>;
    kernels.scores[i][1] = ScoreRows<V, Source, kRows, true, true>;
    kernels.sum[i][0] = SumRows<V, Source, kRows, false>;
    kernels.sum[i][1] = SumRows<V, Source, kRows, true>;
  }
  if constexpr (kRows < V::kMostRows) FillRowKernels<V, Source, kRows + 1>(kernels);
}

}  // namespace pike
