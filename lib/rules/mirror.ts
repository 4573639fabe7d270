/**
 * The mirror-descent step on eq. (9) of Li et al., arXiv 2502.06244, which PiKE's Algorithm 1 simplifies by
 * leaving out the term in w_k:
 *
 *     w_k ← w_k · exp( αη(β − Lηγ w_k)N_k − (αLη²/2b) σ_k² ),   w ← w/‖w‖₁
 *
 * That term gives it interior fixed points, the minimiser of eq. (9) among them: under constant statistics it settles.
 */
import type { Statistics } from '../statistics/statistics.js';
import { requirePositiveNumber } from '../validate.js';
import { boundRule, type WeightRule } from './rule.js';
import { linearErrors, shrinkNoise } from './significance.js';
import {
  bound,
  exponentiatedStep,
  projectOntoFloor,
  type StepOptions,
  type StepResult,
  stay,
  weightsOf,
} from './simplex.js';
import {
  type BoundOptions,
  boundNames,
  checkBound,
  checkStateless,
  type RuleStatistics,
  type StatelessOptions,
} from './stateless.js';

export const mirrorRule: WeightRule = boundRule('mirror', mirrorStep, { heedsSignificance: true });

interface MirrorStepOptions extends StepOptions, Required<BoundOptions> {
  readonly batchSize: number;
  readonly alpha?: number | undefined;
  readonly significance?: number;
}

function mirrorStep(
  before: Float64Array,
  { normSquared, variance, standardError }: RuleStatistics & Partial<Pick<Statistics, 'standardError'>>,
  options: MirrorStepOptions,
): StepResult {
  const { learningRate: eta, smoothness: L, batchSize: b, alpha, beta, gamma } = options;
  // The weight that the curvature is weighed by is one that may be: raised to the floor.
  const logWeights = projectOntoFloor(before, options.minWeight);
  let largest = 0;
  for (let k = 0; k < logWeights.length; k++) if (normSquared[k] > largest) largest = normSquared[k];
  const safe = alpha === undefined;
  // Without curvature no rate is safe, and the variances alone would drive the weights.
  if (safe && !(largest > 0)) return stay(logWeights, options.minWeight);
  // With α = 1/(Lη²γ max N) all is relative to the largest N, and nothing overflows.
  const unit = safe ? largest : 1;
  const linear = bound(safe ? beta / (L * eta * gamma) : alpha * eta * beta);
  const curvature = bound(safe ? 1 : alpha * L * eta * eta * gamma);
  const noise = bound(safe ? 1 / (2 * b * gamma) : (alpha * L * eta * eta) / (2 * b));
  const exponents = logWeights.map((x, k) => {
    const N = normSquared[k] / unit;
    // A negative estimate of N counts in the first-order term, as in PiKE, where noise averages out. As curvature
    // it would drive the weight away from where it stands.
    const gain = bound(linear * N) - bound(curvature * Math.exp(x) * Math.max(0, N));
    return bound(bound(gain) - bound(noise * (variance[k] / unit)));
  });
  const slope = (k: number) =>
    bound(linear - (normSquared[k] > 0 ? bound(curvature * Math.exp(logWeights[k])) : 0));
  const { exponents: significant, held } = shrinkNoise(
    exponents,
    linearErrors(
      standardError,
      logWeights,
      options.minWeight,
      (k) => slope(k) / unit,
      () => noise / unit,
    ),
    options.significance ?? 0,
  );
  return { ...exponentiatedStep(logWeights, significant, options), held };
}

/** Of `mirror`. */
export interface MirrorOptions extends StatelessOptions, BoundOptions {
  /** α (default: the safe step 1/max_k κ_k, κ_k = Lη²γ max(N_k, 0); while that has no bound nothing moves). */
  alpha?: number;
}

/**
 * One mirror step without state.
 *
 * @param weights K current weights, a point of the simplex
 * @param statistics `normSquared` and `variance` of the K tasks, finite
 * @returns the K new weights
 * @throws PikeError `ERR_SHAPE`, `ERR_INVALID_OPTION`, `ERR_NON_FINITE`
 */
export function mirror(
  weights: ArrayLike<number>,
  statistics: RuleStatistics,
  options: MirrorOptions,
): Float64Array {
  const {
    logWeights,
    statistics: checked,
    ...common
  } = checkStateless('mirror', weights, statistics, options, [...boundNames, 'alpha']);
  const alpha = options.alpha === undefined ? undefined : requirePositiveNumber('alpha', options.alpha);
  return weightsOf(mirrorStep(logWeights, checked, { ...common, ...checkBound(options), alpha }).logWeights);
}
