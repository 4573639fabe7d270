/** Runs asynchronous calls one after the other, in call order. */
import { allowWaiting, throwIfAborted } from '../validate.js';

export class CallQueue {
  #tail: Promise<void> = Promise.resolve();

  /**
   * Runs `work` after all calls before it, whether these failed or not. Awaiting all the way, rather than chaining
   * with `then`, keeps the caller's line in the stack of an error.
   *
   * @throws the signal's reason, as soon as it fires before its turn; then `work` has not begun
   */
  async inTurn<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const before = this.#tail;
    let done!: () => void;
    this.#tail = new Promise((resolve) => {
      done = resolve;
    });
    try {
      await (signal ? resolvedOrAborted(before, signal) : before);
      throwIfAborted(signal);
      return await work();
    } finally {
      void before.then(done);
    }
  }
}

function resolvedOrAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  allowWaiting(signal);
  return new Promise((resolve) => {
    const go = () => {
      signal.removeEventListener('abort', go);
      resolve();
    };
    signal.addEventListener('abort', go);
    void promise.then(go);
  });
}
