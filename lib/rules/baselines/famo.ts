/**
 * FAMO, Fast Adaptive Multitask Optimization: Liu, Feng, Stone and Liu, NeurIPS 2023, arXiv 2306.03792, Algorithm 1. It
 * weights the tasks' losses, not their samples, so that all losses fall at the same relative rate, and needs losses only:
 *
 *     z = softmax(ξ),   y_k = c z_k/ℓ_k,   c = 1/sum_j (z_j/ℓ_j)           loss weights; sum y = 1 in the paper
 *     r_k = log ℓ_k(before) − log ℓ_k(now)                                what the step has gained
 *     δ_k = z_k (r_k − sum_j z_j r_j),   ξ ← ξ − β(δ + γξ)                 more weight to whoever gained less
 *
 * The authors' code takes the step of ξ by Adam with weight decay γ, which is the default here: β means something else then.
 *
 * The loss weights are rescaled to mean 1. At uniform sampling weights, where task k has a share of 1/K in the batch, the
 * training step is exactly the paper's. The paper compares losses of one batch before and after one step; here they are those
 * of two updates, of different samples.
 */
import { refuseUnknown, requireFiniteNumbers, requireNumberIn, requireOneOf } from '../../validate.js';
import { perActiveTask, retiresFrom } from '../retirement.js';
import {
  decodeLogWeights,
  encodeLogWeights,
  initialLogWeights,
  type Json,
  type RuleState,
  stepResult,
  type WeightRule,
} from '../rule.js';
import { bound, normalize, stay } from '../simplex.js';
import { assertSameParameters, decodeCount, decodeKnown, encodeKnown, requirePerTask } from './parameters.js';

/** Of `famo`. */
export interface FamoOptions {
  /** β: step size of the logits ξ (default 0.025). */
  learningRate?: number;
  /** γ: their decay, which pulls towards equal weights (default 0.01, as in the authors' code). */
  decay?: number;
  /** How ξ is stepped: 'adam' (default), as in the authors' code; 'gradient', as in Algorithm 1. */
  optimizer?: 'adam' | 'gradient';
  /** What no loss falls below, K numbers (default 0): rates are of what lies above. */
  minLosses?: ArrayLike<number>;
}

/** Least that a loss may lie above its minimum: of less there is no logarithm. As in the authors' code. */
const LEAST = 1e-8;

/**
 * A FAMO rule. The sampling weights stay at `initialWeights`.
 *
 * @throws PikeError `ERR_INVALID_OPTION`, `ERR_NON_FINITE`
 */
export function famo(options: FamoOptions = {}): WeightRule {
  refuseUnknown('famo', options, ['learningRate', 'decay', 'optimizer', 'minLosses']);
  const rate = requireNumberIn('learningRate', options.learningRate ?? 0.025, 0, Infinity);
  const decay = requireNumberIn('decay', options.decay ?? 0.01, 0, Infinity);
  const optimizer = requireOneOf('optimizer', options.optimizer ?? 'adam', ['adam', 'gradient']);
  const { minLosses: given } = options;
  const minLosses = given && requireFiniteNumbers('minLosses', given, given.length);
  const parameters: Record<string, Json> = {
    learningRate: rate,
    decay,
    optimizer,
    ...(minLosses ? { minLosses: Array.from(minLosses) } : {}),
  };

  return {
    name: 'famo',
    needs: { gradients: false, losses: true },
    defaults: { minWeight: 0 },
    init(tasks, ruleOptions) {
      if (minLosses) requirePerTask('famo', 'minLosses', minLosses, tasks);
      const zeros = () => new Array<number>(tasks).fill(0);
      return {
        logWeights: encodeLogWeights(initialLogWeights(ruleOptions)),
        parameters,
        losses: new Array<string>(tasks).fill('unknown'),
        logits: zeros(),
        ...(optimizer === 'adam' ? { steps: 0, first: zeros(), second: zeros() } : {}),
      };
    },
    retire: retiresFrom('losses', 'logits', ...(optimizer === 'adam' ? ['first', 'second'] : [])),
    update(state, { tasks }, { losses, options: { minWeight }, active }) {
      assertSameParameters('famo', state, parameters);
      const current = decodeLogWeights(state.logWeights, tasks);
      const before = decodeKnown('famo', state, 'losses', tasks);
      const now = aboveMinimum(
        losses ?? new Float64Array(tasks).fill(Number.NaN),
        minLosses && perActiveTask(minLosses, active),
      );
      const gains = now.map((loss, k) => Math.log(before[k]) - Math.log(loss));
      const stepped = stepLogits(state, gains, { rate, decay, optimizer });
      const latest = now.map((loss, k) => (Number.isNaN(loss) ? before[k] : loss));
      const result = stepResult(stay(current, minWeight));
      return {
        ...result,
        state: { ...result.state, parameters, losses: encodeKnown(latest), ...stepped },
        lossWeights: lossWeightsOf(stepped.logits as number[], latest),
      };
    },
  };
}

/** The default form, for `rules`. */
export const famoRule: WeightRule = famo();

/** Losses above their minima; NaN where they are not known. */
function aboveMinimum(losses: Float64Array, minLosses: Float64Array | undefined): Float64Array {
  return losses.map((loss, k) => {
    const above = Math.min(loss - (minLosses?.[k] ?? 0), Number.MAX_VALUE);
    return Number.isFinite(loss) ? Math.max(above, 0) + LEAST : Number.NaN;
  });
}

/**
 * @param gains r_k; NaN for a task whose loss is not known twice: it counts as average, so that nothing pushes it
 * @returns the parts of the state that hold the logits and their optimiser
 */
function stepLogits(
  state: RuleState,
  gains: Float64Array,
  { rate, decay, optimizer }: { rate: number; decay: number; optimizer: 'adam' | 'gradient' },
): Record<string, Json> {
  const K = gains.length;
  const logits = decodeKnown('famo', state, 'logits', K);
  const moments = (name: string) => decodeKnown('famo', state, name, K);
  const isAdam = optimizer === 'adam';
  const steps = isAdam ? decodeCount('famo', state, 'steps') : 0;
  const first = isAdam ? moments('first') : null;
  const second = isAdam ? moments('second') : null;
  const encode = (steps: number) => ({
    logits: Array.from(logits),
    ...(first && second ? { steps, first: Array.from(first), second: Array.from(second) } : {}),
  });
  const known = Array.from(gains.keys()).filter((k) => !Number.isNaN(gains[k]));
  // Nothing to compare with yet: the first losses.
  if (known.length === 0) return encode(steps);
  const z = normalize(logits).map(Math.exp);
  const mass = known.reduce((sum, k) => sum + z[k], 0);
  const mean = mass > 0 ? known.reduce((sum, k) => sum + z[k] * gains[k], 0) / mass : 0;
  for (let k = 0; k < K; k++) {
    const delta = Number.isNaN(gains[k]) ? 0 : z[k] * (gains[k] - mean);
    const gradient = bound(delta + decay * logits[k]);
    if (first && second) {
      first[k] = 0.9 * first[k] + 0.1 * gradient;
      second[k] = 0.999 * second[k] + 0.001 * bound(gradient * gradient);
      const root = Math.sqrt(bound(second[k] / (1 - 0.999 ** (steps + 1))));
      logits[k] -= bound(rate * (first[k] / (1 - 0.9 ** (steps + 1)))) / (root + 1e-8);
    } else logits[k] -= rate * gradient;
    logits[k] = Math.max(-LARGEST_LOGIT, Math.min(LARGEST_LOGIT, logits[k]));
  }
  return encode(steps + 1);
}

/** Beyond it a softmax knows nothing but 0 and 1, and a wild step size would end in overflow. */
const LARGEST_LOGIT = 1e6;

/** c z_k/ℓ_k rescaled to mean 1 among the tasks whose loss is known; 1 for the others. */
function lossWeightsOf(logits: readonly number[], losses: Float64Array): Float64Array {
  const known = Array.from(losses.keys()).filter((k) => !Number.isNaN(losses[k]));
  const lossWeights = new Float64Array(losses.length).fill(1);
  if (known.length === 0) return lossWeights;
  const logShares = normalize(known.map((k) => logits[k] - Math.log(losses[k])));
  known.forEach((k, i) => {
    lossWeights[k] = known.length * Math.exp(logShares[i]);
  });
  return lossWeights;
}
