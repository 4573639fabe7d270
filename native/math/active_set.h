// Convex quadratic programs on the simplex or the non-negative orthant by an active-set method; see
// lib/rules/active-set.ts, which says how and why.
#pragma once

#include "math/cholesky.h"

namespace pike::math {

/// min ½ xᵀHx + cᵀx over {x >= 0, sum x = 1}, or over {x >= 0}. H is positive semidefinite.
class ActiveSet {
 public:
  double* x;
  double* gradient;        // Hx + c
  double* scale;           // |c_k| + max_j |H_kj|
  double level = 0;        // on the simplex, the derivative that all x_k > 0 have; else 0
  double level_scale = 0;  // what it is made of

  /// Takes n² + 5n numbers and 3n indices.
  PIKE_HD ActiveSet(const double* h, const double* c, int n, bool simplex, Workspace* workspace)
      : h_(h), c_(c), n_(n), simplex_(simplex), factor_(n, workspace), tau_(simplex ? 1 : 0) {
    x = workspace->Numbers(n);
    gradient = workspace->Numbers(n);
    scale = workspace->Numbers(n);
    direction_ = workspace->Numbers(n);
    ones_ = workspace->Numbers(n);
    support_ = workspace->Indices(n);
    inside_ = workspace->Indices(n);
    refused_ = workspace->Indices(n);
    for (int k = 0; k < n; k++) {
      double largest = 0;
      for (int j = 0; j < n; j++) largest = Larger(largest, std::fabs(h[k * n + j]));
      scale[k] = std::fabs(c[k]) + largest;
      x[k] = 0;
      inside_[k] = refused_[k] = 0;
    }
  }

  /// Returns false where there is no minimum, which only the orthant can lack, or where rounding alone keeps
  /// x moving to the end, which then is as good as rounding lets it be.
  PIKE_HD bool Solve() {
    // Newton steps on one face. One would do without rounding.
    constexpr int kRefinements = 3;
    if (simplex_) StartInBestCorner();
    int refinements = 0;
    // Usual are a round to enter a variable, one to step, and now and then one to let another leave.
    const int patience = 20 + 3 * n_;
    for (int round = 0; optimal_ <= kTolerated; round++) {
      if (round > patience && round % 16 == 0) optimal_ *= 2;
      Derive();
      if (refinements < kRefinements && !IsBestOfFace()) {
        SetNewtonDirection();
        refinements = Walk() ? 0 : refinements + 1;
        continue;
      }
      const int next = MostPromising();
      if (next < 0) return true;
      if (!Enter(next)) return false;
      refinements = 0;
    }
    return false;
  }

  /// Sets gradient and level to those of x.
  PIKE_HD void Derive() {
    level = 0;
    level_scale = 0;
    for (int k = 0; k < n_; k++) gradient[k] = c_[k];
    for (int k = 0; k < n_; k++)
      if (x[k] != 0) AddMultiple(gradient, x[k], h_ + k * n_, n_);
    if (!simplex_) return;
    for (int k = 0; k < n_; k++) {
      level += x[k] * gradient[k];
      level_scale += x[k] * scale[k];
    }
  }

 private:
  /// A derivative counts as 0 below this part of the numbers that it is the sum of.
  static constexpr double kOptimal = 0x1p-46;
  /// That part at most, for programs so badly conditioned that rounding alone keeps them moving.
  static constexpr double kTolerated = 0x1p-38;
  /// A pivot counts as 0 below this part of its diagonal.
  static constexpr double kDependent = 0x1p-44;

  PIKE_HD void StartInBestCorner() {
    int best = 0;
    double least = kInfinity;
    for (int k = 0; k < n_; k++) {
      const double value = c_[k] + h_[k * n_ + k] / 2;
      if (value < least) {
        least = value;
        best = k;
      }
    }
    x[best] = 1;
    Append(best);
  }

  PIKE_HD bool IsBestOfFace() const {
    for (int i = 0; i < count_; i++) {
      const int k = support_[i];
      if (std::fabs(gradient[k] - level) > optimal_ * (scale[k] + level_scale)) return false;
    }
    return true;
  }

  /// The variable on its bound with the steepest descent, or −1.
  PIKE_HD int MostPromising() const {
    double steepest = 0;
    int next = -1;
    for (int k = 0; k < n_; k++) {
      if (inside_[k] || refused_[k]) continue;
      const double slope = gradient[k] - level;
      if (slope < -optimal_ * (scale[k] + level_scale) && slope < steepest) {
        steepest = slope;
        next = k;
      }
    }
    return next;
  }

  /// From x to the minimum of the face's affine hull, along the support.
  PIKE_HD void SetNewtonDirection() {
    for (int i = 0; i < count_; i++) direction_[i] = gradient[support_[i]] - level;
    factor_.Solve(direction_);
    double shift = 0;
    if (simplex_) {
      Fill(ones_, 1, count_);
      factor_.Solve(ones_);
      double total = 0;
      for (int i = 0; i < count_; i++) {
        shift += direction_[i];
        total += ones_[i];
      }
      shift /= total;
    }
    for (int i = 0; i < count_; i++)
      direction_[i] = simplex_ ? shift * ones_[i] - direction_[i] : -direction_[i];
  }

  /// Goes along the direction to its end, or until a variable comes to 0, which then leaves. Returns whether
  /// one did.
  PIKE_HD bool Walk() {
    double length = 1;
    const int leaving = FirstToLeave(&length);
    Move(length);
    if (leaving < 0) return false;
    if (length == 0 && leaving == count_ - 1) refused_[support_[leaving]] = 1;
    Remove(leaving);
    return true;
  }

  /// The place in the support of what comes to 0 first before `length`, which is shortened to that; −1 for
  /// nothing.
  PIKE_HD int FirstToLeave(double* length) const {
    int leaving = -1;
    for (int i = 0; i < count_; i++) {
      if (!(direction_[i] < 0)) continue;
      const double room = x[support_[i]] / -direction_[i];
      if (room < *length) {
        *length = room;
        leaving = i;
      }
    }
    return leaving;
  }

  PIKE_HD void Move(double length) {
    for (int k = 0; length > 0 && k < n_; k++) refused_[k] = 0;
    for (int i = 0; i < count_; i++) {
      double& part = x[support_[i]];
      part = Larger(0, part + length * direction_[i]);
    }
  }

  /// Takes variable k, on whose bound the objective falls, into the support. False: it falls for ever.
  PIKE_HD bool Enter(int k) {
    while (!Append(k)) {
      // H is flat along the direction in which k grows and the support makes up for it.
      factor_.Dependence(direction_);
      for (int i = 0; i < count_; i++) direction_[i] = -direction_[i];
      double length = kInfinity;
      const int leaving = FirstToLeave(&length);
      // Next to flat: it may still rise before anything comes to 0. Then the slope is nothing but rounding.
      const double slope = gradient[k] - level;
      if (x[k] == 0 && factor_.pivot() * length >= -slope) {
        refused_[k] = 1;
        return true;
      }
      if (leaving < 0) return false;
      Move(length);
      x[k] += length;
      Remove(leaving);
    }
    return true;
  }

  PIKE_HD bool Append(int k) {
    const double diagonal = h_[k * n_ + k];
    if (simplex_ && (count_ == 0 || diagonal > 4 * tau_)) {
      tau_ = diagonal > 0 ? diagonal : 1;
      Refactor();
    }
    for (int i = 0; i < count_; i++) factor_.row()[i] = h_[k * n_ + support_[i]] + tau_;
    if (!factor_.Append(diagonal + tau_, kDependent)) return false;
    support_[count_++] = k;
    inside_[k] = 1;
    return true;
  }

  PIKE_HD void Remove(int index) {
    const int k = support_[index];
    count_--;
    for (int i = index; i < count_; i++) support_[i] = support_[i + 1];
    x[k] = 0;
    inside_[k] = 0;
    factor_.Remove(index);
    if (!simplex_) return;
    double largest = 0;
    for (int i = 0; i < count_; i++) largest = Larger(largest, h_[support_[i] * n_ + support_[i]]);
    if (!(largest > 0 && largest < tau_ / 4096)) return;
    tau_ = largest;
    Refactor();
  }

  PIKE_HD void Refactor() {
    factor_.Clear();
    for (int i = 0; i < count_; i++) {
      const double* const row = h_ + support_[i] * n_;
      const double diagonal = row[support_[i]] + tau_;
      for (int j = 0; j < i; j++) factor_.row()[j] = row[support_[j]] + tau_;
      if (!factor_.Append(diagonal, kDependent)) factor_.Force(kDependent * diagonal);
    }
  }

  const double* h_;
  const double* c_;
  int n_;
  bool simplex_;
  Cholesky factor_;
  double optimal_ = kOptimal;  // more after many rounds
  double tau_;                 // H + τ11ᵀ is what is factored
  double* direction_;
  double* ones_;
  int* support_;  // the variables off their bound, in the order of the factor
  int count_ = 0;
  int* inside_;
  int* refused_;  // those that left as soon as they had entered
};

}  // namespace pike::math
