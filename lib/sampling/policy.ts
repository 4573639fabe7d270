/** What happens when a source has been passed over. */
import { PikeError } from '../errors.js';
import {
  refuseUnknown,
  refuseUnknownTasks,
  requireOneOf,
  requirePositiveInteger,
  show,
} from '../validate.js';

/**
 * - `'repeat'`: it is passed over again and again, shuffled anew if it shuffles;
 * - `'stop'`: after one pass, the mixture ends before the first batch that needs more of it;
 * - `'drop'`: after one pass the source is retired, and its weight goes to the others;
 * - `{ repeat: n }`: after n passes it is dropped, or, with `after: 'stop'`, the mixture ends.
 */
export type Policy =
  | 'stop'
  | 'drop'
  | 'repeat'
  | {
      /** Passes, at least 1. */
      repeat: number;
      /** What comes after them (default 'drop'). */
      after?: 'drop' | 'stop';
    };

export interface Passes {
  /** Passes over the source, Infinity for no end. */
  readonly passes: number;
  /** What comes after them. */
  readonly after: 'drop' | 'stop';
}

/**
 * The policy of every task, in their order; 'repeat' for those that an object by task leaves out.
 *
 * @throws PikeError `ERR_INVALID_OPTION`
 */
export function resolvePolicies(exhausted: unknown, tasks: readonly string[]): Policy[] {
  const given = exhausted ?? 'repeat';
  if (typeof given === 'string' || isPasses(given, tasks)) {
    const policy = checkPolicy('exhausted', given);
    return tasks.map(() => policy);
  }
  if (typeof given !== 'object')
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `exhausted must be a policy, or policies by task, but is ${show(given)}.`,
    );
  refuseUnknownTasks('exhausted', given, tasks);
  const byTask = given as Readonly<Record<string, unknown>>;
  return tasks.map((task) => {
    // A task may bear the name of what every object has.
    const policy = Object.hasOwn(byTask, task) ? byTask[task] : undefined;
    return policy === undefined ? 'repeat' : checkPolicy(`exhausted['${task}']`, policy);
  });
}

export function passesOf(policy: Policy): Passes {
  if (policy === 'repeat') return { passes: Infinity, after: 'drop' };
  if (typeof policy === 'string') return { passes: 1, after: policy };
  return { passes: policy.repeat, after: policy.after ?? 'drop' };
}

/** One policy for all, unless a task bears that name. */
function isPasses(given: object, tasks: readonly string[]): boolean {
  return 'repeat' in given && (!tasks.includes('repeat') || typeof given.repeat === 'number');
}

/** @throws PikeError `ERR_INVALID_OPTION` */
export function checkPolicy(name: string, given: unknown): Policy {
  if (typeof given === 'object' && given !== null) {
    refuseUnknown(name, given, ['repeat', 'after']);
    const { repeat, after } = given as { repeat: unknown; after?: unknown };
    return {
      repeat: requirePositiveInteger(`${name}.repeat`, repeat),
      ...(after === undefined ? {} : { after: requireOneOf(`${name}.after`, after, ['drop', 'stop']) }),
    };
  }
  return requireOneOf<Exclude<Policy, object>>(name, given, ['repeat', 'stop', 'drop']);
}
