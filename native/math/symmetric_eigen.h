// Eigenvalues and eigenvectors of a symmetric matrix: Householder's reduction to tridiagonal form, then QL
// iterations with implicit shifts; see lib/rules/symmetric-eigen.ts.
#pragma once

#include "math/dense.h"

namespace pike::math {

/// A ← HAH for the leading i×i block, H the reflection by v, which row i holds. `p` is scratch.
PIKE_HD inline void Reflect(double* a, int n, int i, double half, double* p) {
  const double* const v = a + i * n;
  Fill(p, 0, i);
  for (int r = 0; r < i; r++) {
    const double* const row = a + r * n;
    AddMultiple(p, v[r], row, r);
    p[r] += Dot(row, v, r) + row[r] * v[r];
  }
  for (int r = 0; r < i; r++) p[r] /= half;
  AddMultiple(p, -Dot(p, v, i) / (2 * half), v, i);
  for (int r = 0; r < i; r++) {
    double* const row = a + r * n;
    const double vr = v[r];
    const double pr = p[r];
    for (int c = 0; c <= r; c++) row[c] -= vr * p[c] + pr * v[c];
  }
}

/// A = Q T Qᵀ: sets the diagonal d and the subdiagonal e of T, and the rows of `basis` to the columns of Q.
/// `p` and `half` are scratch.
PIKE_HD inline void Tridiagonalize(double* a, int n, double* d, double* e, double* basis, double* p,
                                   double* half) {
  Fill(half, 0, n);
  Fill(e, 0, n);
  for (int i = n - 1; i > 1; i--) {
    double* const row = a + i * n;
    const double last = row[i - 1];
    const double square = Dot(row, row, i - 1);
    if (!(square > 0)) {
      e[i - 1] = last;
      continue;
    }
    const double length = std::sqrt(square + last * last);
    const double g = last > 0 ? -length : length;
    e[i - 1] = g;
    row[i - 1] = last - g;
    half[i] = square + last * last - last * g;
    Reflect(a, n, i, half[i], p);
  }
  if (n > 1) e[0] = a[n];
  for (int i = 0; i < n; i++) d[i] = a[i * n + i];

  Fill(basis, 0, n * n);
  for (int i = 0; i < n; i++) basis[i * n + i] = 1;
  for (int i = 2; i < n; i++) {
    if (half[i] == 0) continue;
    for (int r = 0; r < i; r++) {
      const double along = Dot(basis + r * n, a + i * n, i) / half[i];
      if (along != 0) AddMultiple(basis + r * n, -along, a + i * n, i);
    }
  }
}

/// (upper, lower) ← (s·lower + c·upper, c·lower − s·upper), two rows.
PIKE_HD inline void RotateRows(double* upper, double* lower, double c, double s, int n) {
  for (int k = 0; k < n; k++) {
    const double f = upper[k];
    const double g = lower[k];
    upper[k] = s * g + c * f;
    lower[k] = c * g - s * f;
  }
}

/// One QL step on the block l…m, with Wilkinson's shift.
PIKE_HD inline void QlSweep(double* d, double* e, double* basis, int n, int l, int m) {
  const double slope = (d[l + 1] - d[l]) / (2 * e[l]);
  const double root = std::sqrt(slope * slope + 1);
  double g = d[m] - d[l] + e[l] / (slope + (slope < 0 ? -root : root));
  double s = 1;
  double c = 1;
  double p = 0;
  for (int i = m - 1; i >= l; i--) {
    const double f = s * e[i];
    const double b = c * e[i];
    const double r = std::sqrt(f * f + g * g);
    e[i + 1] = r;
    if (r == 0) {
      // The block falls apart here.
      d[i + 1] -= p;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - p;
    const double t = (d[i] - g) * s + 2 * c * b;
    p = s * t;
    d[i + 1] = g + p;
    g = c * t - b;
    RotateRows(basis + (i + 1) * n, basis + i * n, c, s, n);
  }
  d[l] -= p;
  e[l] = g;
  e[m] = 0;
}

/// Eigenvalues of the symmetric n×n matrix, of which the lower triangle is read and overwritten, and its
/// eigenvectors as the rows of `vectors` (n²). The largest entry should be about 1. Takes 3n numbers.
PIKE_HD inline void SymmetricEigen(double* matrix, int n, double* values, double* vectors,
                                   Workspace workspace) {
  // QL iterations for one eigenvalue. Two or three are usual.
  constexpr int kMostIterations = 60;
  double* const e = workspace.Numbers(n);
  double* const p = workspace.Numbers(n);
  double* const half = workspace.Numbers(n);
  Tridiagonalize(matrix, n, values, e, vectors, p, half);
  double norm = 0;
  for (int i = 0; i < n; i++) norm = Larger(norm, std::fabs(values[i]) + std::fabs(e[i]));
  const double negligible = norm * 0x1p-53;
  for (int l = 0; l < n; l++)
    for (int iteration = 0; iteration < kMostIterations; iteration++) {
      int m = l;
      while (m < n - 1 && std::fabs(e[m]) > negligible) m++;
      if (m == l) break;
      QlSweep(values, e, vectors, n, l, m);
    }
}

}  // namespace pike::math
