/**
 * ODM, online data mixing by a bandit of the EXP3 family: Albalak, Pan, Raffel and Wang 2023, arXiv 2312.02406,
 * Algorithm 1. The reward of a task is its training loss; t counts updates from 1, and R starts at 0:
 *
 *     ε_t = min{ 1/K, √(ln K/(K t)) }
 *     π_t(k) = (1 − K ε_t) exp(ε_{t−1} R_k)/sum_j exp(ε_{t−1} R_j) + ε_t
 *     R_k ← α R_k + (1 − α) L_k/π_t(k)
 *
 * The division by π makes up for how seldom a task is seen. EXP3 sums rewards (`reward: 'sum'`, R_k ← R_k + L_k/π_t(k)); ODM
 * averages them, since losses fall. Averages are bounded, so with ε the policy tends to uniform again as t grows.
 */
import { refuseUnknown, requireBoolean, requireNumberIn, requireOneOf } from '../../validate.js';
import { initialState } from '../own-rules.js';
import { retiresFrom } from '../retirement.js';
import { decodeLogWeights, type Json, type WeightRule } from '../rule.js';
import { bound, normalize } from '../simplex.js';
import { assertSameParameters, decodeCount, decodeKnown, encodeKnown } from './parameters.js';
import { stepTowards } from './step-towards.js';

/** Of `odm`. */
export interface OdmOptions {
  /** α of the average of rewards, in [0, 1) (default 0.9, as in the authors' code). */
  smoothing?: number;
  /** 'average' (default): ODM; 'sum': EXP3, for rewards that do not fall. */
  reward?: 'average' | 'sum';
  /** Divide losses by the weight that they were sampled with (default true, as published). */
  importance?: boolean;
}

/**
 * An ODM rule. A task without a loss at an update keeps its reward, as one that was not drawn; one that never had a
 * loss keeps its weight.
 *
 * @throws PikeError `ERR_INVALID_OPTION`
 */
export function odm(options: OdmOptions = {}): WeightRule {
  refuseUnknown('odm', options, ['smoothing', 'reward', 'importance']);
  const smoothing = requireNumberIn('smoothing', options.smoothing ?? 0.9, 0, 1 - 2 ** -53);
  const reward = requireOneOf('reward', options.reward ?? 'average', ['average', 'sum']);
  const importance = requireBoolean('importance', options.importance ?? true);
  const parameters: Record<string, Json> = { smoothing, reward, importance };

  return {
    name: 'odm',
    needs: { gradients: false, losses: true },
    defaults: { minWeight: 0, maxLogStep: Infinity, priorPull: 0 },
    init: (tasks, ruleOptions) => ({
      ...initialState(ruleOptions),
      parameters,
      updates: 0,
      rewards: new Array<string>(tasks).fill('unknown'),
    }),
    retire: retiresFrom('rewards'),
    update(state, { tasks }, { losses, options: ruleOptions }) {
      assertSameParameters('odm', state, parameters);
      const logWeights = decodeLogWeights(state.logWeights, tasks);
      const t = decodeCount('odm', state, 'updates') + 1;
      const rewards = decodeKnown('odm', state, 'rewards', tasks).map((before, k) => {
        const loss = losses?.[k] ?? Number.NaN;
        const weight = Math.exp(logWeights[k]);
        // What is never drawn earns nothing.
        if (!Number.isFinite(loss) || weight === 0) return before;
        const gained = importance ? loss / weight : loss;
        const old = Number.isNaN(before) ? 0 : before;
        return bound(reward === 'sum' ? old + gained : smoothing * old + (1 - smoothing) * gained);
      });
      const target = policy(rewards, explorationRate(tasks, t), explorationRate(tasks, t + 1));
      const step = stepTowards(state, target, ruleOptions);
      return { ...step, state: { ...step.state, updates: t, rewards: encodeKnown(rewards) } };
    },
  };
}

/** The default form, for `rules`. */
export const odmRule: WeightRule = odm();

/** ε_t. */
function explorationRate(tasks: number, t: number): number {
  return Math.min(1 / tasks, Math.sqrt(Math.log(tasks) / (tasks * t)));
}

/**
 * log π for the tasks whose reward is known, NaN for the others.
 *
 * @param rate ε in the exponents
 * @param least ε that every task is explored with
 */
function policy(rewards: Float64Array, rate: number, least: number): Float64Array {
  const K = rewards.length;
  const known = rewards.filter((r) => !Number.isNaN(r));
  const largest = Math.max(...known);
  const shares = normalize(known.map((r) => bound(rate * (r - largest)))).map(Math.exp);
  let i = 0;
  return rewards.map((r) => (Number.isNaN(r) ? Number.NaN : Math.log((1 - K * least) * shares[i++] + least)));
}
