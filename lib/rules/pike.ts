/**
 * PiKE, Algorithm 1 of Li et al., NeurIPS 2025, arXiv 2502.06244: every T0 steps
 *
 *     w_k ← w_k · exp( ζ1 N_k − (ζ2/2b) σ_k² ),   w ← w/‖w‖₁
 *
 * The mixture moves to tasks with large gradients and away from tasks with noisy ones. Under constant
 * statistics its only fixed points are one-hot, which is what `minWeight` and `priorPull` are for.
 */
import type { Statistics } from '../statistics/statistics.js';
import { requireNumberIn, requireOneOf } from '../validate.js';
import {
  decodeLogWeights,
  encodeLogWeights,
  initialLogWeights,
  type RuleOptions,
  stepResult,
  type WeightRule,
} from './rule.js';
import { linearErrors, shrinkNoise } from './significance.js';
import { bound, exponentiatedStep, type StepOptions, type StepResult, stay, weightsOf } from './simplex.js';
import { checkStateless, type RuleStatistics, type StatelessOptions } from './stateless.js';

export const pikeRule: WeightRule = {
  name: 'pike',
  needs: { variance: true },
  heedsSignificance: true,
  init: (_tasks, options) => ({ logWeights: encodeLogWeights(initialLogWeights(options)) }),
  update(state, statistics, { options }) {
    const logWeights = decodeLogWeights(state.logWeights, statistics.tasks);
    const logPrior = initialLogWeights(options);
    return stepResult(pikeStep(logWeights, statistics, { ...options, logPrior }));
  },
};

type PikeStepOptions = StepOptions &
  Pick<RuleOptions, 'batchSize' | 'zeta1' | 'zeta2' | 'scale'> &
  Partial<Pick<RuleOptions, 'significance'>>;

/**
 * PiKE on the losses y_k L_k: their gradients are y_k times as large, so the exponents are
 * y_k²(ζ1 N_k − (ζ2/2b) σ_k²), and the relative scale divides by sum_j y_j² max(N_j, 0).
 *
 * @param statistics of K tasks; a task with NaN in them keeps its weight. `significance` needs their standard errors
 * @param lossWeights y_k; NaN for a task that is to keep its weight; all 1 when left out
 */
export function pikeStep(
  logWeights: Float64Array,
  { normSquared, variance, standardError }: RuleStatistics & Partial<Pick<Statistics, 'standardError'>>,
  options: PikeStepOptions,
  lossWeights?: ArrayLike<number>,
): StepResult {
  const noise = options.zeta2 / (2 * options.batchSize);
  const y2Of = (k: number) => (lossWeights ? bound(lossWeights[k] * lossWeights[k]) : 1);
  let total = 0;
  const exponents = logWeights.map((_, k) => {
    const y2 = y2Of(k);
    if (y2 * normSquared[k] > 0) total += y2 * normSquared[k];
    return bound(bound(y2 * bound(options.zeta1 * normSquared[k])) - bound(y2 * bound(noise * variance[k])));
  });
  // Without any signal the variances alone would drive the weights.
  if (options.scale === 'relative' && !(total > 0)) return stay(logWeights, options.minWeight);
  const divisor = options.scale === 'relative' ? bound(total) : 1;
  const { exponents: significant, held } = shrinkNoise(
    exponents,
    linearErrors(
      standardError,
      logWeights,
      options.minWeight,
      (k) => y2Of(k) * options.zeta1,
      (k) => y2Of(k) * noise,
    ),
    options.significance ?? 0,
  );
  const step = exponentiatedStep(
    logWeights,
    significant.map((x) => bound(x / divisor)),
    options,
  );
  return { ...step, held };
}

/** Of `pike`. */
export interface PikeOptions extends StatelessOptions {
  /** ζ1 (default 0.05). */
  zeta1?: number;
  /** ζ2 (default 0.1 ζ1). */
  zeta2?: number;
  /** 'absolute' (default) is the paper. */
  scale?: 'relative' | 'absolute';
}

/** Names of the options of `pike` beside the common ones. */
export const pikeNames: readonly string[] = ['zeta1', 'zeta2', 'scale'];

/** @throws PikeError `ERR_INVALID_OPTION` */
export function checkPike(options: PikeOptions): Required<Pick<PikeOptions, 'zeta1' | 'zeta2' | 'scale'>> {
  const zeta1 = requireNumberIn('zeta1', options.zeta1 ?? 0.05, 0, Infinity);
  return {
    zeta1,
    zeta2: requireNumberIn('zeta2', options.zeta2 ?? 0.1 * zeta1, 0, Infinity),
    scale: requireOneOf('scale', options.scale ?? 'absolute', ['relative', 'absolute']),
  };
}

/**
 * One PiKE update without state, by default to the letter of the paper.
 *
 * @param weights K current weights, a point of the simplex
 * @param statistics `normSquared` and `variance` of the K tasks, finite; they are not clipped
 * @returns the K new weights
 * @throws PikeError `ERR_SHAPE`, `ERR_INVALID_OPTION`, `ERR_NON_FINITE`
 */
export function pike(
  weights: ArrayLike<number>,
  statistics: RuleStatistics,
  options: PikeOptions,
): Float64Array {
  const {
    logWeights,
    statistics: checked,
    ...common
  } = checkStateless('pike', weights, statistics, options, pikeNames);
  return weightsOf(pikeStep(logWeights, checked, { ...common, ...checkPike(options) }).logWeights);
}
