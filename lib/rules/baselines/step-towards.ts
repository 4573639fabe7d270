/** From where the weights stand to a mixture that a published rule names. */
import { multiplyWeights } from '../own-rules.js';
import { decodeLogWeights, type RuleOptions, type RuleResult, type RuleState } from '../rule.js';

/**
 * All the way, unless `maxLogStep` or `priorPull` are set, and never below the floor. A weight of 0 stays 0.
 *
 * @param target log-weights, up to a constant; NaN for a task that keeps its weight
 */
export function stepTowards(state: RuleState, target: Float64Array, options: RuleOptions): RuleResult {
  const logWeights = decodeLogWeights(state.logWeights, target.length);
  return multiplyWeights(
    state,
    target.map((x, k) => (logWeights[k] === -Infinity ? 0 : x - logWeights[k])),
    options,
  );
}
