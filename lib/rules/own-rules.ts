/** What a rule of one's own need not do itself: start on the simplex, and take a step that stays on it. */
import { PikeError } from '../errors.js';
import {
  decodeLogWeights,
  encodeLogWeights,
  initialLogWeights,
  type RuleOptions,
  type RuleResult,
  type RuleState,
  stepResult,
} from './rule.js';
import { bound, exponentiatedStep } from './simplex.js';

/** The state that holds the initial weights, raised to the floor, and nothing else. */
export function initialState(options: RuleOptions): RuleState {
  return { logWeights: encodeLogWeights(initialLogWeights(options)) };
}

/**
 * w_k ← w_k exp(exponent_k), normalised, as the rules of the PiKE family do it: with the Mixer's `minWeight`, `maxLogStep` and
 * `priorPull`. Whatever else stands in the state stays.
 *
 * @param exponents K numbers; a constant added to all changes nothing; NaN for a task that keeps its weight
 * @throws PikeError `ERR_SHAPE` for another number of exponents, `ERR_STATE` for a state that is none
 */
export function multiplyWeights(
  state: RuleState,
  exponents: ArrayLike<number>,
  options: RuleOptions,
): RuleResult {
  const tasks = options.initialWeights.length;
  if (exponents.length !== tasks)
    throw new PikeError(
      'ERR_SHAPE',
      `exponents must be ${tasks} numbers, one per task, but there are ${exponents.length}.`,
    );
  // Infinity would be no number once a maximum is taken from it.
  const bounded = Float64Array.from(exponents, bound);
  const logPrior = initialLogWeights(options);
  const logWeights = decodeLogWeights(state.logWeights, tasks);
  const result = stepResult(exponentiatedStep(logWeights, bounded, { ...options, logPrior }));
  return { ...result, state: { ...state, ...result.state } };
}
