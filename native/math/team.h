// A team: the lanes that compute one update together. Everything in native/math is written over a team, so
// that one text serves a single thread (SerialTeam), a warp on the device, and the emulator of the tests.
//
// A Team has
//
//   int lane() const, int size() const      which lane this is, of how many
//   void Sync() const                       what any lane wrote to an array before is seen by every lane
//   after double Sum(double), Max, Min; int Sum(int); bool Any(bool), all const
//                                           over the lanes; every lane gets the same bits
//
// All but lane() and size() are collective: every lane calls them, in the same order. Branches and loops
// around them therefore depend on nothing but their results, options and the number of tasks. No NaN goes
// into Max or Min.
//
// Task k belongs to lane k mod size: loops are `for (int k = team.lane(); k < tasks; k += team.size())`, an
// element is touched by its own lane only, and lanes learn of each other through reductions. So nothing here
// but the ends of UpdateWeights needs Sync.
//
// An Array is anything with `a[k]` that reads as a double and can be assigned one: `double*`, or a class of
// the tests whose a[k] is an object that stands for the element. Hence `const double x = a[k]`, never `auto`
// or `&a[k]`.
#pragma once

#include "math/platform.h"

namespace pike::math {

/// One thread.
struct SerialTeam {
  PIKE_HD int lane() const { return 0; }
  PIKE_HD int size() const { return 1; }
  PIKE_HD void Sync() const {}
  PIKE_HD double Sum(double x) const { return x; }
  PIKE_HD double Max(double x) const { return x; }
  PIKE_HD double Min(double x) const { return x; }
  PIKE_HD int Sum(int x) const { return x; }
  PIKE_HD bool Any(bool x) const { return x; }
};

/// An array of K numbers that begins at `first` of another one.
template <class Base>
struct Slice {
  Base base;
  int first;

  PIKE_HD decltype(auto) operator[](int k) const { return base[first + k]; }
};

/// Part `index` of an array of parts of `tasks` numbers each.
template <class Base>
PIKE_HD Slice<Base> Part(Base base, int index, int tasks) {
  return {base, index * tasks};
}

/// log sum_k exp(value(k)), exact to rounding for any finite range; −Infinity for nothing or only −Infinity.
template <class Team, class Value>
PIKE_HD double LogSumExp(const Team& team, int tasks, Value value) {
  double max = -kInfinity;
  for (int k = team.lane(); k < tasks; k += team.size()) max = Larger(max, value(k));
  max = team.Max(max);
  if (max == -kInfinity) return -kInfinity;
  double sum = 0;
  for (int k = team.lane(); k < tasks; k += team.size()) sum += std::exp(value(k) - max);
  return max + std::log(team.Sum(sum));
}

}  // namespace pike::math
