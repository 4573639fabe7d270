/** Every kind of value, to be put where it does not belong. */
import { expect } from 'vitest';
import { PikeError } from '../../lib/errors.js';

const kinds = {
  nothing: undefined,
  null: null,
  'a number': 3.5,
  'a string': 'x',
  'a boolean': true,
  'an object': {},
  'an empty list': [],
  'a list': [{}],
  'a function': () => {},
  'a promise': Promise.resolve({}),
  'a symbol': Symbol('x'),
};
export type Kind = keyof typeof kinds;

/** A place for a value, and the kinds that are at home there. */
export type Place = readonly [name: string, call: (value: unknown) => unknown, right?: readonly Kind[]];

/** A table of all that is wrong in each place. */
export function misplaced(places: readonly Place[]): [string, Kind, () => unknown][] {
  return places.flatMap(([name, call, right = []]) =>
    (Object.keys(kinds) as Kind[])
      .filter((kind) => !right.includes(kind))
      .map((kind): [string, Kind, () => unknown] => [name, kind, () => call(kinds[kind])]),
  );
}

/** The call must throw or reject with a PikeError that says what was expected and what came, and `watched` must stay as it is. */
export async function expectRefused(call: () => unknown, watched: () => unknown): Promise<void> {
  const before = watched();
  let caught: unknown = 'nothing was thrown';
  try {
    await call();
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(PikeError);
  const { code, message } = caught as PikeError;
  expect(code).toMatch(/^ERR_(INVALID_OPTION|SHAPE|DTYPE|DISPOSED)$/);
  expect(message).toMatch(/(must|takes) .*, but (it )?(is|got|holds|returned) /);
  expect(watched()).toEqual(before);
}
