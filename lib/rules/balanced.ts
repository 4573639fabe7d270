/**
 * Balanced-PiKE, eq. (11) and (12) and Lemma 3.6 of Li et al., arXiv 2502.06244: minimise (1/τ) log sum_k exp(τ L_k), which
 * minds the worst task more. For fixed parameters that is the loss sum_k y_k L_k with
 *
 *     y_k = τ exp(τ L_k) / sum_j exp(τ L_j),
 *
 * and for fixed y it is PiKE on the losses y_k L_k, hence (derived) the exponent y_k²(ζ1 N_k − (ζ2/2b) σ_k²). In the
 * training step task k's loss is to be multiplied by y_k.
 */
import { PikeError } from '../errors.js';
import { requireFiniteNumbers, requireOneOf, requirePositiveNumber } from '../validate.js';
import { checkPike, type PikeOptions, pikeNames, pikeStep } from './pike.js';
import {
  decodeLogWeights,
  encodeLogWeights,
  initialLogWeights,
  stepResult,
  type WeightRule,
} from './rule.js';
import { bound, weightsOf } from './simplex.js';
import { checkStateless, type RuleStatistics } from './stateless.js';

export const balancedRule: WeightRule = {
  name: 'balanced',
  needs: { losses: true, variance: true },
  heedsSignificance: true,
  init: (_tasks, options) => ({ logWeights: encodeLogWeights(initialLogWeights(options)) }),
  update(state, statistics, { losses, options }) {
    if (!losses)
      throw new PikeError(
        'ERR_INVALID_OPTION',
        "rule 'balanced' needs the tasks' losses, but there are none.",
      );
    const logWeights = decodeLogWeights(state.logWeights, statistics.tasks);
    const lossWeights = lossWeightsOf(losses, options.tau, options.lossScale);
    const step = pikeStep(
      logWeights,
      statistics,
      { ...options, logPrior: initialLogWeights(options) },
      lossWeights.map((y, k) => (Number.isFinite(losses[k]) ? y : Number.NaN)),
    );
    return { ...stepResult(step), lossWeights };
  },
};

/**
 * A task whose loss is not known takes no part in the softmax. Its y is 1 on the scale 'mean', what equal losses would
 * give it; 'paper' is that scale times τ/K, so that sum y = τ.
 */
function lossWeightsOf(losses: Float64Array, tau: number, lossScale: 'mean' | 'paper'): Float64Array {
  const known = losses.filter(Number.isFinite);
  const max = Math.max(...known);
  // Differences first: τ times a large loss would lose what tells losses apart.
  let sum = 0;
  for (const loss of known) sum += Math.exp(tau * (loss - max));
  const scale = lossScale === 'mean' ? 1 : tau / losses.length;
  return losses.map((loss) =>
    Number.isFinite(loss) ? bound(scale * ((known.length * Math.exp(tau * (loss - max))) / sum)) : scale,
  );
}

/** How losses become the loss weights of Balanced-PiKE. */
export interface LossWeightOptions {
  /** τ > 0, 1 to 3 in the paper (default 1). */
  tau?: number;
  /** 'mean' (default): mean 1, so that τ does not change the learning rate; 'paper': sum τ. */
  lossScale?: 'mean' | 'paper';
}

/**
 * The factors y_k of Balanced-PiKE for the tasks' losses.
 *
 * @param losses mean training losses of K tasks, finite
 * @throws PikeError `ERR_SHAPE`, `ERR_NON_FINITE`, `ERR_INVALID_OPTION`
 */
export function balancedLossWeights(
  losses: ArrayLike<number>,
  options: LossWeightOptions = {},
): Float64Array {
  return lossWeightsOf(
    requireFiniteNumbers('losses', losses, losses?.length ?? 0),
    requirePositiveNumber('tau', options.tau ?? 1),
    requireOneOf('lossScale', options.lossScale ?? 'mean', ['mean', 'paper']),
  );
}

/** Of `balanced`: those of `pike`, and losses. */
export interface BalancedOptions extends PikeOptions, LossWeightOptions {
  /** Mean training losses of the K tasks. */
  losses: ArrayLike<number>;
}

/**
 * One Balanced-PiKE update without state. `lossScale` defaults to 'mean' here, too; everything else to the paper.
 *
 * @param weights K current weights, a point of the simplex
 * @param statistics `normSquared` and `variance` of the K tasks, of their plain losses, finite
 * @returns the K new weights
 * @throws PikeError `ERR_SHAPE`, `ERR_INVALID_OPTION`, `ERR_NON_FINITE`
 */
export function balanced(
  weights: ArrayLike<number>,
  statistics: RuleStatistics,
  options: BalancedOptions,
): Float64Array {
  const {
    logWeights,
    statistics: checked,
    ...common
  } = checkStateless('balanced', weights, statistics, options, [...pikeNames, 'losses', 'tau', 'lossScale']);
  const losses = requireFiniteNumbers('losses', options.losses, logWeights.length);
  const { tau, lossScale } = options;
  const lossWeights = balancedLossWeights(losses, {
    ...(tau === undefined ? {} : { tau }),
    ...(lossScale === undefined ? {} : { lossScale }),
  });
  const step = pikeStep(logWeights, checked, { ...common, ...checkPike(options) }, lossWeights);
  return weightsOf(step.logWeights);
}
