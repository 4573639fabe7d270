// What lets one header serve the host and the device: PIKE_HD marks functions that both call. nvcc compiles
// them twice, any other compiler once.
#pragma once

#include <cmath>
#include <limits>

#if defined(__CUDACC__)
#define PIKE_HD __host__ __device__
#else
#define PIKE_HD
#endif

namespace pike::math {

// Variables, because device code may not call functions of std::numeric_limits.
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kMax = std::numeric_limits<double>::max();
/// The smallest positive number, 2^-1074.
inline constexpr double kSmallest = std::numeric_limits<double>::denorm_min();

PIKE_HD inline bool IsNaN(double x) { return x != x; }
PIKE_HD inline bool IsFinite(double x) { return x - x == 0; }
PIKE_HD inline double Larger(double a, double b) { return a > b ? a : b; }
PIKE_HD inline double Smaller(double a, double b) { return a < b ? a : b; }
PIKE_HD inline double Clip(double x, double low, double high) { return Smaller(high, Larger(low, x)); }

/// An infinite number becomes the largest finite one; NaN stays.
PIKE_HD inline double Bound(double x) {
  if (x > kMax) return kMax;
  return x < -kMax ? -kMax : x;
}

}  // namespace pike::math
