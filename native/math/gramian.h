// Gramian PiKE: the mixture that minimises the descent lemma with all inner products known; see
// lib/rules/gramian.ts.
//
// For one thread, and in no launch yet: a device form would give every row of a matrix to a lane.
#pragma once

#include "math/layout.h"
#include "math/psd_projection.h"
#include "math/simplex.h"
#include "math/simplex_program.h"
#include "math/target_step.h"
#include "math/team.h"

namespace pike::math {

/// What a step for K tasks takes of a Workspace.
PIKE_HD constexpr int GramianNumbers(int tasks) { return 6 * tasks * tasks + 20 * tasks; }
PIKE_HD constexpr int GramianIndices(int tasks) { return 8 * tasks; }

/// Less than 2^-500 of the largest product is none: in squares, as a factorisation forms them, it would
/// underflow.
PIKE_HD inline void DropFaint(double* h, int n) {
  for (int i = 0; i < n * n; i++)
    if (std::fabs(h[i]) < 0x1p-500) h[i] = 0;
}

/// Sets h to the products of the members in units of the largest, which is returned.
PIKE_HD inline double SetProducts(int tasks, const double* inner, const int* members, int n, double* h) {
  double unit = 0;
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      const double product =
          inner[members[i] * tasks + members[j]] / 2 + inner[members[j] * tasks + members[i]] / 2;
      h[i * n + j] = IsFinite(product) ? product : 0;
      unit = Larger(unit, std::fabs(h[i * n + j]));
    }
  for (int i = 0; unit > 0 && i < n * n; i++) h[i] /= unit;
  DropFaint(h, n);
  return unit;
}

/// Sets target[k], k a member, to the minimiser on the members, which share `mass`. Returns the Frobenius
/// norm of what was added to their products to make them positive semidefinite.
PIKE_HD inline double SetGramianTarget(int tasks, const UpdateOptions& options, const double* inner,
                                       const double* variances, const int* members, int n, double mass,
                                       double* target, Workspace workspace) {
  // Beyond this ratio of two terms the smaller one is nothing but rounding.
  constexpr double kFar = 1e30;
  // More noise than this, relative to G, keeps a task at its smallest weight in any case.
  constexpr double kDeafening = 1e200;
  double* const h = workspace.Numbers(n * n);
  double* const c = workspace.Numbers(n);
  double* const x = workspace.Numbers(n);
  const double unit = SetProducts(tasks, inner, members, n, h);
  const double projected = Bound(ProjectOntoPsd(h, n, workspace) * unit);
  DropFaint(h, n);

  // Noise that all have moves nothing.
  double least = kInfinity;
  double most = -kInfinity;
  for (int i = 0; i < n; i++) {
    least = Smaller(least, variances[members[i]]);
    most = Larger(most, variances[members[i]]);
  }
  const double spread = Bound(most - least);
  const double noise_unit = unit > 0 ? unit : (spread > 0 ? spread : 1);
  const double gain = Smaller(kFar, 1 / (options.smoothness * options.learning_rate));
  // Whichever of the two terms is larger is about 1.
  const double divisor = Larger(1, gain);
  const double room = Larger(mass - n * options.min_weight, 0);
  const double curvature = Larger(room, 1 / kFar) / divisor;
  double lowest = kInfinity;
  for (int i = 0; i < n; i++) {
    double total = 0;
    for (int j = 0; j < n; j++) total += h[i * n + j];
    const double noise = Smaller(kDeafening, (variances[members[i]] - least) / noise_unit);
    c[i] = ((options.min_weight - gain) / divisor) * total + noise / (2 * options.batch_size * divisor);
    lowest = Smaller(lowest, c[i]);
  }
  for (int i = 0; i < n; i++) c[i] -= lowest;
  for (int i = 0; i < n * n; i++) h[i] *= curvature;
  MinimizeOnSimplex(h, c, n, x, workspace);
  for (int i = 0; i < n; i++) target[members[i]] = options.min_weight + room * x[i];
  return projected;
}

struct GramianResult {
  double projected;  // Frobenius norm of what was added to G to make it positive semidefinite
  bool limited;      // max_log_step shortened the step
};

/// One update, in place. A task whose N (on the diagonal of `inner`, K×K) or variance is not finite keeps its
/// weight; a product of two others that is not counts as 0. `scratch` is kScratchParts·K numbers.
PIKE_HD inline GramianResult GramianStep(int tasks, const UpdateOptions& options, const double* inner,
                                         const double* variances, const double* log_prior,
                                         double* log_weights, double* scratch, Workspace workspace) {
  const SerialTeam team;
  const auto member = [&](int k) { return IsFinite(inner[k * tasks + k]) && IsFinite(variances[k]); };
  ProjectOntoFloor(
      team, tasks, [](int) { return true; }, options.min_weight, 0.0, log_weights,
      Part(scratch, kRaised, tasks));
  const double log_mass = LogMass(team, tasks, member, log_weights);
  const double mass = std::exp(log_mass);
  GramianResult result{0, false};
  if (!(mass > 0)) return result;

  int* const members = workspace.Indices(tasks);
  int n = 0;
  for (int k = 0; k < tasks; k++)
    if (member(k)) members[n++] = k;
  double* const target = scratch + kTrial * tasks;
  result.projected = SetGramianTarget(tasks, options, inner, variances, members, n, mass, target, workspace);
  if (TargetExponents(team, tasks, options, member, log_mass, target, log_weights, scratch,
                      &result.limited)) {
    const bool shortened = ExponentiatedStep(team, tasks, options, log_prior, log_weights, scratch);
    result.limited = result.limited || shortened;
  }
  return result;
}

}  // namespace pike::math
