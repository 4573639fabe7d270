// Averages of noisy estimates over updates, one entry at a time; see lib/statistics/smoothing.ts.
#pragma once

#include "math/platform.h"

namespace pike::math {

struct AverageEntry {
  double numerator;
  double denominator;
  double estimate;
  double known;  // 0 or 1
};

/// ω of an estimate of N: n²(1 − 1/m).
PIKE_HD inline double NormPrecision(double micro_batches, double samples) {
  return samples * samples * (1 - 1 / micro_batches);
}

/// ω of an estimate of σ²: m − 1.
PIKE_HD inline double VariancePrecision(double micro_batches) { return micro_batches - 1; }

/// num ← β·num + (1−β)·ω·x, den ← β·den + (1−β)·ω, estimate = num/den. A miss (`value` NaN, or a product that
/// overflows) has ω = 0, and the estimate stays.
PIKE_HD inline AverageEntry AdvanceAverage(AverageEntry entry, double beta, double value, double precision) {
  const bool missed = !IsFinite(value * precision) || !(precision > 0);
  const double weight = missed ? 0.0 : (1 - beta) * precision;
  entry.numerator = beta * entry.numerator + (missed ? 0.0 : weight * value);
  entry.denominator = beta * entry.denominator + weight;
  if (missed) return entry;
  entry.estimate = entry.numerator / entry.denominator;
  entry.known = 1;
  return entry;
}

}  // namespace pike::math
