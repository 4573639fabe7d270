// What is done to one vector, or one vector with another: scaling, roots, norms, and Welford's update.
// Included where the instructions of V are allowed.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/kernels.h"
#include "cpu/platform.h"
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

  PIKE_INLINE void operator()(const typename Source::Type* const (&p)[1], std::int64_t at,
                              std::int64_t column) {
    V x = Source::Load(p[0] + at);
    if constexpr (!kOnes) x = x * V::Load(factor + column);
    x.Store(out + column);
  }
};

template <typename V, typename Source>
void ScaleVector(const void* x, const typename V::Element* factor, const void* coming, std::int64_t count,
                 typename V::Element* out) {
  if (factor == nullptr) {
    Scaling<V, Source, true> scaling{factor, out};
    ForEachVector<V, Source, 1>(&x, &coming, count, scaling);
  } else {
    Scaling<V, Source, false> scaling{factor, out};
    ForEachVector<V, Source, 1>(&x, &coming, count, scaling);
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
  }
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

/// One step of the update. kFirst: what the mean holds is another task's.
template <typename V, typename Doubles, bool kFirst>
PIKE_INLINE void MoveVector(V x, typename V::Element* mean, V share, Doubles& step, Doubles& norm) {
  V next = x;
  if constexpr (!kFirst) {
    const V before = V::Load(mean);
    const V delta = x - before;
    step = AddSquare(delta, step);
    next = V::MultiplyAdd(share, delta, before);
  }
  next.Store(mean);
  norm = AddSquare(next, norm);
}

template <typename V, typename Doubles, typename Source, bool kFirst>
UpdateSums MoveMean(const UpdateBlock<typename V::Element>& block) {
  using E = typename V::Element;
  using T = typename Source::Type;
  constexpr int kWidth = V::kWidth;
  const T* const gradient = static_cast<const T*>(block.gradient);
  E* const mean = block.mean;
  const V share = V::Broadcast(block.share);
  // Two of each, so that additions need not wait for one another.
  Doubles step[2] = {Doubles::Zero(), Doubles::Zero()};
  Doubles norm[2] = {Doubles::Zero(), Doubles::Zero()};
  std::int64_t c = 0;
  for (; c + 2 * kWidth <= block.count; c += 2 * kWidth) {
    MoveVector<V, Doubles, kFirst>(Source::Load(gradient + c), mean + c, share, step[0], norm[0]);
    MoveVector<V, Doubles, kFirst>(Source::Load(gradient + c + kWidth), mean + c + kWidth, share, step[1],
                                   norm[1]);
  }
  for (; c < block.count; c += kWidth) {
    const std::int64_t rest = block.count - c < kWidth ? block.count - c : kWidth;
    T last[kWidth] = {};
    E last_mean[kWidth] = {};
    std::memcpy(last, gradient + c, static_cast<std::size_t>(rest) * sizeof(T));
    std::memcpy(last_mean, mean + c, static_cast<std::size_t>(rest) * sizeof(E));
    MoveVector<V, Doubles, kFirst>(Source::Load(last), last_mean, share, step[0], norm[0]);
    std::memcpy(mean + c, last_mean, static_cast<std::size_t>(rest) * sizeof(E));
  }
  return {.step = (step[0] + step[1]).Sum(), .norm = (norm[0] + norm[1]).Sum()};
}

}  // namespace pike
