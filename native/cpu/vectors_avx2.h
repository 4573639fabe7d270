// Vectors of 256 bits. Included between PIKE_BEGIN_TARGET("avx2,fma,f16c") and PIKE_END_TARGET only.
#pragma once

#include <immintrin.h>

#include <cfloat>
#include <cstdint>

#include "cpu/platform.h"

namespace pike::avx2 {

struct Doubles {
  using Element = double;
  static constexpr int kWidth = 4;
  static constexpr int kMostRows = 4;
  static constexpr int kMostDoubledSums = 4;
  static constexpr int kTile = 3;
  __m256d v;

  static PIKE_INLINE Doubles Zero() { return {_mm256_setzero_pd()}; }
  static PIKE_INLINE Doubles Broadcast(double x) { return {_mm256_set1_pd(x)}; }
  static PIKE_INLINE Doubles Load(const double* p) { return {_mm256_loadu_pd(p)}; }
  PIKE_INLINE void Store(double* p) const { _mm256_storeu_pd(p, v); }
  friend PIKE_INLINE Doubles operator+(Doubles a, Doubles b) { return {_mm256_add_pd(a.v, b.v)}; }
  friend PIKE_INLINE Doubles operator-(Doubles a, Doubles b) { return {_mm256_sub_pd(a.v, b.v)}; }
  friend PIKE_INLINE Doubles operator*(Doubles a, Doubles b) { return {_mm256_mul_pd(a.v, b.v)}; }
  /// a·b + c, rounded once.
  static PIKE_INLINE Doubles MultiplyAdd(Doubles a, Doubles b, Doubles c) {
    return {_mm256_fmadd_pd(a.v, b.v, c.v)};
  }
  PIKE_INLINE Doubles Root() const { return {_mm256_sqrt_pd(v)}; }
  /// Whether all are finite and none is negative.
  PIKE_INLINE bool IsMetric() const {
    const __m256d inside = _mm256_and_pd(_mm256_cmp_pd(v, _mm256_setzero_pd(), _CMP_GE_OQ),
                                         _mm256_cmp_pd(v, _mm256_set1_pd(DBL_MAX), _CMP_LE_OQ));
    return _mm256_movemask_pd(inside) == 0xf;
  }
  PIKE_INLINE double Sum() const {
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
};

struct Floats {
  using Element = float;
  static constexpr int kWidth = 8;
  static constexpr int kMostRows = 4;
  static constexpr int kMostDoubledSums = 4;
  static constexpr int kTile = 3;
  static constexpr bool kReadsHalf = true;
  __m256 v;

  static PIKE_INLINE Floats Zero() { return {_mm256_setzero_ps()}; }
  static PIKE_INLINE Floats Broadcast(float x) { return {_mm256_set1_ps(x)}; }
  static PIKE_INLINE Floats Load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static PIKE_INLINE Floats LoadBFloat16(const std::uint16_t* p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16))};
  }
  /// Every second of 2·kWidth, from the first on or from the second on.
  static PIKE_INLINE Floats LoadEvenBFloat16(const std::uint16_t* p) {
    const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(both, 16))};
  }
  static PIKE_INLINE Floats LoadOddBFloat16(const std::uint16_t* p) {
    const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm256_castsi256_ps(_mm256_and_si256(both, _mm256_set1_epi32(static_cast<int>(0xffff0000u))))};
  }
  static PIKE_INLINE Floats LoadFloat16(const std::uint16_t* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  PIKE_INLINE void Store(float* p) const { _mm256_storeu_ps(p, v); }
  friend PIKE_INLINE Floats operator+(Floats a, Floats b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend PIKE_INLINE Floats operator-(Floats a, Floats b) { return {_mm256_sub_ps(a.v, b.v)}; }
  friend PIKE_INLINE Floats operator*(Floats a, Floats b) { return {_mm256_mul_ps(a.v, b.v)}; }
  static PIKE_INLINE Floats MultiplyAdd(Floats a, Floats b, Floats c) {
    return {_mm256_fmadd_ps(a.v, b.v, c.v)};
  }
  PIKE_INLINE Floats Root() const { return {_mm256_sqrt_ps(v)}; }
  PIKE_INLINE bool IsMetric() const {
    const __m256 inside = _mm256_and_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_GE_OQ),
                                        _mm256_cmp_ps(v, _mm256_set1_ps(FLT_MAX), _CMP_LE_OQ));
    return _mm256_movemask_ps(inside) == 0xff;
  }
  PIKE_INLINE Doubles Low() const { return {_mm256_cvtps_pd(_mm256_castps256_ps128(v))}; }
  PIKE_INLINE Doubles High() const { return {_mm256_cvtps_pd(_mm256_extractf128_ps(v, 1))}; }
  PIKE_INLINE double Sum() const { return (Low() + High()).Sum(); }
};

}  // namespace pike::avx2
