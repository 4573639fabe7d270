// Sums over the rows of a task, in vectors `V` (vectors_*.h). Included where the instructions of V are
// allowed.
#pragma once

#include <cstdint>
#include <cstring>

#include "cpu/instruction_set.h"
#include "cpu/kernels.h"
#include "cpu/platform.h"

namespace pike {

/// How V reads rows of a dtype: a vector of elements that lie together or, which may take less time, part
/// kPart of kParts vectors of elements that lie together, each element in one of the parts.
template <typename V>
struct Plain {
  using Type = typename V::Element;
  static constexpr int kParts = 1;
  static PIKE_INLINE V Load(const Type* p) { return V::Load(p); }
};
template <typename V>
struct BFloat16 {
  using Type = std::uint16_t;
  static constexpr int kParts = 2;
  static PIKE_INLINE V Load(const Type* p) { return V::LoadBFloat16(p); }
  template <int kPart>
  static PIKE_INLINE V LoadPart(const Type* p) {
    return kPart == 0 ? V::LoadEvenBFloat16(p) : V::LoadOddBFloat16(p);
  }
};
template <typename V>
struct Float16 {
  using Type = std::uint16_t;
  static constexpr int kParts = 1;
  static PIKE_INLINE V Load(const Type* p) { return V::LoadFloat16(p); }
};

/// Two vectors of every row: those that lie behind one another or, if kParted, the two parts of the elements
/// that lie there.
template <typename V, typename Source, int kRows, bool kParted>
struct Halves {
  const typename Source::Type* const (&p)[kRows];
  std::int64_t at;
  template <int kHalf>
  PIKE_INLINE V Load(int row) const {
    if constexpr (kParted) {
      return Source::template LoadPart<kHalf>(p[row] + at);
    } else {
      return Source::Load(p[row] + at + kHalf * V::kWidth);
    }
  }
};

/// Fetches lines that are needed soon: of the rows that are worked on or, on processors that fetch lines in
/// pairs, of `coming`, as far into it as the `bytes` of `p` that are about to be worked on.
template <int kRows, std::int64_t kBytes, typename T>
PIKE_INLINE void Fetch(const T* const (&p)[kRows], const T* const (&coming)[kRows], std::int64_t c,
                       bool in_pairs) {
  constexpr std::int64_t kLine = 64;
  // Of all rows together: far enough that memory answers in time, and not so far that lines wait for one
  // another (16 rows on a Xeon: 81 to 84 % of the speed of memory, 71 to 80 at 1 KiB of each row).
  constexpr std::int64_t kAhead = 3072 / kRows / kLine * kLine;  // bytes
  const std::int64_t at = c * std::int64_t{sizeof(T)};
  if (in_pairs) {
    if (kBytes == kLine && (at & kLine) != 0) return;
    PIKE_UNROLL
    for (int i = 0; i < kRows; ++i) PIKE_PREFETCH(reinterpret_cast<const char*>(coming[i]) + at);
    return;
  }
  PIKE_UNROLL
  for (int i = 0; i < kRows; ++i) {
    PIKE_UNROLL
    for (std::int64_t line = 0; line < kBytes; line += kLine)
      PIKE_PREFETCH_NEAR(reinterpret_cast<const char*>(p[i]) + at + line + kAhead);
  }
}

/// Calls step(halves, column) for all columns, two vectors of each row at a time, to be stored at `column`.
/// What is left of a cache line is read from a copy that ends in zeros. If kInParts, columns may come in
/// another order, the same whatever kRows is.
template <typename V, typename Source, int kRows, bool kInParts, typename Step>
PIKE_INLINE void ForEachVector(const void* const* rows, const void* const* coming, std::int64_t count,
                               Step& step) {
  using T = typename Source::Type;
  constexpr bool kParted = kInParts && Source::kParts == 2;
  constexpr int kStep = 2 * V::kWidth;
  static_assert(kPadding % kStep == 0);
  constexpr int kOfLine = 64 / sizeof(T);
  constexpr int kLines = kStep > kOfLine ? kStep : kOfLine;  // columns
  constexpr std::int64_t kSize = sizeof(T);
  const bool in_pairs = FetchesLinesInPairs();
  const T* p[kRows];
  const T* ahead[kRows];
  PIKE_UNROLL
  for (int i = 0; i < kRows; ++i) {
    p[i] = static_cast<const T*>(rows[i]);
    ahead[i] = static_cast<const T*>(coming[i]);
  }
  std::int64_t c = 0;
  for (; c + kLines <= count; c += kLines) {
    Fetch<kRows, kLines * kSize>(p, ahead, c, in_pairs);
    PIKE_UNROLL
    for (int at = 0; at < kLines; at += kStep) step(Halves<V, Source, kRows, kParted>{p, c + at}, c + at);
  }
  alignas(64) T last[kRows][kStep];
  const T* from[kRows];
  PIKE_UNROLL
  for (int i = 0; i < kRows; ++i) from[i] = last[i];
  for (; c < count; c += kStep) {
    const std::int64_t rest = count - c < kStep ? count - c : kStep;
    CopyColumns(rows, kRows, c * kSize, rest * kSize, sizeof(last[0]), last);
    step(Halves<V, Source, kRows, false>{from, 0}, c);  // nothing but zeros beyond `count`
  }
}

/// Deviations and alignments of kTasks tasks of kRows rows each, and the means and their norms if not kGiven.
/// Two rows are as far from their mean as their weights say, on either side: their difference is all there is
/// to know.
template <typename V, int kRows, int kTasks, bool kScaled, bool kAlignment, bool kGiven>
struct Scores {
  using E = typename V::Element;
  static constexpr int kAll = kRows * kTasks;
  static constexpr bool kPair = kRows == 2 && !kGiven;
  static constexpr int kDeviations = kPair ? kTasks : kAll;
  static constexpr int kSums = kDeviations * (kAlignment ? 2 : 1) + (kGiven ? 0 : kTasks);
  /// Where registers allow it there are two of each sum, so that additions need not wait for one another.
  static constexpr int kSets = kSums <= V::kMostDoubledSums ? 2 : 1;

  V weight[kAll];
  V deviation[kSets][kDeviations];  ///< If kPair, one per task; the same of the next.
  V alignment[kSets][kDeviations];
  V norm[kSets][kTasks];
  const E* roots;
  E* mean[kTasks];

  PIKE_INLINE explicit Scores(const RowsBlock<E>& block) : roots(block.roots) {
    PIKE_UNROLL
    for (int i = 0; i < kAll; ++i) weight[i] = kGiven ? V::Zero() : V::Broadcast(block.weight[i]);
    PIKE_UNROLL
    for (int s = 0; s < kSets; ++s) {
      PIKE_UNROLL
      for (int i = 0; i < kDeviations; ++i) deviation[s][i] = alignment[s][i] = V::Zero();
      PIKE_UNROLL
      for (int t = 0; t < kTasks; ++t) norm[s][t] = V::Zero();
    }
    PIKE_UNROLL
    for (int t = 0; t < kTasks; ++t) mean[t] = block.mean + t * block.mean_stride;
  }

  template <typename Vectors>
  PIKE_INLINE void operator()(const Vectors& vectors, std::int64_t column) {
    V root[2] = {V::Zero(), V::Zero()};
    if constexpr (kScaled) {
      root[0] = V::Load(roots + column);
      root[1] = V::Load(roots + column + V::kWidth);
    }
    PIKE_UNROLL
    for (int t = 0; t < kTasks; ++t) {
      Add<0>(vectors, t, column, root[0]);
      Add<1>(vectors, t, column + V::kWidth, root[1]);
    }
  }

  template <int kHalf, typename Vectors>
  PIKE_INLINE void Add(const Vectors& vectors, int t, std::int64_t column, V root) {
    constexpr int s = kHalf % kSets;
    V x[kRows];
    PIKE_UNROLL
    for (int i = 0; i < kRows; ++i) {
      x[i] = vectors.template Load<kHalf>(t * kRows + i);
      if constexpr (kScaled) x[i] = x[i] * root;
    }
    V m;
    if constexpr (kGiven) {
      m = V::Load(mean[t] + column);
    } else if constexpr (kPair) {
      const V difference = x[0] - x[1];
      m = V::MultiplyAdd(weight[t * kRows], difference, x[1]);
      deviation[s][t] = V::MultiplyAdd(difference, difference, deviation[s][t]);
      if constexpr (kAlignment) alignment[s][t] = V::MultiplyAdd(difference, m, alignment[s][t]);
    } else {
      m = weight[t * kRows] * x[0];
      PIKE_UNROLL
      for (int i = 1; i < kRows; ++i) m = V::MultiplyAdd(weight[t * kRows + i], x[i], m);
    }
    if constexpr (!kGiven) {
      m.Store(mean[t] + column);
      norm[s][t] = V::MultiplyAdd(m, m, norm[s][t]);
    }
    if constexpr (!kPair) {
      PIKE_UNROLL
      for (int i = 0; i < kRows; ++i) {
        const int all = t * kRows + i;
        const V d = x[i] - m;
        deviation[s][all] = V::MultiplyAdd(d, d, deviation[s][all]);
        if constexpr (kAlignment) alignment[s][all] = V::MultiplyAdd(d, m, alignment[s][all]);
      }
    }
  }

  template <int kCount>
  static PIKE_INLINE double SumOf(const V (&sums)[kSets][kCount], int i) {
    if constexpr (kSets == 1) {
      return sums[0][i].Sum();
    } else {
      return sums[0][i].Sum() + sums[1][i].Sum();
    }
  }

  PIKE_INLINE void Finish(const RowsBlock<E>& block) const {
    if constexpr (kPair) {
      PIKE_UNROLL
      for (int t = 0; t < kTasks; ++t) {
        const double first = block.weight[t * kRows];
        const double second = 1 - first;
        const double squared = SumOf(deviation, t);
        block.deviation[t * kRows] = second * second * squared;
        block.deviation[t * kRows + 1] = first * first * squared;
        if constexpr (kAlignment) {
          const double product = SumOf(alignment, t);
          block.alignment[t * kRows] = second * product;
          block.alignment[t * kRows + 1] = -first * product;
        }
      }
    } else {
      PIKE_UNROLL
      for (int i = 0; i < kAll; ++i) {
        block.deviation[i] = SumOf(deviation, i);
        if constexpr (kAlignment) block.alignment[i] = SumOf(alignment, i);
      }
    }
    if constexpr (!kGiven) {
      PIKE_UNROLL
      for (int t = 0; t < kTasks; ++t) block.norm[t] = SumOf(norm, t);
    }
  }
};

template <typename V, typename Source, int kRows, int kTasks, bool kScaled, bool kAlignment, bool kGiven>
void ScoreRows(const RowsBlock<typename V::Element>& block) {
  Scores<V, kRows, kTasks, kScaled, kAlignment, kGiven> scores(block);
  ForEachVector<V, Source, kRows * kTasks, !kScaled>(block.rows, block.coming, block.count, scores);
  scores.Finish(block);
}

/// The weighted sum of some rows, formed by itself before it is added to that of others: so chains stay short
/// however many rows there are.
template <typename V, int kRows, bool kScaled, bool kAdd>
struct WeightedSum {
  using E = typename V::Element;

  V weight[kRows];
  const E* roots;
  E* mean;

  PIKE_INLINE explicit WeightedSum(const RowsBlock<E>& block) : roots(block.roots), mean(block.mean) {
    PIKE_UNROLL
    for (int i = 0; i < kRows; ++i) weight[i] = V::Broadcast(block.weight[i]);
  }

  template <typename Vectors>
  PIKE_INLINE void operator()(const Vectors& vectors, std::int64_t column) {
    Add<0>(vectors, column);
    Add<1>(vectors, column + V::kWidth);
  }

  template <int kHalf, typename Vectors>
  PIKE_INLINE void Add(const Vectors& vectors, std::int64_t column) {
    V sum = weight[0] * vectors.template Load<kHalf>(0);
    PIKE_UNROLL
    for (int i = 1; i < kRows; ++i) sum = V::MultiplyAdd(weight[i], vectors.template Load<kHalf>(i), sum);
    if constexpr (kScaled) sum = sum * V::Load(roots + column);
    if constexpr (kAdd) sum = V::Load(mean + column) + sum;
    sum.Store(mean + column);
  }
};

template <typename V, typename Source, int kRows, bool kScaled, bool kAdd>
void SumRows(const RowsBlock<typename V::Element>& block) {
  WeightedSum<V, kRows, kScaled, kAdd> sum(block);
  ForEachVector<V, Source, kRows, !kScaled>(block.rows, block.coming, block.count, sum);
}

template <typename V, typename Source, bool kScaled, int kRows = 1>
constexpr void FillRowKernels(RowKernels<typename V::Element>& kernels) {
  constexpr int i = kRows - 1;
  kernels.whole[i][0] = ScoreRows<V, Source, kRows, 1, kScaled, false, false>;
  kernels.whole[i][1] = ScoreRows<V, Source, kRows, 1, kScaled, true, false>;
  if constexpr (kRows <= kPartRows) {
    kernels.scores[i][0] = ScoreRows<V, Source, kRows, 1, kScaled, false, true>;
    kernels.scores[i][1] = ScoreRows<V, Source, kRows, 1, kScaled, true, true>;
    kernels.sum[i][0] = SumRows<V, Source, kRows, kScaled, false>;
    kernels.sum[i][1] = SumRows<V, Source, kRows, kScaled, true>;
  }
  if constexpr (kRows < V::kMostRows) FillRowKernels<V, Source, kScaled, kRows + 1>(kernels);
  if constexpr (kRows == kPairRows) {
    kernels.pairs[0][0] = ScoreRows<V, Source, kRows, 2, kScaled, false, false>;
    kernels.pairs[0][1] = ScoreRows<V, Source, kRows, 2, kScaled, true, false>;
    if constexpr (2 * kRows <= V::kMostRows) {
      kernels.pairs[1][0] = ScoreRows<V, Source, kRows, 4, kScaled, false, false>;
      kernels.pairs[1][1] = ScoreRows<V, Source, kRows, 4, kScaled, true, false>;
    }
  }
}

}  // namespace pike
