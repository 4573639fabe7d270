// The few loops over rows of dense matrices that everything about the Gramian is made of; see
// lib/rules/dense.ts, which has the same sums in the same order, so that both give the same bits where
// nothing is fused. All matrices are square and row-major.
//
// Unlike the rest of native/math this is written for one thread.
#pragma once

#include "math/platform.h"

namespace pike::math {

/// Hands out parts of the caller's memory: nothing here allocates.
struct Workspace {
  double* numbers;
  int* indices;

  PIKE_HD double* Numbers(int count) {
    double* const first = numbers;
    numbers += count;
    return first;
  }
  PIKE_HD int* Indices(int count) {
    int* const first = indices;
    indices += count;
    return first;
  }
};

/// sum a[i] b[i], in four running sums.
PIKE_HD inline double Dot(const double* a, const double* b, int length) {
  double s0 = 0;
  double s1 = 0;
  double s2 = 0;
  double s3 = 0;
  const int whole = length & ~3;
  int i = 0;
  for (; i < whole; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (; i < length; i++) s0 += a[i] * b[i];
  return s0 + s1 + (s2 + s3);
}

/// y ← y + factor·x.
PIKE_HD inline void AddMultiple(double* y, double factor, const double* x, int length) {
  for (int i = 0; i < length; i++) y[i] += factor * x[i];
}

PIKE_HD inline void Fill(double* x, double value, int length) {
  for (int i = 0; i < length; i++) x[i] = value;
}

}  // namespace pike::math
