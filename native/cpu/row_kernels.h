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
  constexpr std::int64_t kAhead = 1024;  // bytes
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
    for (int i = 0; i < kRows; ++i) {
      // What comes next into the second level of cache, and what is about to be read into the first.
      PIKE_PREFETCH(ahead[i] + c);
      PIKE_PREFETCH_NEAR(reinterpret_cast<const char*>(p[i] + c) + kAhead);
    }
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

/// Deviations and alignments of kTasks tasks of kRows rows each, and the means and their norms if not kGiven.
template <typename V, typename Source, int kRows, int kTasks, bool kAlignment, bool kGiven>
struct Scores {
  using E = typename V::Element;
  using T = typename Source::Type;
  static constexpr int kAll = kRows * kTasks;

  V weight[kAll];
  V deviation[kAll];
  V alignment[kAll];
  V norm[kTasks];
  const E* roots;
  E* mean[kTasks];

  PIKE_INLINE explicit Scores(const RowsBlock<E>& block) : roots(block.roots) {
    PIKE_UNROLL
    for (int i = 0; i < kAll; ++i) {
      deviation[i] = alignment[i] = V::Zero();
      weight[i] = kGiven ? V::Zero() : V::Broadcast(block.weight[i]);
    }
    PIKE_UNROLL
    for (int t = 0; t < kTasks; ++t) {
      norm[t] = V::Zero();
      mean[t] = block.mean + t * block.mean_stride;
    }
  }

  PIKE_INLINE void operator()(const T* const (&p)[kAll], std::int64_t at, std::int64_t column) {
    const V root = V::Load(roots + column);
    PIKE_UNROLL
    for (int t = 0; t < kTasks; ++t) {
      V x[kRows];
      PIKE_UNROLL
      for (int i = 0; i < kRows; ++i) x[i] = Source::Load(p[t * kRows + i] + at) * root;
      V m;
      if constexpr (kGiven) {
        m = V::Load(mean[t] + column);
      } else {
        m = weight[t * kRows] * x[0];
        PIKE_UNROLL
        for (int i = 1; i < kRows; ++i) m = V::MultiplyAdd(weight[t * kRows + i], x[i], m);
        m.Store(mean[t] + column);
        norm[t] = V::MultiplyAdd(m, m, norm[t]);
      }
      PIKE_UNROLL
      for (int i = 0; i < kRows; ++i) {
        const int all = t * kRows + i;
        const V d = x[i] - m;
        deviation[all] = V::MultiplyAdd(d, d, deviation[all]);
        if constexpr (kAlignment) alignment[all] = V::MultiplyAdd(d, m, alignment[all]);
      }
    }
  }
};

template <typename V, typename Source, int kRows, int kTasks, bool kAlignment, bool kGiven>
void ScoreRows(const RowsBlock<typename V::Element>& block) {
  constexpr int kAll = kRows * kTasks;
  Scores<V, Source, kRows, kTasks, kAlignment, kGiven> scores(block);
  ForEachVector<V, Source, kAll>(block.rows, block.coming, block.count, scores);
  PIKE_UNROLL
  for (int i = 0; i < kAll; ++i) {
    block.deviation[i] = scores.deviation[i].Sum();
    if constexpr (kAlignment) block.alignment[i] = scores.alignment[i].Sum();
  }
  if constexpr (!kGiven) {
    PIKE_UNROLL
    for (int t = 0; t < kTasks; ++t) block.norm[t] = scores.norm[t].Sum();
  }
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
  kernels.whole[i][0] = ScoreRows<V, Source, kRows, 1, false, false>;
  kernels.whole[i][1] = ScoreRows<V, Source, kRows, 1, true, false>;
  if constexpr (kRows <= kPartRows) {
    kernels.scores[i][0] = ScoreRows<V, Source, kRows, 1, false, true>;
    kernels.scores[i][1] = ScoreRows<V, Source, kRows, 1, true, true>;
    kernels.sum[i][0] = SumRows<V, Source, kRows, false>;
    kernels.sum[i][1] = SumRows<V, Source, kRows, true>;
  }
  if constexpr (kRows < V::kMostRows) FillRowKernels<V, Source, kRows + 1>(kernels);
  if constexpr (kRows == kPairRows) {
    kernels.pairs[0][0] = ScoreRows<V, Source, kRows, 2, false, false>;
    kernels.pairs[0][1] = ScoreRows<V, Source, kRows, 2, true, false>;
    if constexpr (4 * kRows <= V::kMostRows) {
      kernels.pairs[1][0] = ScoreRows<V, Source, kRows, 4, false, false>;
      kernels.pairs[1][1] = ScoreRows<V, Source, kRows, 4, true, false>;
    }
  }
}

}  // namespace pike
