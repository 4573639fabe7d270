/**
 * What the stateless forms of the rules have in common: one update of given weights by given statistics, by default
 * to the letter of the paper.
 */
import {
  refuseUnknown,
  requireFiniteNumbers,
  requireNumberIn,
  requirePositiveInteger,
  requirePositiveNumber,
  requireWeights,
} from '../validate.js';
import { initialLogWeights } from './rule.js';
import { normalize, type StepOptions } from './simplex.js';

/** Options of every stateless form. */
export interface StatelessOptions {
  /** b: samples per training batch. */
  batchSize: number;
  /** Smallest weight (default 0). */
  minWeight?: number;
  /** Largest change of any log-weight (default Infinity). */
  maxLogStep?: number;
  /** λ (default 0). */
  priorPull?: number;
  /** What `priorPull` pulls towards, after it is raised to `minWeight` (default uniform). */
  initialWeights?: ArrayLike<number>;
}

/** The bound on the loss that `mirror` and `conceptual` descend. */
export interface BoundOptions {
  /** η: step size. */
  learningRate: number;
  /** L: smoothness of the summed loss. */
  smoothness: number;
  /** β of the conflict bound (default 1). */
  beta?: number;
  /** γ of the conflict bound (default 1). */
  gamma?: number;
}

/** The statistics of K tasks that the stateless forms read. */
export interface RuleStatistics {
  /** N_k: squared norms of the expected gradients, length K. */
  normSquared: ArrayLike<number>;
  /** σ_k²: variances of the gradients per sample, length K. */
  variance: ArrayLike<number>;
}

export interface StatelessInput extends StepOptions {
  readonly logWeights: Float64Array;
  readonly batchSize: number;
  readonly statistics: { readonly normSquared: Float64Array; readonly variance: Float64Array };
}

const stepNames = ['batchSize', 'minWeight', 'maxLogStep', 'priorPull', 'initialWeights'];
export const boundNames: readonly string[] = ['learningRate', 'smoothness', 'beta', 'gamma'];

/**
 * The checked arguments of a stateless form, defaults filled in.
 *
 * @param name the form's, for messages
 * @param more names of the options that it has beside the common ones
 * @throws PikeError `ERR_SHAPE`, `ERR_INVALID_OPTION`, `ERR_NON_FINITE`
 */
export function checkStateless(
  name: string,
  weights: ArrayLike<number>,
  statistics: RuleStatistics,
  options: StatelessOptions,
  more: readonly string[],
): StatelessInput {
  const K = statistics?.normSquared?.length ?? 0;
  refuseUnknown(name, options ?? {}, [...stepNames, ...more]);
  const current = requireWeights('weights', weights, K);
  const normSquared = requireFiniteNumbers('normSquared', statistics.normSquared, K);
  const variance = requireFiniteNumbers('variance', statistics.variance, K);
  const initialWeights = options?.initialWeights
    ? requireWeights('initialWeights', options.initialWeights, K)
    : new Float64Array(K).fill(1 / K);
  const minWeight = requireNumberIn('minWeight', options?.minWeight ?? 0, 0, 1 / K);
  const maxLogStep = options?.maxLogStep ?? Infinity;
  return {
    logWeights: normalize(Array.from(current, Math.log)),
    statistics: { normSquared, variance },
    batchSize: requirePositiveInteger('batchSize', options?.batchSize),
    minWeight,
    maxLogStep: requireNumberIn('maxLogStep', maxLogStep, Number.MIN_VALUE, Infinity, true),
    priorPull: requireNumberIn('priorPull', options?.priorPull ?? 0, 0, 1),
    logPrior: initialLogWeights({ initialWeights: Array.from(initialWeights), minWeight }),
  };
}

/** @throws PikeError `ERR_INVALID_OPTION` */
export function checkBound(options: BoundOptions): Required<BoundOptions> {
  return {
    learningRate: requirePositiveNumber('learningRate', options?.learningRate),
    smoothness: requirePositiveNumber('smoothness', options.smoothness),
    beta: requirePositiveNumber('beta', options.beta ?? 1),
    gamma: requirePositiveNumber('gamma', options.gamma ?? 1),
  };
}
