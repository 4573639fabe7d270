// A Cholesky factor that grows by a row and column at a time, and shrinks; see lib/rules/cholesky.ts.
#pragma once

#include "math/dense.h"

namespace pike::math {

/// A = LLᵀ of `size` rows, at most `capacity`.
class Cholesky {
 public:
  /// Takes capacity² numbers.
  PIKE_HD Cholesky(int capacity, Workspace* workspace)
      : factor_(workspace->Numbers(capacity * capacity)), capacity_(capacity) {}

  /// Where the next row of A goes: its first entries, left of the diagonal. Append() makes it a row of L.
  PIKE_HD double* row() const { return factor_ + size_ * capacity_; }
  PIKE_HD int size() const { return size_; }
  /// Of the last Append(): what the diagonal has beyond the span of the rows before.
  PIKE_HD double pivot() const { return pivot_; }

  /// Takes in the row of A that stands in row(). False, and the size stays, where the pivot is at most
  /// `rounding` of the diagonal: the new row depends on the others, by the coefficients that Dependence()
  /// then gives.
  PIKE_HD bool Append(double diagonal, double rounding) {
    double* const next = row();
    for (int i = 0; i < size_; i++) {
      const double* const before = factor_ + i * capacity_;
      next[i] = (next[i] - Dot(before, next, i)) / before[i];
    }
    pivot_ = diagonal - Dot(next, next, size_);
    if (!(pivot_ > rounding * diagonal)) return false;
    next[size_] = std::sqrt(pivot_);
    size_++;
    return true;
  }

  /// Takes in the row that Append() refused, as if its pivot were the one given.
  PIKE_HD void Force(double pivot) {
    row()[size_] = std::sqrt(pivot);
    size_++;
  }

  /// After a refusal: sets y to A⁻¹a, a the refused row.
  PIKE_HD void Dependence(double* y) const {
    const double* const refused = row();
    for (int i = 0; i < size_; i++) y[i] = refused[i];
    SolveTransposed(y);
  }

  /// y ← A⁻¹y.
  PIKE_HD void Solve(double* y) const {
    for (int i = 0; i < size_; i++) {
      const double* const line = factor_ + i * capacity_;
      y[i] = (y[i] - Dot(line, y, i)) / line[i];
    }
    SolveTransposed(y);
  }

  /// Takes row and column `index` out of A: Givens rotations of the columns behind it.
  PIKE_HD void Remove(int index) {
    const int n = capacity_;
    double* const a = factor_;
    for (int i = index + 1; i < size_; i++)
      for (int j = 0; j <= i; j++) a[(i - 1) * n + j] = a[i * n + j];
    size_--;
    for (int i = index; i < size_; i++) {
      const double x = a[i * n + i];
      const double y = a[i * n + i + 1];
      const double length = std::sqrt(x * x + y * y);
      const double c = x / length;
      const double s = y / length;
      // A sum on both sides: where they are a sum and a difference, GCC 12 takes a fused
      // multiply-add-subtract although contraction is off.
      const double minus_s = -s;
      a[i * n + i] = length;
      for (int k = i + 1; k < size_; k++) {
        const double left = a[k * n + i];
        const double right = a[k * n + i + 1];
        a[k * n + i] = c * left + s * right;
        a[k * n + i + 1] = c * right + minus_s * left;
      }
    }
  }

  PIKE_HD void Clear() { size_ = 0; }

 private:
  PIKE_HD void SolveTransposed(double* y) const {
    for (int i = size_ - 1; i >= 0; i--) {
      const double* const line = factor_ + i * capacity_;
      y[i] /= line[i];
      AddMultiple(y, -y[i], line, i);
    }
  }

  double* factor_;
  int capacity_;
  int size_ = 0;
  double pivot_ = 0;
};

}  // namespace pike::math
