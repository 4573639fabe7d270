// The convex quadratic program on the simplex; of several minimisers the one with the smallest sum of
// squares. See lib/rules/simplex-program.ts.
#pragma once

#include "math/active_set.h"

namespace pike::math {

/// What differs by less than this part of itself counts as a tie.
inline constexpr double kTie = 0x1p-40;

/// Cholesky with pivots of the t×t matrix `rest`, which is used up; `factor` becomes L by the rows of the
/// matrix, `order` the order of elimination. Returns the rank. `whole` is scratch.
PIKE_HD inline int EliminateWithPivots(double* rest, double* factor, int* order, int t, double* whole) {
  for (int i = 0; i < t; i++) whole[i] = rest[i * t + i];
  for (int k = 0; k < t; k++) {
    double most = kTie;
    int next = -1;
    for (int i = k; i < t; i++) {
      const double part = rest[order[i] * t + order[i]] / whole[order[i]];
      if (part > most) {
        most = part;
        next = i;
      }
    }
    if (next < 0) return k;
    const int pivot = order[next];
    order[next] = order[k];
    order[k] = pivot;
    const double root = std::sqrt(rest[pivot * t + pivot]);
    for (int i = k; i < t; i++) factor[order[i] * t + k] = rest[pivot * t + order[i]] / root;
    for (int i = k + 1; i < t; i++) {
      double* const row = rest + order[i] * t;
      const double size = factor[order[i] * t + k];
      for (int j = k + 1; j < t; j++) row[order[j]] -= size * factor[order[j] * t + k];
    }
  }
  return t;
}

/// Sets `projector` (t²) to the orthogonal projector onto the changes of the t tied variables that keep their
/// sum and that H does not feel. Returns false if there is none. Takes 3t² + t numbers and t indices.
PIKE_HD inline bool SetFlatProjector(const double* h, int n, const int* tied, int t, double* projector,
                                     Workspace workspace) {
  double tau = 0;
  for (int i = 0; i < t; i++) tau = Larger(tau, h[tied[i] * n + tied[i]]);
  if (!(tau > 0)) tau = 1;
  double* const factor = workspace.Numbers(t * t);
  double* const y = workspace.Numbers(t);
  int* const order = workspace.Indices(t);
  for (int i = 0; i < t; i++) {
    order[i] = i;
    for (int j = 0; j < t; j++) projector[i * t + j] = h[tied[i] * n + tied[j]] + tau;
  }
  Fill(factor, 0, t * t);
  const int rank = EliminateWithPivots(projector, factor, order, t, y);
  const int p = t - rank;
  if (p == 0) return false;

  // Column q of D is a flat change: 1 in a variable that depends on those of the factor, which make up for
  // it.
  double* const d = workspace.Numbers(t * t);
  Fill(d, 0, t * t);
  for (int q = 0; q < p; q++) {
    const int dependent = order[rank + q];
    for (int i = 0; i < rank; i++) y[i] = factor[dependent * t + i];
    for (int i = rank - 1; i >= 0; i--) {
      y[i] /= factor[order[i] * t + i];
      AddMultiple(y, -y[i], factor + order[i] * t, i);
      d[order[i] * t + q] = -y[i];
    }
    d[dependent * t + q] = 1;
  }

  // Π = D(DᵀD)⁻¹Dᵀ; DᵀD, where the factor was, is at least the identity.
  double* const square = factor;
  Fill(square, 0, p * p);
  for (int i = 0; i < t; i++)
    for (int a = 0; a < p; a++) AddMultiple(square + a * p, d[i * t + a], d + i * t, a + 1);
  Cholesky inverse(p, &workspace);
  for (int a = 0; a < p; a++) {
    for (int b = 0; b < a; b++) inverse.row()[b] = square[a * p + b];
    if (!inverse.Append(square[a * p + a], 0)) return false;
  }
  for (int i = 0; i < t; i++) {
    for (int a = 0; a < p; a++) y[a] = d[i * t + a];
    inverse.Solve(y);
    for (int j = 0; j <= i; j++) projector[i * t + j] = projector[j * t + i] = Dot(y, d + j * t, p);
  }
  return true;
}

/// Sets `even` to the point with the smallest sum of squares among those that differ from the solution by
/// what H does not feel, in variables whose derivatives tie with the lowest. Returns false if there is no
/// other point. Takes 4n² + 2n numbers and 4n indices.
PIKE_HD inline bool LeastSquares(const double* h, const ActiveSet& program, int n, double* even,
                                 Workspace workspace) {
  int* const tied = workspace.Indices(n);
  int t = 0;
  for (int k = 0; k < n; k++)
    if (program.x[k] > 0 ||
        program.gradient[k] - program.level <= kTie * (program.scale[k] + program.level_scale))
      tied[t++] = k;
  double* const projector = workspace.Numbers(t * t);
  if (!SetFlatProjector(h, n, tied, t, projector, workspace)) return false;

  double* const point = workspace.Numbers(t);
  double* const nearest = workspace.Numbers(t);
  bool inside = true;
  for (int i = 0; i < t; i++) point[i] = program.x[tied[i]];
  for (int i = 0; i < t; i++) {
    nearest[i] = point[i] - Dot(projector + i * t, point, t);
    inside = inside && !(nearest[i] < 0);
  }
  if (!inside) {
    // With nothing negative it is `nearest` + Πλ, where λ >= 0 are the multipliers of x >= 0.
    ActiveSet multipliers(projector, nearest, t, false, &workspace);
    if (!multipliers.Solve()) return false;
    multipliers.Derive();
    for (int i = 0; i < t; i++) nearest[i] = multipliers.gradient[i];
  }
  Fill(even, 0, n);
  for (int i = 0; i < t; i++) even[tied[i]] = Larger(0, nearest[i]);
  return true;
}

PIKE_HD inline bool IsSolution(const ActiveSet& program, int n) {
  // How exact a point with a smaller sum of squares must be to be taken.
  constexpr double kAccepted = 0x1p-36;
  for (int k = 0; k < n; k++) {
    const double slope = program.gradient[k] - program.level;
    const double rounding = kAccepted * (program.scale[k] + program.level_scale);
    if (!(slope >= -rounding) || (program.x[k] > 0 && slope > rounding)) return false;
  }
  return true;
}

/// Sets x to the minimiser of ½ xᵀHx + cᵀx over {x >= 0, sum x = 1}. Takes 5n² + 8n numbers and 7n indices.
PIKE_HD inline void MinimizeOnSimplex(const double* h, const double* c, int n, double* x,
                                      Workspace workspace) {
  double* const even = workspace.Numbers(n);
  ActiveSet program(h, c, n, true, &workspace);
  program.Solve();
  program.Derive();
  for (int k = 0; k < n; k++) x[k] = program.x[k];
  if (LeastSquares(h, program, n, even, workspace)) {
    for (int k = 0; k < n; k++) program.x[k] = even[k];
    program.Derive();
    if (IsSolution(program, n))
      for (int k = 0; k < n; k++) x[k] = even[k];
  }
  double sum = 0;
  for (int k = 0; k < n; k++) sum += x[k];
  for (int k = 0; k < n; k++) x[k] /= sum;
}

}  // namespace pike::math
