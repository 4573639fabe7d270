/** Waiting for what may never come. */
import { setMaxListeners } from 'node:events';
import { abortReason, throwIfAborted } from '../validate.js';

/** The longest that a timer can wait, in milliseconds; more would be taken for 1. */
export const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** A controller on whose signal any number may wait without a warning of a leak. */
export function sharedController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** A signal that aborts with any of these, on which any number may wait without a warning of a leak. */
export function sharedSignal(...signals: AbortSignal[]): AbortSignal {
  const shared = AbortSignal.any(signals);
  setMaxListeners(0, shared);
  return shared;
}

/**
 * Settles with `work`, which goes on by itself whatever comes first.
 *
 * @param timeout in milliseconds, Infinity for none
 * @param onTimeout makes the error after that time
 * @throws what `work` rejects with, the signal's reason, or what `onTimeout` returns
 */
export async function waitFor<T>(
  work: Promise<T>,
  timeout: number,
  signal: AbortSignal | undefined,
  onTimeout: () => Error,
): Promise<T> {
  throwIfAborted(signal);
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const interruption = new Promise<never>((_, reject) => {
    if (timeout < Infinity) timer = setTimeout(() => reject(onTimeout()), timeout);
    onAbort = signal && (() => reject(abortReason(signal)));
    if (onAbort) signal!.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([work, interruption]);
  } finally {
    clearTimeout(timer);
    if (onAbort) signal!.removeEventListener('abort', onAbort);
  }
}
