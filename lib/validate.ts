/**
 * Checks shared by every public entry point. Each throws before anything is changed, and each message says
 * what was given and what was expected.
 */
import { EventEmitter, getMaxListeners, setMaxListeners } from 'node:events';
import { PikeError } from './errors.js';

/** A short rendering of any value for a message. */
export function show(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 60 ? value.slice(0, 57) + '...' : value);
  if (typeof value === 'number' || typeof value === 'bigint' || value == null) return String(value);
  if (typeof value === 'boolean') return String(value);
  try {
    if (typeof value === 'function') return `function ${String(value.name)}`;
    if (Array.isArray(value)) return `an array of length ${String(value.length)}`;
    return `an object of type ${Object.prototype.toString.call(value).slice(8, -1)}`;
  } catch {
    return 'an object that cannot be looked at'; // a proxy that was revoked, or a getter that throws
  }
}

export function requirePositiveInteger(name: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `${name} must be a positive integer${atMostSafe(value)}, but is ${show(value)}.`,
    );
  return value;
}

/** Beyond 2^53 a number does not tell which integer was meant. */
function atMostSafe(value: unknown): string {
  return Number.isInteger(value) && (value as number) > 0 ? ` up to ${Number.MAX_SAFE_INTEGER}` : '';
}

/** A positive integer that fits an Int32Array, as counts do. */
export function requireCount(name: string, value: unknown): number {
  const count = requirePositiveInteger(name, value);
  if (count > 2 ** 31 - 1)
    throw new PikeError('ERR_INVALID_OPTION', `${name} must be at most ${2 ** 31 - 1}, but is ${count}.`);
  return count;
}

export function requireNonNegativeInteger(name: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `${name} must be an integer >= 0${atMostSafe(value)}, but is ${show(value)}.`,
    );
  return value;
}

/** A number in [low, high]; Infinity only where `high` is Infinity and `allowInfinity` says so. */
export function requireNumberIn(
  name: string,
  value: unknown,
  low: number,
  high: number,
  allowInfinity = false,
): number {
  const fits = typeof value === 'number' && value >= low && value <= high;
  if (!fits || (!allowInfinity && !Number.isFinite(value))) {
    // The least number and the last one before 1 stand for bounds that are left out themselves.
    const least = low === Number.MIN_VALUE ? '> 0' : `>= ${low}`;
    const most = high < 1 && high >= 1 - Number.EPSILON ? 'below 1' : high;
    const range = high === Infinity ? `a number ${least}` : `a number from ${low} to ${most}`;
    throw new PikeError('ERR_INVALID_OPTION', `${name} must be ${range}, but is ${show(value)}.`);
  }
  return value;
}

export function requirePositiveNumber(name: string, value: unknown): number {
  if (typeof value !== 'number' || !(value > 0) || !Number.isFinite(value))
    throw new PikeError('ERR_INVALID_OPTION', `${name} must be a finite number > 0, but is ${show(value)}.`);
  return value;
}

export function requireBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean')
    throw new PikeError('ERR_INVALID_OPTION', `${name} must be true or false, but is ${show(value)}.`);
  return value;
}

export function requireOneOf<T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  if (!allowed.includes(value as T))
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `${name} must be one of ${allowed.map((a) => `'${a}'`).join(', ')}, but is ${show(value)}.`,
    );
  return value as T;
}

export function requireFunction(name: string, value: unknown): void {
  if (typeof value !== 'function')
    throw new PikeError('ERR_INVALID_OPTION', `${name} must be a function, but is ${show(value)}.`);
}

/**
 * Whether a value has these methods. What comes from another package, or may come from a second copy of this one, is told
 * by what it can do: its class would be another.
 */
export function hasMethods<Name extends string>(
  value: unknown,
  names: readonly Name[],
): value is Record<Name, (...args: never[]) => unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  try {
    return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
  } catch {
    return false; // a proxy that was revoked, or a getter that throws
  }
}

/** An object of options, none of which is unknown. */
export function requireOptions(what: string, given: unknown, allowed: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new PikeError('ERR_INVALID_OPTION', `${what} takes an object of options, but got ${show(given)}.`);
  refuseUnknown(what, given, allowed);
}

/** Refuses property names that nobody reads: a misspelt option must not be ignored. */
export function refuseUnknown(what: string, given: object, allowed: readonly string[]): void {
  for (const key of Object.keys(given))
    if (!allowed.includes(key))
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `${what} has no option ${show(key)}. Its options are ${allowed.join(', ')}.`,
      );
}

/** Refuses names of tasks that there are not. */
export function refuseUnknownTasks(what: string, given: object, tasks: readonly string[]): void {
  for (const key of Object.keys(given))
    if (!tasks.includes(key))
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `${what} names ${show(key)}, which is no task. The tasks are ${tasks.join(', ')}.`,
      );
}

/** `length` finite numbers, copied. */
export function requireFiniteNumbers(
  name: string,
  values: ArrayLike<number> | null | undefined,
  length: number,
): Float64Array {
  if (values?.length !== length)
    throw new PikeError('ERR_SHAPE', `${name} must be ${length} numbers, but is ${show(values)}.`);
  return Float64Array.from(values, (x, k) => {
    if (typeof x === 'number' && Number.isFinite(x)) return x;
    throw new PikeError('ERR_NON_FINITE', `${name}[${k}] must be finite, but is ${show(x)}.`);
  });
}

/** A point of the probability simplex of K weights. Sums within 1e-6 of 1 are accepted and normalised. */
export function requireWeights(name: string, value: unknown, tasks: number): Float64Array {
  const list = value as ArrayLike<unknown> | null | undefined;
  if (list == null || typeof list !== 'object' || list.length !== tasks)
    throw new PikeError(
      'ERR_SHAPE',
      `${name} must be ${tasks} weights, one per task, but is ${show(value)}.`,
    );
  const weights = new Float64Array(tasks);
  let sum = 0;
  for (let k = 0; k < tasks; k++) {
    weights[k] = requireNumberIn(`${name}[${k}]`, list[k], 0, 1);
    sum += weights[k];
  }
  if (Math.abs(sum - 1) > 1e-6)
    throw new PikeError('ERR_INVALID_OPTION', `${name} must sum to 1, but sums to ${sum}.`);
  // Rounding is not touched: dividing it away would change weights that are exact as they are.
  if (Math.abs(sum - 1) > 1e-12) for (let k = 0; k < tasks; k++) weights[k] /= sum;
  return weights;
}

/** The signal's reason, as an Error. */
export function abortReason(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error
    ? reason
    : new PikeError('ERR_ABORTED', `The call was aborted: ${show(reason)}.`, { cause: reason });
}

export function requireSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new PikeError('ERR_INVALID_OPTION', `signal must be an AbortSignal, but is ${show(signal)}.`);
}

/**
 * Lets any number of calls wait on a caller's signal. Node.js would warn of a leak from the eleventh on, but each of ours
 * takes its listener away. A limit that the caller has set stays.
 */
export function allowWaiting(signal: AbortSignal): void {
  if (listenerLimit(signal) === EventEmitter.defaultMaxListeners) setMaxListeners(0, signal);
}

function listenerLimit(signal: AbortSignal): number {
  try {
    return getMaxListeners(signal);
  } catch {
    return 0; // none: Node.js 20 takes a signal that has none for something else
  }
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortReason(signal);
}
