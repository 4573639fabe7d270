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
  raiseToFloor,
  type WeightRule,
} from './rule.js';
import { normalize, projectOntoFloor } from './simplex.js';

/** A list without the entry of a task. */
export function withoutEntry<T>(list: readonly T[], task: number): T[] {
  return list.filter((_, k) => k !== task);
}

/**
 * The state of K − 1 tasks with the weights of the others, normalised again: what a rule's `retire` begins with. Whatever
 * else stands in the state stays.
 *
 * @param state of K tasks
 * @param task index of the one that goes
 * @param options those of the K − 1 others, as `retire` gets them
 * @throws PikeError `ERR_STATE` for a state that is none
 */
export function withoutTask(state: RuleState, task: number, options: RuleOptions): RuleState {
  const K = options.initialWeights.length + 1;
  const rest = withoutEntry(Array.from(decodeLogWeights(state.logWeights, K)), task);
  // Where the one had all the weight, there are no proportions.
  const logWeights = rest.every((x) => x === -Infinity)
    ? initialLogWeights(options)
    : projectOntoFloor(normalize(rest), options.minWeight);
  return { ...state, logWeights: encodeLogWeights(logWeights) };
}

/** For rules that keep, beside the log-weights, lists of one entry per task under these names. */
export function retiresFrom(...lists: readonly string[]): NonNullable<WeightRule['retire']> {
  return (state, task, { options }) => ({
    ...withoutTask(state, task, options),
    ...Object.fromEntries(lists.map((name) => [name, withoutEntry(state[name] as Json[], task)])),
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
  const rest = checkRuleState(retire(structuredClone(state), task, context), state.logWeights.length - 1);
  return raiseToFloor(rest, context.options.minWeight);
}

/**
 * Numbers that a rule was made with, one per task of the mixer, for the tasks at hand.
 *
 * @param active which these are; all when left out
 */
export function perActiveTask(values: Float64Array, active: readonly number[] | undefined): Float64Array {
  return active ? Float64Array.from(active, (k) => values[k]) : values;
}
