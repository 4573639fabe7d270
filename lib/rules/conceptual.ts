/**
 * Conceptual PiKE, eq. (9) of Li et al., arXiv 2502.06244: the mixture that minimises the bound on the loss after
 * one SGD step,
 *
 *     min over the simplex of  sum_k w_k λ_k + ½ w_k² κ_k
 *     λ_k = −ηβN_k + (Lη²/2b)σ_k²,   κ_k = Lη²γN_k
 */
import {
  refuseUnknown,
  requireFiniteNumbers,
  requireNumberIn,
  requirePositiveInteger,
  requireWeights,
} from '../validate.js';
import { boundRule, type WeightRule } from './rule.js';
import { bound, type StepOptions, type StepResult } from './simplex.js';
import { type BoundOptions, boundNames, checkBound, type RuleStatistics } from './stateless.js';
import { stepToTarget } from './target-step.js';
import { minimizeSeparable } from './water-filling.js';

/**
 * A step towards the minimiser: with `maxLogStep: Infinity` and `priorPull: 0` the minimiser itself, wherever the
 * weights stand. Minimisers sit in corners and change suddenly, so a short step is the better default.
 */
export const conceptualRule: WeightRule = boundRule('conceptual', conceptualStep);

interface ProblemOptions extends Required<BoundOptions> {
  readonly batchSize: number;
  readonly minWeight: number;
}

/** The minimiser on the tasks of an index list, which share `mass`. Negative N count as 0. */
function minimizer(
  { normSquared, variance }: RuleStatistics,
  members: readonly number[],
  mass: number,
  options: ProblemOptions,
): Float64Array {
  // Divided by Lη² and the largest of all statistics, which moves no minimum, nothing overflows.
  const unit = members.reduce((u, k) => Math.max(u, normSquared[k], Math.abs(variance[k])), 0) || 1;
  const gain = bound(options.beta / (options.smoothness * options.learningRate));
  const signal = members.map((k) => Math.max(0, normSquared[k]) / unit);
  return minimizeSeparable(
    members.map((k, i) => -gain * signal[i] + variance[k] / unit / (2 * options.batchSize)),
    signal.map((n) => options.gamma * n),
    signal.map(() => options.minWeight),
    signal.map(() => Math.max(mass, options.minWeight)),
    mass,
  );
}

function conceptualStep(
  logWeights: Float64Array,
  statistics: RuleStatistics,
  options: StepOptions & ProblemOptions,
): StepResult {
  const { normSquared, variance } = statistics;
  // The Mixer’s statistics are finite or NaN; an infinite one from elsewhere says as little.
  const isKnown = (k: number) => Number.isFinite(normSquared[k]) && Number.isFinite(variance[k]);
  return stepToTarget(logWeights, isKnown, options, (members, mass) =>
    minimizer(statistics, members, mass, options),
  );
}

/** Of `conceptual`. */
export interface ConceptualOptions extends BoundOptions {
  /** b: samples per training batch. */
  batchSize: number;
  /** Smallest weight (default 0). */
  minWeight?: number;
}

/**
 * The minimising mixture. It depends on the statistics alone: where the weights stand does not matter.
 *
 * @param weights K current weights, a point of the simplex, as for every rule
 * @param statistics `normSquared` (negative values count as 0) and `variance` of K tasks, finite
 * @returns K weights, exact to rounding; ties of tasks without curvature share evenly
 * @throws PikeError `ERR_SHAPE`, `ERR_NON_FINITE`, `ERR_INVALID_OPTION`
 */
export function conceptual(
  weights: ArrayLike<number>,
  statistics: RuleStatistics,
  options: ConceptualOptions,
): Float64Array {
  const K = statistics?.normSquared?.length ?? 0;
  refuseUnknown('conceptual', options ?? {}, [...boundNames, 'batchSize', 'minWeight']);
  requireWeights('weights', weights, K);
  const normSquared = requireFiniteNumbers('normSquared', statistics?.normSquared, K);
  const variance = requireFiniteNumbers('variance', statistics?.variance, K);
  return minimizer({ normSquared, variance }, Array.from(normSquared.keys()), 1, {
    ...checkBound(options),
    batchSize: requirePositiveInteger('batchSize', options.batchSize),
    minWeight: requireNumberIn('minWeight', options.minWeight ?? 0, 0, 1 / K),
  });
}
