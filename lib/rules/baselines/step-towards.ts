/** From where the weights stand to a mixture that a published rule names. */
import { initialLogWeights, type RuleOptions, type RuleResult, stepResult } from '../rule.js';
import { exponentiatedStep } from '../simplex.js';

/**
 * All the way, unless `maxLogStep` or `priorPull` are set, and never below the floor. A weight of 0 stays 0.
 *
 * @param target log-weights, up to a constant; NaN for a task that keeps its weight
 */
export function stepTowards(
  logWeights: Float64Array,
  target: Float64Array,
  options: RuleOptions,
): RuleResult & { state: ReturnType<typeof stepResult>['state'] } {
  const exponents = target.map((x, k) => (logWeights[k] === -Infinity ? 0 : x - logWeights[k]));
  return stepResult(
    exponentiatedStep(logWeights, exponents, { ...options, logPrior: initialLogWeights(options) }),
  );
}
