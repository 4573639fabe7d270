// The positive semidefinite matrix nearest to a symmetric one; see lib/rules/psd-projection.ts.
#pragma once

#include "math/cholesky.h"
#include "math/symmetric_eigen.h"

namespace pike::math {

/// With all pivots clear of rounding. Takes n² numbers.
PIKE_HD inline bool IsPositiveDefinite(const double* matrix, int n, Workspace workspace) {
  Cholesky factor(n, &workspace);
  for (int k = 0; k < n; k++) {
    for (int i = 0; i < k; i++) factor.row()[i] = matrix[k * n + i];
    if (!factor.Append(matrix[k * n + k], n * 0x1p-50)) return false;
  }
  return true;
}

/// Projects in place. Returns the Frobenius norm of what was added; 0, and not a bit changed, if the matrix
/// is positive semidefinite to rounding. The largest entry should be about 1. Takes 2n² + 4n numbers.
PIKE_HD inline double ProjectOntoPsd(double* matrix, int n, Workspace workspace) {
  if (IsPositiveDefinite(matrix, n, workspace)) return 0;
  double* const copy = workspace.Numbers(n * n);
  double* const vectors = workspace.Numbers(n * n);
  double* const values = workspace.Numbers(n);
  for (int i = 0; i < n * n; i++) copy[i] = matrix[i];
  SymmetricEigen(copy, n, values, vectors, workspace);
  double norm = 0;
  for (int i = 0; i < n; i++) norm = Larger(norm, std::fabs(values[i]));
  double lowest = 0;
  double square = 0;
  int negative = 0;
  for (int i = 0; i < n; i++) {
    if (!(values[i] < 0)) continue;
    lowest = Smaller(lowest, values[i]);
    square += values[i] * values[i];
    negative++;
  }
  if (lowest >= -n * 0x1p-52 * norm) return 0;
  // Whichever part has fewer terms: A minus its negative part, or its positive part.
  const bool subtract = 2 * negative <= n;
  if (!subtract) Fill(matrix, 0, n * n);
  for (int i = 0; i < n; i++) {
    if ((values[i] < 0) != subtract) continue;
    const double size = std::fabs(values[i]);
    const double* const vector = vectors + i * n;
    for (int r = 0; r < n; r++) AddMultiple(matrix + r * n, size * vector[r], vector, r + 1);
  }
  for (int r = 0; r < n; r++)
    for (int c = 0; c < r; c++) matrix[c * n + r] = matrix[r * n + c];
  return std::sqrt(square);
}

}  // namespace pike::math
