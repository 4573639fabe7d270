// Vectors of 512 bits. Included between PIKE_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
// and PIKE_END_TARGET only.
#pragma once

#include <immintrin.h>

#include <cfloat>
#include <cstdint>

#include "cpu/platform.h"

namespace pike::avx512 {

struct Doubles {
  using Element = double;
  static constexpr int kWidth = 8;
  static constexpr int kMostRows = 8;
  static constexpr int kMostDoubledSums = 12;
  static constexpr int kTile = 4;
  __m512d v;

  static PIKE_INLINE Doubles Zero() { return {_mm512_setzero_pd()}; }
  static PIKE_INLINE Doubles Broadcast(double x) { return {_mm512_set1_pd(x)}; }
  static PIKE_INLINE Doubles Load(const double* p) { return {_mm512_loadu_pd(p)}; }
  PIKE_INLINE void Store(double* p) const { _mm512_storeu_pd(p, v); }
  friend PIKE_INLINE Doubles operator+(Doubles a, Doubles b) { return {_mm512_add_pd(a.v, b.v)}; }
  friend PIKE_INLINE Doubles operator-(Doubles a, Doubles b) { return {_mm512_sub_pd(a.v, b.v)}; }
  friend PIKE_INLINE Doubles operator*(Doubles a, Doubles b) { return {_mm512_mul_pd(a.v, b.v)}; }
  /// a·b + c, rounded once.
  static PIKE_INLINE Doubles MultiplyAdd(Doubles a, Doubles b, Doubles c) {
    return {_mm512_fmadd_pd(a.v, b.v, c.v)};
  }
  PIKE_INLINE Doubles Root() const { return {_mm512_sqrt_pd(v)}; }
  /// Whether all are finite and none is negative.
  PIKE_INLINE bool IsMetric() const {
    const __mmask8 inside = _mm512_cmp_pd_mask(v, _mm512_setzero_pd(), _CMP_GE_OQ) &
                            _mm512_cmp_pd_mask(v, _mm512_set1_pd(DBL_MAX), _CMP_LE_OQ);
    return inside == 0xff;
  }
  PIKE_INLINE double Sum() const {
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
};

struct Floats {
  using Element = float;
  static constexpr int kWidth = 16;
  static constexpr int kMostRows = 8;
  static constexpr int kMostDoubledSums = 12;
  static constexpr int kTile = 4;
  static constexpr bool kReadsHalf = true;
  __m512 v;

  static PIKE_INLINE Floats Zero() { return {_mm512_setzero_ps()}; }
  static PIKE_INLINE Floats Broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static PIKE_INLINE Floats Load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static PIKE_INLINE Floats LoadBFloat16(const std::uint16_t* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
  }
  /// Every second of 2·kWidth, from the first on or from the second on.
  static PIKE_INLINE Floats LoadEvenBFloat16(const std::uint16_t* p) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16))};
  }
  static PIKE_INLINE Floats LoadOddBFloat16(const std::uint16_t* p) {
    const __m512i high = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
    return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), high))};
  }
  static PIKE_INLINE Floats LoadFloat16(const std::uint16_t* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
  PIKE_INLINE void Store(float* p) const { _mm512_storeu_ps(p, v); }
  friend PIKE_INLINE Floats operator+(Floats a, Floats b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend PIKE_INLINE Floats operator-(Floats a, Floats b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend PIKE_INLINE Floats operator*(Floats a, Floats b) { return {_mm512_mul_ps(a.v, b.v)}; }
  static PIKE_INLINE Floats MultiplyAdd(Floats a, Floats b, Floats c) {
    return {_mm512_fmadd_ps(a.v, b.v, c.v)};
  }
  PIKE_INLINE Floats Root() const { return {_mm512_sqrt_ps(v)}; }
  PIKE_INLINE bool IsMetric() const {
    const __mmask16 inside = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_GE_OQ) &
                             _mm512_cmp_ps_mask(v, _mm512_set1_ps(FLT_MAX), _CMP_LE_OQ);
    return inside == 0xffff;
  }
  PIKE_INLINE Doubles Low() const { return {_mm512_cvtps_pd(_mm512_castps512_ps256(v))}; }
  PIKE_INLINE Doubles High() const { return {_mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1))}; }
  PIKE_INLINE double Sum() const { return (Low() + High()).Sum(); }
};

}  // namespace pike::avx512
