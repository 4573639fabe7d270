/**
 * A task that goes: what a rule remembers of K tasks becomes what it remembers of the others, and the weight of the one
 * falls to them in proportion to theirs.
 */
import { PikeError } from '../errors.js';
import {
  checkRuleState,
  decodeLogWeights,
  encodeLogWeights,
  initialLogWeights,
  type Json,
  type RuleOptions,
  type RuleState,
  type WeightRule,
} from './rule.js';
import { normalize, projectOntoFloor } from './simplex.js';

/** A list without the entry of a task. */
export function withoutTask<T>(list: readonly T[], task: number): T[] {
  return list.filter((_, k) => k !== task);
}

/** @param options those of the problem that remains */
export function logWeightsWithout(
  logWeights: RuleState['logWeights'],
  task: number,
  options: RuleOptions,
): RuleState['logWeights'] {
  const rest = withoutTask(Array.from(decodeLogWeights(logWeights, logWeights.length)), task);
  // Where the one had all the weight, there are no proportions.
  if (rest.every((x) => x === -Infinity)) return encodeLogWeights(initialLogWeights(options));
  return encodeLogWeights(projectOntoFloor(normalize(rest), options.minWeight).logWeights);
}

/** For rules that keep, beside the log-weights, lists of one entry per task under these names. */
export function retiresFrom(...lists: readonly string[]): NonNullable<WeightRule['retire']> {
  return (state, task, { options }) => ({
    ...state,
    ...Object.fromEntries(lists.map((name) => [name, withoutTask(state[name] as Json[], task)])),
    logWeights: logWeightsWithout(state.logWeights, task, options),
  });
}

/** Whether `retireTask` can serve this rule. */
export function canRetire(rule: WeightRule, state: RuleState): boolean {
  return rule.retire !== undefined || Object.keys(state).every((key) => key === 'logWeights');
}

/**
 * @param state of K tasks; it is left as it is
 * @param task index among them
 * @param context the step, and the options of the problem of K − 1 tasks that remains
 * @returns the state of the K − 1 others
 * @throws PikeError `ERR_INVALID_OPTION` when the rule keeps more than weights and does not say what becomes of it,
 *   `ERR_STATE` when what it says is no state
 */
export function retireTask(
  rule: WeightRule,
  state: RuleState,
  task: number,
  context: { readonly step: number; readonly options: RuleOptions },
): RuleState {
  if (!canRetire(rule, state))
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `rule '${rule.name}' keeps more than weights in its state (${Object.keys(state).join(', ')}), so it must say what becomes of ` +
        'that without a task: give it retire(state, task, { step, options }), which returns the state of the others.',
    );
  const retire = rule.retire ?? retiresFrom();
  return checkRuleState(retire(structuredClone(state), task, context), state.logWeights.length - 1);
}

/**
 * Numbers that a rule was made with, one per task of the mixer, for the tasks at hand.
 *
 * @param active which these are; all when left out
 */
export function perActiveTask(values: Float64Array, active: readonly number[] | undefined): Float64Array {
  return active ? Float64Array.from(active, (k) => values[k]) : values;
}
