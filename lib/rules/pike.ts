/**
 * PiKE, Algorithm 1 of Li et al., NeurIPS 2025, arXiv 2502.06244: every T0 steps
 *
 *     w_k ← w_k · exp( ζ1 N_k − (ζ2/2b) σ_k² ),   w ← w/‖w‖₁
 *
 * The mixture moves to tasks with large gradients and away from tasks with noisy ones. Under constant
 * statistics its only fixed points are one-hot, which is what `minWeight` and `priorPull` are for.
 */
import type { Statistics } from '../statistics/statistics.js';
import {
  refuseUnknown,
  requireFiniteNumbers,
  requireNumberIn,
  requireOneOf,
  requirePositiveInteger,
  requireWeights,
} from '../validate.js';
import {
  decodeLogWeights,
  encodeLogWeights,
  initialLogWeights,
  type RuleOptions,
  type WeightRule,
} from './rule.js';
import { exponentiatedStep, normalize, onFloor, type StepResult, weightsOf } from './simplex.js';

export const pikeRule: WeightRule = {
  name: 'pike',
  needs: { variance: true },
  init: (_tasks, options) => ({ logWeights: encodeLogWeights(initialLogWeights(options)) }),
  update(state, statistics, { options }) {
    const logWeights = decodeLogWeights(state.logWeights, statistics.tasks);
    const { floored, limited, ...step } = pikeStep(
      logWeights,
      statistics,
      options,
      initialLogWeights(options),
    );
    return { state: { logWeights: encodeLogWeights(step.logWeights) }, floored, limited };
  },
};

type PikeStepOptions = Pick<
  RuleOptions,
  'batchSize' | 'zeta1' | 'zeta2' | 'scale' | 'minWeight' | 'maxLogStep' | 'priorPull'
>;

/** All that PiKE reads of the statistics. */
type PikeStatistics = Pick<Statistics, 'normSquared' | 'variance'>;

function pikeStep(
  logWeights: Float64Array,
  statistics: PikeStatistics,
  options: PikeStepOptions,
  logPrior: Float64Array,
): StepResult {
  const exponents = pikeExponents(statistics, options);
  if (!exponents) return { logWeights, floored: onFloor(logWeights, options.minWeight), limited: false };
  return exponentiatedStep(logWeights, exponents, { ...options, logPrior });
}

/** ζ1 N_k − (ζ2/2b) σ_k², NaN where nothing is known; null when the relative scale says that nothing may move. */
function pikeExponents(statistics: PikeStatistics, options: PikeStepOptions): Float64Array | null {
  const { normSquared, variance } = statistics;
  const noise = options.zeta2 / (2 * options.batchSize);
  const bound = (x: number) => Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, x));
  const exponents = normSquared.map((N, k) => bound(options.zeta1 * N) - bound(noise * variance[k]));
  if (options.scale === 'absolute') return exponents.map(bound);
  let total = 0;
  for (const N of normSquared) if (N > 0) total += N;
  // Without any signal the variances alone would drive the weights.
  if (!(total > 0)) return null;
  return exponents.map((x) => bound(x / total));
}

export interface PikeOptions {
  /** b: samples per training batch. */
  batchSize: number;
  /** ζ1 (default 0.05). */
  zeta1?: number;
  /** ζ2 (default 0.1 ζ1). */
  zeta2?: number;
  /** 'absolute' (default) is the paper. */
  scale?: 'relative' | 'absolute';
  /** Smallest weight (default 0). */
  minWeight?: number;
  /** Largest change of any log-weight (default Infinity). */
  maxLogStep?: number;
  /** λ (default 0). */
  priorPull?: number;
  /** What `priorPull` pulls towards, after it is raised to `minWeight` (default uniform). */
  initialWeights?: ArrayLike<number>;
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
  statistics: { normSquared: ArrayLike<number>; variance: ArrayLike<number> },
  options: PikeOptions,
): Float64Array {
  const K = statistics?.normSquared?.length ?? 0;
  refuseUnknown('pike', options ?? {}, [
    'batchSize',
    'zeta1',
    'zeta2',
    'scale',
    'minWeight',
    'maxLogStep',
    'priorPull',
    'initialWeights',
  ]);
  const current = requireWeights('weights', weights, K);
  const normSquared = requireFiniteNumbers('normSquared', statistics.normSquared, K);
  const variance = requireFiniteNumbers('variance', statistics.variance, K);
  const zeta1 = requireNumberIn('zeta1', options.zeta1 ?? 0.05, 0, Infinity);
  const initialWeights = options.initialWeights
    ? requireWeights('initialWeights', options.initialWeights, K)
    : new Float64Array(K).fill(1 / K);
  const minWeight = requireNumberIn('minWeight', options.minWeight ?? 0, 0, 1 / K);
  const logPrior = initialLogWeights({ initialWeights: Array.from(initialWeights), minWeight });
  const step = pikeStep(
    normalize(Array.from(current, Math.log)),
    { normSquared, variance },
    {
      batchSize: requirePositiveInteger('batchSize', options.batchSize),
      zeta1,
      zeta2: requireNumberIn('zeta2', options.zeta2 ?? 0.1 * zeta1, 0, Infinity),
      scale: requireOneOf('scale', options.scale ?? 'absolute', ['relative', 'absolute']),
      minWeight,
      maxLogStep: requireNumberIn(
        'maxLogStep',
        options.maxLogStep ?? Infinity,
        Number.MIN_VALUE,
        Infinity,
        true,
      ),
      priorPull: requireNumberIn('priorPull', options.priorPull ?? 0, 0, 1),
    },
    logPrior,
  );
  return weightsOf(step.logWeights);
}
