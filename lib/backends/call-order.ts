/**
 * When calls of the addon begin: those of one caller in the order they came, those of several callers by turns, and
 * never more of them at once than keep an executor busy. Whatever was not begun holds no memory but what the caller
 * handed in, so a flood of calls costs no copies, and a small call waits for a few large ones at most, however many
 * another caller has asked for.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { PikeError } from '../errors.js';
import { throwIfAborted } from '../validate.js';
import type { NativeCall, NativeResult, NativeStagedCall } from './load-addon.js';

/** Begun and not settled. Two would do to keep a thread busy; more let the event loop turn for several at once. */
const MOST_IN_FLIGHT = 4;

/**
 * Milliseconds that calls may keep the JS thread, before its event loop turns. It would not by itself: where a call is
 * computed while the next one is begun, Node-API delivers one result after the other, up to a thousand in one turn.
 */
const LONGEST_HELD = 0.5;

export interface Begun<T> {
  readonly result: NativeResult<T>;
  /** To be called once the result is there: the next may begin. */
  end(): void;
}

/** The calls of one executor. */
export class CallOrder {
  /** Those that wait, by caller; the caller whose turn is next comes first. */
  readonly #waiting = new Map<object, (() => void)[]>();
  /** A call is being begun, which may take several turns of the event loop. */
  #beginning = false;
  #inFlight = 0;
  readonly #longestHeld: number;
  /** Milliseconds that the addon has kept the JS thread since the event loop is known to have turned. */
  #held = 0;

  /** @param longestHeld Infinity lets the event loop turn when it will */
  constructor(longestHeld = LONGEST_HELD) {
    this.#longestHeld = longestHeld;
  }

  /**
   * Begins a call: at once, if nothing stands before it, and otherwise in the turn of its caller.
   *
   * @param caller whose calls are to keep their order
   * @param begin calls the addon
   * @throws the signal's reason; then the call has not begun. PikeError `ERR_ABORTED` in a thread that is being terminated
   */
  async begin<T>(
    caller: object,
    signal: AbortSignal | undefined,
    begin: () => NativeCall<T>,
  ): Promise<Begun<T>> {
    if (this.#beginning || this.#inFlight >= MOST_IN_FLIGHT) {
      if (!(await this.#turn(caller, signal))) throwIfAborted(signal);
    } else this.#beginning = true;
    try {
      throwIfAborted(signal);
      const call = this.#hold(begin);
      if (!isGiven(call)) return await threadEnds();
      const { result } = isStaged(call) ? await this.#copyAll(call, signal) : { result: call };
      // Not before a call, which is to begin at once, but before its caller hears of it.
      if (this.#held >= this.#longestHeld) {
        await nextTurn();
        this.#held = 0;
      }
      this.#inFlight++;
      const end = () => {
        this.#inFlight--;
        this.#next();
      };
      return { result, end };
    } finally {
      this.#beginning = false;
      this.#next();
    }
  }

  /** Calls the addon. */
  #hold<T>(call: () => T): T {
    const from = performance.now();
    try {
      return call();
    } finally {
      this.#held += performance.now() - from;
    }
  }

  /** Does something that cannot fail, such as to dispose, after the calls of its caller before it. */
  inTurn(caller: object, work: () => void): void {
    void this.begin(caller, undefined, async () => work()).then(({ end }) => end());
  }

  async #copyAll<T>(
    staged: NativeStagedCall<T>,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly result: NativeResult<T> }> {
    let call: NativeCall<T> = staged;
    try {
      while (isStaged(call)) {
        await (call.waiting ? sleep(1) : nextTurn());
        this.#held = 0;
        throwIfAborted(signal);
        const next: NativeStagedCall<T> = call;
        call = this.#hold(() => next.advance());
        if (!isGiven(call)) return await threadEnds();
      }
      return { result: call }; // within an object: nobody is to wait for it here
    } catch (error) {
      staged.abandon();
      throw error;
    }
  }

  /** Resolves to true when it is its turn, to false when the signal fires before. */
  #turn(caller: object, signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve(false);
      const leave = () => {
        const others = this.#waiting.get(caller)?.filter((each) => each !== start) ?? [];
        if (others.length > 0) this.#waiting.set(caller, others);
        else this.#waiting.delete(caller);
        resolve(false);
      };
      const start = () => {
        signal?.removeEventListener('abort', leave);
        resolve(true);
      };
      signal?.addEventListener('abort', leave, { once: true });
      const mine = this.#waiting.get(caller);
      if (mine) mine.push(start);
      else this.#waiting.set(caller, [start]);
    });
  }

  #next(): void {
    if (this.#beginning || this.#inFlight >= MOST_IN_FLIGHT) return;
    const [turn] = this.#waiting;
    if (!turn) return;
    const [caller, calls] = turn;
    this.#waiting.delete(caller);
    const start = calls.shift()!;
    if (calls.length > 0) this.#waiting.set(caller, calls); // behind all others
    this.#beginning = true;
    start();
  }
}

/**
 * Node-API serves a thread no more that is being terminated: then a call gives nothing. Its promise must not be settled
 * at once. Where the termination came while Node.js noted a rejected promise, it is lost, and the thread ends when its
 * event loop turns; a caller who tries again and again would keep it from that.
 */
async function threadEnds(): Promise<never> {
  await nextTurn();
  throw new PikeError('ERR_ABORTED', 'The thread that called is being terminated.');
}

/** Whether a call of the addon gave anything: it does not in a thread that is being terminated. */
export function isGiven(call: unknown): boolean {
  return typeof call === 'object' && call !== null;
}

function isStaged<T>(call: NativeCall<T>): call is NativeStagedCall<T> {
  return 'advance' in call;
}
