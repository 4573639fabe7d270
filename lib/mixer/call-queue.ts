/** Runs asynchronous calls one after the other, in call order. */
import { throwIfAborted } from '../validate.js';

export class CallQueue {
  #tail: Promise<void> = Promise.resolve();

  /**
   * Runs `work` after all calls before it, whether these failed or not. Awaiting all the way, rather than chaining
   * with `then`, keeps the caller's line in the stack of an error.
   */
  async inTurn<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const before = this.#tail;
    let done!: () => void;
    this.#tail = new Promise((resolve) => {
      done = resolve;
    });
    try {
      await before;
      throwIfAborted(signal);
      return await work();
    } finally {
      done();
    }
  }
}
