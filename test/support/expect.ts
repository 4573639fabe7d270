import { expect } from 'vitest';
import { type ErrorCode, PikeError } from '../../lib/errors.js';

/** Largest |a − b|; both must have the same length and no NaN where the other has none. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    if (Object.is(a[i], b[i]) || (Number.isNaN(a[i]) && Number.isNaN(b[i]))) continue;
    const difference = Math.abs(a[i] - b[i]);
    largest = Number.isNaN(difference) ? Infinity : Math.max(largest, difference);
  }
  return largest;
}

/** Largest |a − b| / max(1, |b|). */
export function largestRelativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return largestDifference(
    Array.from(a, (x, i) => x / Math.max(1, Math.abs(b[i]))),
    Array.from(b, (x) => x / Math.max(1, Math.abs(x))),
  );
}

/** Runs `work`, which must throw or reject with a PikeError of this code whose message matches. */
export async function expectError(code: ErrorCode, message: RegExp, work: () => unknown): Promise<PikeError> {
  let caught: unknown;
  try {
    await work();
  } catch (error) {
    caught = error;
  }
  expect(caught, 'expected an error').toBeInstanceOf(PikeError);
  const error = caught as PikeError;
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
  return error;
}
