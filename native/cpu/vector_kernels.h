// What is done to one vector, or one vector with another: scaling, roots, norms, and Welford's update.
// Included where the instructions of V are allowed.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/kernels.h"
#include "cpu/platform.h"
#include "cpu/range.h"
#include "cpu/row_kernels.h"

namespace pike {

/// ‖x‖² of a vector padded with zeros.
template <typename V>
double SquaredNorm(const typename V::Element* x, std::int64_t count) {
  V sum = V::Zero();
  for (std::int64_t c = 0; c < count; c += V::kWidth) {
    const V value = V::Load(x + c);
    sum = V::MultiplyAdd(value, value, sum);
  }
  return sum.Sum();
}

/// How one row is multiplied with a vector, or with ones.
template <typename V, typename Source, bool kOnes>
struct Scaling {
  const typename V::Element* factor;
  typename V::Element* out;

  template <typename Vectors>
  PIKE_INLINE void operator()(const Vectors& vectors, std::int64_t column) {
    Store(vectors.template Load<0>(0), column);
    Store(vectors.template Load<1>(0), column + V::kWidth);
  }

  PIKE_INLINE void Store(V x, std::int64_t column) {
    if constexpr (!kOnes) x = x * V::Load(factor + column);
    x.Store(out + column);
  }
};

template <typename V, typename Source>
void ScaleVector(const void* x, const typename V::Element* factor, const void* coming, std::int64_t count,
                 typename V::Element* out) {
  if (factor == nullptr) {
    Scaling<V, Source, true> scaling{factor, out};
    ForEachVector<V, Source, 1, false>(&x, &coming, count, scaling);
  } else {
    Scaling<V, Source, false> scaling{factor, out};
    ForEachVector<V, Source, 1, false>(&x, &coming, count, scaling);
  }
}

template <typename V, typename Source>
bool RootsOf(const void* x, std::int64_t count, typename V::Element* out) {
  using T = typename Source::Type;
  const T* const from = static_cast<const T*>(x);
  bool valid = true;
  std::int64_t c = 0;
  if (out == nullptr) {
    for (; c + V::kWidth <= count; c += V::kWidth) valid &= Source::Load(from + c).IsMetric();
  } else {
    for (; c + V::kWidth <= count; c += V::kWidth) {
      const V value = Source::Load(from + c);
      valid &= value.IsMetric();
      value.Root().Store(out + c);
    }
  }
  if (c < count) {
    T last[V::kWidth] = {};
    std::memcpy(last, from + c, static_cast<std::size_t>(count - c) * sizeof(T));
    const V value = Source::Load(last);
    valid &= value.IsMetric();
    if (out != nullptr) value.Root().Store(out + c);
    c += V::kWidth;
  }
  for (; out != nullptr && c < Padded(count); ++c) out[c] = 0;
  return valid;
}

/// A square as doubles: sums of squares of floats then neither overflow nor vanish.
template <typename Floats, typename Doubles>
PIKE_INLINE Doubles AddSquare(Floats x, Doubles sum) {
  if constexpr (std::is_same_v<Floats, Doubles>) {
    return Doubles::MultiplyAdd(x, x, sum);
  } else {
    const Doubles low = x.Low();
    const Doubles high = x.High();
    return Doubles::MultiplyAdd(high, high, Doubles::MultiplyAdd(low, low, sum));
  }
}

/// The sums of an update, of floats, again as doubles. `before` is what the mean was.
template <typename V, typename Doubles, typename Source, bool kFirst>
UpdateSums SumsOfUpdate(const UpdateBlock<typename V::Element>& block, const typename V::Element* before) {
  using E = typename V::Element;
  using T = typename Source::Type;
  constexpr int kWidth = V::kWidth;
  const T* gradient = static_cast<const T*>(block.gradient);
  const E* mean = block.mean;
  T last[kWidth] = {};
  E last_before[kWidth] = {};
  E last_mean[kWidth] = {};
  Doubles step = Doubles::Zero();
  Doubles norm = Doubles::Zero();
  for (std::int64_t c = 0; c < block.count;
       c += kWidth, gradient += kWidth, mean += kWidth, before += kWidth) {
    if (block.count - c < kWidth) {
      const auto rest = static_cast<std::size_t>(block.count - c);
      std::memcpy(last, gradient, rest * sizeof(T));
      std::memcpy(last_mean, mean, rest * sizeof(E));
      if constexpr (!kFirst) std::memcpy(last_before, before, rest * sizeof(E));
      gradient = last;
      mean = last_mean;
      before = last_before;
    }
    if constexpr (!kFirst) step = AddSquare(Source::Load(gradient) - V::Load(before), step);
    norm = AddSquare(V::Load(mean), norm);
  }
  return {.step = step.Sum(), .norm = norm.Sum()};
}

/// One vector of the update. kFirst: what the mean holds is another task's. A mean of floats is kept at
/// `before` as it was.
template <typename V, bool kFirst>
PIKE_INLINE void MoveVector(V x, typename V::Element* mean, V share, V& step, V& norm,
                            typename V::Element* before) {
  V next = x;
  if constexpr (!kFirst) {
    const V old = V::Load(mean);
    if constexpr (std::is_same_v<typename V::Element, float>) old.Store(before);
    const V delta = x - old;
    step = V::MultiplyAdd(delta, delta, step);
    next = V::MultiplyAdd(share, delta, old);
  }
  next.Store(mean);
  norm = V::MultiplyAdd(next, next, norm);
}

template <typename V, typename Doubles, typename Source, bool kFirst>
UpdateSums MoveMean(const UpdateBlock<typename V::Element>& block) {
  using E = typename V::Element;
  using T = typename Source::Type;
  constexpr int kWidth = V::kWidth;
  // Two of each, so that additions need not wait for one another.
  static_assert(kMostUpdateColumns <= 2 * kLongestChain * kWidth || !std::is_same_v<E, float>);
  const T* const gradient = static_cast<const T*>(block.gradient);
  E* const mean = block.mean;
  const V share = V::Broadcast(block.share);
  V step[2] = {V::Zero(), V::Zero()};
  V norm[2] = {V::Zero(), V::Zero()};
  alignas(64) E before[kMostUpdateColumns];
  std::int64_t c = 0;
  for (; c + 2 * kWidth <= block.count; c += 2 * kWidth) {
    MoveVector<V, kFirst>(Source::Load(gradient + c), mean + c, share, step[0], norm[0], before + c);
    MoveVector<V, kFirst>(Source::Load(gradient + c + kWidth), mean + c + kWidth, share, step[1], norm[1],
                          before + c + kWidth);
  }
  for (; c < block.count; c += kWidth) {
    const std::int64_t rest = block.count - c < kWidth ? block.count - c : kWidth;
    T last[kWidth] = {};
    E last_mean[kWidth] = {};
    std::memcpy(last, gradient + c, static_cast<std::size_t>(rest) * sizeof(T));
    std::memcpy(last_mean, mean + c, static_cast<std::size_t>(rest) * sizeof(E));
    MoveVector<V, kFirst>(Source::Load(last), last_mean, share, step[0], norm[0], before + c);
    std::memcpy(mean + c, last_mean, static_cast<std::size_t>(rest) * sizeof(E));
  }
  const UpdateSums sums = {.step = step[0].Sum() + step[1].Sum(), .norm = norm[0].Sum() + norm[1].Sum()};
  if constexpr (std::is_same_v<E, float>) {
    if (!(kFirst || IsInFloatRange(sums.step)) || !IsInFloatRange(sums.norm))
      return SumsOfUpdate<V, Doubles, Source, kFirst>(block, before);
  }
  return sums;
}

}  // namespace pike
