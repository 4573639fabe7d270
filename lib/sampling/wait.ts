/** Waiting for what may never come. */
import { setMaxListeners } from 'node:events';
import { abortReason, allowWaiting, throwIfAborted } from '../validate.js';

/** The longest that a timer can wait, in milliseconds; more would be taken for 1. */
export const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** A controller on whose signal any number may wait without a warning of a leak. */
export function sharedController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** A signal made of others. */
export interface JoinedSignal {
  /** Aborts with any of them; any number may wait on it without a warning of a leak. */
  readonly signal: AbortSignal;
  /** From now on it aborts no more, and the others know nothing of it. */
  release(): void;
}

/** For a while: on Node.js 20 and 22, AbortSignal.any leaves something behind in the others for each that it makes. */
export function joinSignals(...signals: readonly AbortSignal[]): JoinedSignal {
  const joined = sharedController();
  const release = () => {
    for (const signal of signals) signal.removeEventListener('abort', abort);
  };
  const abort = () => {
    release();
    joined.abort(signals.find(({ aborted }) => aborted)!.reason);
  };
  for (const signal of signals) {
    allowWaiting(signal);
    signal.addEventListener('abort', abort);
  }
  if (signals.some(({ aborted }) => aborted)) abort();
  return { signal: joined.signal, release };
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
