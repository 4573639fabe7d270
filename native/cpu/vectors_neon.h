// Vectors of 128 bits of arm64, which every such processor has.
#pragma once

#include <arm_neon.h>

#include <cfloat>
#include <cstdint>

#include "cpu/platform.h"

namespace pike::neon {

struct Doubles {
  using Element = double;
  static constexpr int kWidth = 2;
  static constexpr int kMostRows = 8;
  static constexpr int kMostDoubledSums = 12;
  static constexpr int kTile = 4;
  float64x2_t v;

  static PIKE_INLINE Doubles Zero() { return {vdupq_n_f64(0)}; }
  static PIKE_INLINE Doubles Broadcast(double x) { return {vdupq_n_f64(x)}; }
  static PIKE_INLINE Doubles Load(const double* p) { return {vld1q_f64(p)}; }
  PIKE_INLINE void Store(double* p) const { vst1q_f64(p, v); }
  friend PIKE_INLINE Doubles operator+(Doubles a, Doubles b) { return {vaddq_f64(a.v, b.v)}; }
  friend PIKE_INLINE Doubles operator-(Doubles a, Doubles b) { return {vsubq_f64(a.v, b.v)}; }
  friend PIKE_INLINE Doubles operator*(Doubles a, Doubles b) { return {vmulq_f64(a.v, b.v)}; }
  /// a·b + c, rounded once.
  static PIKE_INLINE Doubles MultiplyAdd(Doubles a, Doubles b, Doubles c) {
    return {vfmaq_f64(c.v, a.v, b.v)};
  }
  PIKE_INLINE Doubles Root() const { return {vsqrtq_f64(v)}; }
  /// Whether all are finite and none is negative.
  PIKE_INLINE bool IsMetric() const {
    const uint64x2_t inside = vandq_u64(vcgeq_f64(v, vdupq_n_f64(0)), vcleq_f64(v, vdupq_n_f64(DBL_MAX)));
    return (vgetq_lane_u64(inside, 0) & vgetq_lane_u64(inside, 1)) != 0;
  }
  PIKE_INLINE double Sum() const { return vgetq_lane_f64(v, 0) + vgetq_lane_f64(v, 1); }
};

struct Floats {
  using Element = float;
  static constexpr int kWidth = 4;
  static constexpr int kMostRows = 8;
  static constexpr int kMostDoubledSums = 12;
  static constexpr int kTile = 4;
  static constexpr bool kReadsHalf = true;
  float32x4_t v;

  static PIKE_INLINE Floats Zero() { return {vdupq_n_f32(0)}; }
  static PIKE_INLINE Floats Broadcast(float x) { return {vdupq_n_f32(x)}; }
  static PIKE_INLINE Floats Load(const float* p) { return {vld1q_f32(p)}; }
  static PIKE_INLINE Floats LoadBFloat16(const std::uint16_t* p) {
    return {vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16))};
  }
  /// Every second of 2·kWidth, from the first on or from the second on.
  static PIKE_INLINE Floats LoadEvenBFloat16(const std::uint16_t* p) {
    return {vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_u16(vld1q_u16(p)), 16))};
  }
  static PIKE_INLINE Floats LoadOddBFloat16(const std::uint16_t* p) {
    const uint32x4_t both = vreinterpretq_u32_u16(vld1q_u16(p));
    return {vreinterpretq_f32_u32(vandq_u32(both, vdupq_n_u32(0xffff0000u)))};
  }
  static PIKE_INLINE Floats LoadFloat16(const std::uint16_t* p) {
    return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))};
  }
  PIKE_INLINE void Store(float* p) const { vst1q_f32(p, v); }
  friend PIKE_INLINE Floats operator+(Floats a, Floats b) { return {vaddq_f32(a.v, b.v)}; }
  friend PIKE_INLINE Floats operator-(Floats a, Floats b) { return {vsubq_f32(a.v, b.v)}; }
  friend PIKE_INLINE Floats operator*(Floats a, Floats b) { return {vmulq_f32(a.v, b.v)}; }
  static PIKE_INLINE Floats MultiplyAdd(Floats a, Floats b, Floats c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
  PIKE_INLINE Floats Root() const { return {vsqrtq_f32(v)}; }
  PIKE_INLINE bool IsMetric() const {
    return vminvq_u32(vandq_u32(vcgeq_f32(v, vdupq_n_f32(0)), vcleq_f32(v, vdupq_n_f32(FLT_MAX)))) != 0;
  }
  PIKE_INLINE Doubles Low() const { return {vcvt_f64_f32(vget_low_f32(v))}; }
  PIKE_INLINE Doubles High() const { return {vcvt_high_f64_f32(v)}; }
  PIKE_INLINE double Sum() const { return (Low() + High()).Sum(); }
};

}  // namespace pike::neon
