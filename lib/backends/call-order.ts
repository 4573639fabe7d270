/**
 * Calls of the addon in the order they came, also where one of them copies its gradients over several turns of the
 * event loop.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { throwIfAborted } from '../validate.js';
import type { NativeCall, NativeResult, NativeStagedCall } from './load-addon.js';

/** Settles when the last call that came has been begun; null when all have been, so that the next need not wait. */
let last: Promise<void> | null = null;

export interface Begun<T> {
  readonly result: NativeResult<T>;
}

/**
 * Begins a call after all those before it: at once, if none of them is still being copied.
 *
 * @param begin calls the addon
 * @returns its result within an object, for it may be a promise that nobody is to wait for here
 * @throws the signal's reason; then the call has not begun
 */
export async function beginInOrder<T>(
  signal: AbortSignal | undefined,
  begin: () => NativeCall<T>,
): Promise<Begun<T>> {
  const before = last;
  let begun!: () => void;
  const mine = new Promise<void>((resolve) => {
    begun = resolve;
  });
  last = mine;
  try {
    if (before) {
      await before;
      throwIfAborted(signal);
    }
    const call = begin();
    return isStaged(call) ? await copyAll(call, signal) : { result: call };
  } finally {
    if (last === mine) last = null;
    begun();
  }
}

/** Does something that cannot fail, such as to dispose, after the calls before it. */
export function inOrder(work: () => void): void {
  void beginInOrder(undefined, async () => work());
}

async function copyAll<T>(staged: NativeStagedCall<T>, signal: AbortSignal | undefined): Promise<Begun<T>> {
  let call: NativeCall<T> = staged;
  try {
    while (isStaged(call)) {
      await (call.waiting ? sleep(1) : nextTurn());
      throwIfAborted(signal);
      call = call.advance();
    }
    return { result: call };
  } catch (error) {
    staged.abandon();
    throw error;
  }
}

function isStaged<T>(call: NativeCall<T>): call is NativeStagedCall<T> {
  return 'advance' in call;
}
