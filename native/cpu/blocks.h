// Arithmetic on blocks: short runs of doubles in cache. Sums run in eight independent lanes, which lets a
// compiler keep them in vector registers without being allowed to reorder additions, and which fixes the
// order for good.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.h"

// Lanes held in an array become registers only if the loop over them is unrolled; GCC 12 needs to be told.
#if defined(__clang__)
#define PIKE_UNROLL_LANES _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define PIKE_UNROLL_LANES _Pragma("GCC unroll 8")
#else
#define PIKE_UNROLL_LANES
#endif

namespace pike {

inline constexpr int kLanes = 8;

/// Eight partial sums of one quantity.
struct Lanes {
  double lane[kLanes] = {};

  double Sum() const {
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
  }
};

/// Calls body(column, lane) for every column; column j goes to lane j mod 8.
template <typename Body>
inline void ForEachLane(std::int64_t count, Body&& body) {
  std::int64_t j = 0;
  for (; j + kLanes <= count; j += kLanes) {
    PIKE_UNROLL_LANES
    for (int lane = 0; lane < kLanes; ++lane) body(j + lane, lane);
  }
  PIKE_UNROLL_LANES
  for (int lane = 0; lane < kLanes; ++lane) {
    if (j + lane < count) body(j + lane, lane);
  }
}

/// sum_j a_j b_j
inline double Dot(const double* a, const double* b, std::int64_t count) {
  Lanes sum;
  ForEachLane(count, [&](std::int64_t j, int lane) { sum.lane[lane] += a[j] * b[j]; });
  return sum.Sum();
}

/// sum_j (a_j − mean_j)²
inline double SquaredDistance(const double* a, const double* mean, std::int64_t count) {
  Lanes sum;
  ForEachLane(count, [&](std::int64_t j, int lane) {
    const double d = a[j] - mean[j];
    sum.lane[lane] += d * d;
  });
  return sum.Sum();
}

/// sum_j (a_j − mean_j) mean_j. (A loop of its own: GCC 12 keeps only one set of lanes in registers.)
inline double Alignment(const double* a, const double* mean, std::int64_t count) {
  Lanes sum;
  ForEachLane(count, [&](std::int64_t j, int lane) { sum.lane[lane] += (a[j] - mean[j]) * mean[j]; });
  return sum.Sum();
}

/// mean_j = sum_i weight_i row_ij over `rows` blocks that lie `stride` doubles apart.
void WeightedMean(const double* row, std::size_t rows, std::size_t stride, const double* weight,
                  std::int64_t count, double* mean);

/// out_j = the elements offset … offset + count − 1 of a tensor, as doubles.
void Load(Dtype dtype, const void* tensor, std::int64_t offset, std::int64_t count, double* out);

/// As Load, times factor_j; a null factor stands for ones.
void LoadScaled(Dtype dtype, const void* tensor, std::int64_t offset, std::int64_t count,
                const double* factor, double* out);

}  // namespace pike
