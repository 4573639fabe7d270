/** Positions that come back from a saved state: whole numbers by name, or no position of ours. */
import { PikeError } from '../errors.js';
import type { Json } from '../rules/rule.js';
import { show } from '../validate.js';

/**
 * @param what the kind of source, for the message
 * @throws PikeError `ERR_STATE` unless `position` is an object of just these whole numbers >= 0
 */
export function checkPosition<Key extends string>(
  what: string,
  position: Json,
  keys: readonly Key[],
): Record<Key, number> {
  const bad = (why: string) =>
    new PikeError(
      'ERR_STATE',
      `This is no position in ${what}: ${why}. Was the source another one when the state was saved?`,
    );
  if (typeof position !== 'object' || position === null || Array.isArray(position)) throw bad(show(position));
  for (const key of Object.keys(position)) if (!keys.includes(key as Key)) throw bad(`it has a ${show(key)}`);
  const checked = {} as Record<Key, number>;
  for (const key of keys) {
    const value = position[key];
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
      throw bad(`${key} must be a whole number >= 0, but is ${show(value)}`);
    checked[key] = value;
  }
  return checked;
}
