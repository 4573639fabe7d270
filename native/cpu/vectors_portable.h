// Vectors of four floats or two doubles, of which every compiler for the processors of today makes vector
// instructions of the baseline (SSE2 on x86-64). Products are rounded before they are added.
#pragma once

#include <cfloat>
#include <cmath>
#include <cstring>

#include "cpu/platform.h"

namespace pike::portable {

#if defined(__GNUC__)
template <typename Element>
struct Lanes16 {
  using Type __attribute__((vector_size(16))) = Element;
};
template <typename Element>
using Lanes = typename Lanes16<Element>::Type;
#else
template <typename E>
struct Lanes {
  static constexpr int kWidth = 16 / sizeof(E);
  E lane[kWidth];
  E& operator[](int i) { return lane[i]; }
  E operator[](int i) const { return lane[i]; }
  template <typename Operation>
  static PIKE_INLINE Lanes Each(const Lanes& a, const Lanes& b, Operation operation) {
    Lanes result;
    for (int i = 0; i < kWidth; ++i) result.lane[i] = operation(a.lane[i], b.lane[i]);
    return result;
  }
  friend PIKE_INLINE Lanes operator+(const Lanes& a, const Lanes& b) {
    return Each(a, b, [](E x, E y) { return x + y; });
  }
  friend PIKE_INLINE Lanes operator-(const Lanes& a, const Lanes& b) {
    return Each(a, b, [](E x, E y) { return x - y; });
  }
  friend PIKE_INLINE Lanes operator*(const Lanes& a, const Lanes& b) {
    return Each(a, b, [](E x, E y) { return x * y; });
  }
};
#endif

/// What floats and doubles have in common.
template <typename Self, typename E>
struct Vector {
  using Element = E;
  static constexpr int kWidth = 16 / sizeof(E);
  static constexpr int kMostRows = 4;
  static constexpr int kMostDoubledSums = 4;
  static constexpr int kTile = 2;
  Lanes<E> v;

  static PIKE_INLINE Self Broadcast(E x) {
    Self result;
    for (int i = 0; i < kWidth; ++i) result.v[i] = x;
    return result;
  }
  static PIKE_INLINE Self Zero() { return Broadcast(0); }
  static PIKE_INLINE Self Load(const E* p) {
    Self result;
    std::memcpy(&result.v, p, sizeof(result.v));
    return result;
  }
  PIKE_INLINE void Store(E* p) const { std::memcpy(p, &v, sizeof(v)); }
  friend PIKE_INLINE Self operator+(Self a, Self b) {
    a.v = a.v + b.v;
    return a;
  }
  friend PIKE_INLINE Self operator-(Self a, Self b) {
    a.v = a.v - b.v;
    return a;
  }
  friend PIKE_INLINE Self operator*(Self a, Self b) {
    a.v = a.v * b.v;
    return a;
  }
  /// a·b + c, rounded twice.
  static PIKE_INLINE Self MultiplyAdd(Self a, Self b, Self c) { return a * b + c; }
  PIKE_INLINE Self Root() const {
    Self result;
    for (int i = 0; i < kWidth; ++i) result.v[i] = std::sqrt(v[i]);
    return result;
  }
};

struct Doubles : Vector<Doubles, double> {
  /// Whether all are finite and none is negative.
  PIKE_INLINE bool IsMetric() const {
    bool inside = true;
    for (int i = 0; i < kWidth; ++i) inside &= v[i] >= 0 && v[i] <= DBL_MAX;
    return inside;
  }
  PIKE_INLINE double Sum() const { return v[0] + v[1]; }
};

struct Floats : Vector<Floats, float> {
  /// Compilers make vector instructions of long loops over 16-bit floats, but not of loads of four.
  static constexpr bool kReadsHalf = false;

  PIKE_INLINE bool IsMetric() const {
    bool inside = true;
    for (int i = 0; i < kWidth; ++i) inside &= v[i] >= 0 && v[i] <= FLT_MAX;
    return inside;
  }
  PIKE_INLINE Doubles Low() const { return Wide(0); }
  PIKE_INLINE Doubles High() const { return Wide(2); }
  PIKE_INLINE double Sum() const { return (Low() + High()).Sum(); }

 private:
  PIKE_INLINE Doubles Wide(int first) const {
    Doubles result;
    for (int i = 0; i < 2; ++i) result.v[i] = v[first + i];
    return result;
  }
};

}  // namespace pike::portable
