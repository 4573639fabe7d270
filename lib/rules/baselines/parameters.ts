/** What a rule of a factory was made with, kept in its state: a run must not go on with other numbers unseen. */
import { PikeError } from '../../errors.js';
import { show } from '../../validate.js';
import type { Json, RuleState } from '../rule.js';

/** Plain JSON; what is infinite stands there as text. */
export type Parameters = Readonly<Record<string, Json>>;

/** JSON has no word for Infinity. */
export function encodeNumber(x: number): Json {
  return Number.isFinite(x) ? x : String(x);
}

/** @throws PikeError `ERR_STATE` when `state` is of a rule that was made with other parameters */
export function assertSameParameters(rule: string, state: RuleState, parameters: Parameters): void {
  if (JSON.stringify(state.parameters) === JSON.stringify(parameters)) return;
  throw new PikeError(
    'ERR_STATE',
    `This state is of rule '${rule}' made with ${JSON.stringify(state.parameters)}, but the rule was made with ${JSON.stringify(parameters)}. Pass the rule that the run began with.`,
  );
}

/** K numbers that a rule was made with, one per task. @throws PikeError `ERR_SHAPE` */
export function requirePerTask(rule: string, name: string, values: ArrayLike<number>, tasks: number): void {
  if (values.length !== tasks)
    throw new PikeError(
      'ERR_SHAPE',
      `rule '${rule}' was given ${values.length} ${name}, but the mixer has ${tasks} tasks: one for each, in their order.`,
    );
}

/**
 * A number per task of a state, or 'unknown' for a task that never had one.
 *
 * @throws PikeError `ERR_STATE`
 */
export function decodeKnown(rule: string, state: RuleState, name: string, tasks: number): Float64Array {
  const list: unknown = state[name];
  const fits =
    Array.isArray(list) &&
    list.length === tasks &&
    list.every((x) => x === 'unknown' || (typeof x === 'number' && Number.isFinite(x)));
  if (!fits)
    throw new PikeError(
      'ERR_STATE',
      `${name} in a state of rule '${rule}' must be ${tasks} numbers, but is ${show(list)}.`,
    );
  return Float64Array.from(list as unknown[], (x) => (x === 'unknown' ? Number.NaN : (x as number)));
}

/** The reverse of `decodeKnown`: NaN is 'unknown'. */
export function encodeKnown(values: Float64Array): Json[] {
  return Array.from(values, (x) => (Number.isNaN(x) ? 'unknown' : x));
}

/** A number of a state that counts something. @throws PikeError `ERR_STATE` */
export function decodeCount(rule: string, state: RuleState, name: string): number {
  const count: unknown = state[name];
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count;
  throw new PikeError(
    'ERR_STATE',
    `${name} in a state of rule '${rule}' must be an integer >= 0, but is ${show(count)}.`,
  );
}
