/**
 * Group DRO on excess losses, as DoReMi trains its proxy model: Xie et al., NeurIPS 2023, arXiv 2305.10429, Algorithm 1.
 * With L_ref the losses of a reference model,
 *
 *     λ_k = max(L_k − L_ref,k, 0)
 *     w_k ← w_k exp(η λ_k),   w ← w/‖w‖₁,   w ← (1 − c) w + c/K
 *
 * The mixture follows whoever is furthest above the reference. DoReMi's result is the average of w over all updates, to
 * train a larger model with: it stands in the state as `average`. The paper clips at 0 token by token, which takes losses of
 * tokens; here means of tasks are clipped. The paper samples uniformly and weights losses by w, here w are the sampling
 * weights: the expected step is the same.
 */
import { PikeError } from '../../errors.js';
import { refuseUnknown, requireFiniteNumbers, requireNumberIn, show } from '../../validate.js';
import { initialState } from '../own-rules.js';
import { perActiveTask, retiresFrom } from '../retirement.js';
import { decodeLogWeights, type Json, type WeightRule } from '../rule.js';
import { bound, normalize, weightsOf } from '../simplex.js';
import { assertSameParameters, decodeCount, decodeKnown, encodeKnown, requirePerTask } from './parameters.js';
import { stepTowards } from './step-towards.js';

/** Of `doremi`. */
export interface DoremiOptions {
  /** Mean losses of a reference model, K numbers, tasks in order: on the same kind of data as the training losses. */
  referenceLosses: ArrayLike<number>;
  /** η: step size (default 1, the paper's). */
  learningRate?: number;
  /** c in [0, 1]: share of the uniform mixture (default 1e-3, the paper's). */
  uniformShare?: number;
}

/**
 * A DoReMi rule. A task without a loss at an update counts with its last excess; one that never had a loss keeps its
 * weight.
 *
 * @throws PikeError `ERR_INVALID_OPTION`, `ERR_NON_FINITE`
 */
export function doremi(options: DoremiOptions): WeightRule {
  refuseUnknown('doremi', options ?? {}, ['referenceLosses', 'learningRate', 'uniformShare']);
  const given = options?.referenceLosses;
  if (typeof given !== 'object' || !(given?.length > 0))
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `rule 'doremi' needs referenceLosses: the tasks' losses under a reference model, a list of numbers in the order of tasks, but got ${show(given)}.`,
    );
  const reference = requireFiniteNumbers('referenceLosses', given, given.length);
  const rate = requireNumberIn('learningRate', options.learningRate ?? 1, 0, Infinity);
  const share = requireNumberIn('uniformShare', options.uniformShare ?? 1e-3, 0, 1);
  const parameters: Record<string, Json> = {
    referenceLosses: Array.from(reference),
    learningRate: rate,
    uniformShare: share,
  };

  return {
    name: 'doremi',
    needs: { gradients: false, losses: true },
    defaults: { minWeight: 0, maxLogStep: Infinity, priorPull: 0 },
    init(tasks, ruleOptions) {
      requirePerTask('doremi', 'referenceLosses', reference, tasks);
      return {
        ...initialState(ruleOptions),
        parameters,
        excess: new Array<string>(tasks).fill('unknown'),
        updates: 0,
        average: new Array<number>(tasks).fill(0),
      };
    },
    retire(state, task, context) {
      const rest = retiresFrom('excess', 'average')(state, task, context);
      const average = decodeKnown('doremi', rest, 'average', rest.logWeights.length);
      const sum = average.reduce((all, w) => all + w, 0);
      return { ...rest, average: Array.from(average, (w) => (sum > 0 ? w / sum : 0)) };
    },
    update(state, { tasks }, { losses, options: ruleOptions, active }) {
      assertSameParameters('doremi', state, parameters);
      const logWeights = decodeLogWeights(state.logWeights, tasks);
      const references = perActiveTask(reference, active);
      const excess = decodeKnown('doremi', state, 'excess', tasks).map((before, k) => {
        const loss = losses?.[k] ?? Number.NaN;
        return Number.isFinite(loss) ? Math.max(0, bound(loss - references[k])) : before;
      });
      const step = stepTowards(state, target(logWeights, excess, rate, share), ruleOptions);
      const updates = decodeCount('doremi', state, 'updates') + 1;
      const weights = weightsOf(decodeLogWeights(step.state.logWeights, tasks));
      const average = decodeKnown('doremi', state, 'average', tasks).map(
        (mean, k) => mean + (weights[k] - mean) / updates,
      );
      return {
        ...step,
        state: {
          ...step.state,
          excess: encodeKnown(excess),
          updates,
          average: Array.from(average),
        },
      };
    },
  };
}

/** Log-weights after one step, for the tasks whose excess is known, sharing what these have now; NaN for the others. */
function target(logWeights: Float64Array, excess: Float64Array, rate: number, share: number): Float64Array {
  const known = Array.from(excess.keys()).filter(
    (k) => !Number.isNaN(excess[k]) && logWeights[k] > -Infinity,
  );
  const result = new Float64Array(excess.length).fill(Number.NaN);
  if (known.length === 0) return result;
  const largest = Math.max(...known.map((k) => excess[k]));
  const stepped = normalize(known.map((k) => logWeights[k] + bound(rate * (excess[k] - largest))));
  known.forEach((k, i) => {
    result[k] = share > 0 ? Math.log((1 - share) * Math.exp(stepped[i]) + share / known.length) : stepped[i];
  });
  return result;
}
