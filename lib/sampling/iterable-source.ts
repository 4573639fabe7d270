/**
 * Iterables and streams as sources. A position in one is a number of samples: a cursor opened there takes as many from a
 * new iterable and drops them, so resuming costs what reading them costs, and is exact if the iterable is.
 */
import { PikeError } from '../errors.js';
import type { Json } from '../rules/rule.js';
import {
  abortReason,
  requireNonNegativeInteger,
  requirePositiveInteger,
  show,
  throwIfAborted,
} from '../validate.js';
import { checkPosition } from './positions.js';
import type { Cursor, Drawn, Pass, SampleSource } from './source.js';

type AnyIterable<T> = AsyncIterable<T> | Iterable<T>;
type AnyIterator<T> = AsyncIterator<T> | Iterator<T>;

/**
 * A source over what `make` returns for each pass: a generator, a stream, an array of that epoch. For exact resume it must
 * yield the same samples for the same pass again. A sample is numbered by its order of arrival.
 *
 * @param make called at the first `read` of a pass, also of one that is gone on with
 * @throws PikeError `ERR_INVALID_OPTION` when this is no function
 */
export function iterableSource<T>(make: (pass: Pass) => AsyncIterable<T> | Iterable<T>): SampleSource<T> {
  if (typeof make !== 'function')
    throw new PikeError('ERR_INVALID_OPTION', `iterableSource takes a function, not ${show(make)}.`);
  const begun = new WeakSet<object>();
  const makeNew = (pass: Pass) => {
    const iterable = make(pass);
    // A generator is its own iterator: what is left of one that was begun before is not a pass.
    if (isIterable(iterable) && typeof (iterable as Partial<Iterator<T>>).next === 'function') {
      if (begun.has(iterable))
        throw new TypeError('it was made once and handed out twice; each pass needs a new one');
      begun.add(iterable);
    }
    return iterable;
  };
  return {
    open(epoch: number, seed: number, position?: Json): Cursor<T> {
      requireNonNegativeInteger('epoch', epoch);
      requireNonNegativeInteger('seed', seed);
      return new IterableCursor(() => makeNew({ epoch, seed }), skipOf(position));
    },
  };
}

/**
 * A source over one iterable or stream: one pass, one cursor.
 *
 * @throws PikeError `ERR_INVALID_OPTION` when it cannot be iterated; from `open`, `ERR_SOURCE` the second time
 */
export function onePassSource<T>(iterable: AsyncIterable<T> | Iterable<T>): SampleSource<T> {
  if (!isIterable(iterable))
    throw new PikeError('ERR_INVALID_OPTION', `onePassSource takes an iterable, not ${show(iterable)}.`);
  let opened = false;
  return {
    once: true,
    open(epoch: number, seed: number, position?: Json): Cursor<T> {
      requireNonNegativeInteger('epoch', epoch);
      requireNonNegativeInteger('seed', seed);
      const skip = skipOf(position);
      if (opened || epoch > 0)
        throw new PikeError(
          'ERR_SOURCE',
          'An iterable can be passed over once only. To read it again, give a function that makes it anew: () => iterable.',
        );
      opened = true;
      return new IterableCursor(() => iterable, skip);
    },
  };
}

class IterableCursor<T> implements Cursor<T> {
  readonly #make: () => AnyIterable<T>;
  #iterable: AnyIterable<T> | undefined;
  #iterator: AnyIterator<T> | undefined;
  /** Samples still to be dropped, of those that were read before the state was saved. */
  #skip: number;
  #taken: number;
  /** Steps of the iterator that have settled. */
  #arrived = 0;
  /** Samples of a read that then failed: they come with the next one. */
  #kept: T[] = [];
  /** A step of the iterator that an aborted read did not wait for. */
  #pending: Promise<IteratorResult<T>> | undefined;
  #ended = false;
  #failure: PikeError | undefined;
  readonly #closing = new AbortController();

  constructor(make: () => AnyIterable<T>, skip: number) {
    this.#make = make;
    this.#skip = skip;
    this.#taken = skip;
  }

  async read(count: number, signal?: AbortSignal): Promise<Drawn<T>> {
    requirePositiveInteger('count', count);
    throwIfAborted(signal);
    while (this.#skip > 0) {
      if (!(await this.#step(signal))) throw this.#endedEarly();
      this.#kept.pop();
      this.#skip--;
      if (this.#skip % 1024 === 0) await breath();
    }
    while (this.#kept.length < count) if (!(await this.#step(signal))) break;
    this.#assertOpen();
    const samples = this.#kept.splice(0, count);
    const indices = samples.map((_, i) => this.#taken + i);
    this.#taken += samples.length;
    return { samples, indices };
  }

  arrived(): number {
    return this.#arrived;
  }

  position(): Json {
    return { taken: this.#taken };
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new PikeError('ERR_DISPOSED', 'This cursor was closed.'));
    this.#kept = [];
    const iterator = this.#iterator;
    if (!iterator || this.#ended || this.#failure) return;
    // A generator that is waiting cannot hear of the end before it goes on, which may be never: no waiting for it here.
    if (this.#pending) {
      (this.#iterable as { destroy?: () => void }).destroy?.();
      void Promise.resolve(iterator.return?.()).catch(() => {});
    } else await iterator.return?.();
  }

  /** Takes one more sample; false at the end. */
  async #step(signal: AbortSignal | undefined): Promise<boolean> {
    this.#assertOpen();
    throwIfAborted(signal);
    if (this.#failure) throw this.#failure;
    if (this.#ended) return false;
    const next = this.#attempt(() => this.#pending ?? this.#begin().next());
    let result = next as IteratorResult<T>;
    if (isThenable(next)) {
      this.#pending = Promise.resolve(next);
      if (!(await settles(this.#pending, signal, this.#closing.signal))) {
        this.#assertOpen();
        throw abortReason(signal!);
      }
      const settled = this.#pending;
      this.#pending = undefined;
      result = await settled.catch((cause) => this.#fail(cause));
    }
    if (typeof result !== 'object' || result === null)
      this.#fail(new TypeError(`its iterator returned ${show(result)}`));
    this.#arrived++;
    if (result.done) this.#ended = true;
    else this.#kept.push(result.value);
    return !result.done;
  }

  #begin(): AnyIterator<T> {
    if (this.#iterator) return this.#iterator;
    const iterable = this.#make();
    if (!isIterable<T>(iterable)) throw new TypeError(`${show(iterable)} cannot be iterated`);
    this.#iterable = iterable;
    this.#iterator =
      Symbol.asyncIterator in iterable ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]();
    return this.#iterator;
  }

  #attempt<R>(work: () => R): R {
    try {
      return work();
    } catch (cause) {
      return this.#fail(cause);
    }
  }

  /** An iterator that has thrown is over: every later read says the same. */
  #fail(cause: unknown): never {
    const arrived = this.#taken - this.#skip + this.#kept.length;
    const why = cause instanceof Error ? cause.message : show(cause);
    this.#failure = new PikeError('ERR_SOURCE', `The iterable failed after ${arrived} samples: ${why}`, {
      cause,
    });
    throw this.#failure;
  }

  #endedEarly(): PikeError {
    return new PikeError(
      'ERR_STATE',
      `The iterable ended after ${this.#taken - this.#skip} samples, but ${this.#taken} had been read when the state was saved.`,
    );
  }

  #assertOpen(): void {
    throwIfAborted(this.#closing.signal);
  }
}

function skipOf(position: Json | undefined): number {
  return position === undefined ? 0 : checkPosition('an iterable', position, ['taken']).taken;
}

/** Whether it can be iterated; text could be, letter by letter, but nobody means that. */
export function isIterable<T>(value: unknown): value is AnyIterable<T> {
  const given = value as Partial<AsyncIterable<T> & Iterable<T>> | null | undefined;
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    (typeof given?.[Symbol.asyncIterator] === 'function' || typeof given?.[Symbol.iterator] === 'function')
  );
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | null)?.then === 'function';

/** Whether `promise` settles, either way, before one of the signals fires. */
function settles(promise: Promise<unknown>, ...signals: (AbortSignal | undefined)[]): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (settled: boolean) => {
      for (const signal of signals) signal?.removeEventListener('abort', stop);
      resolve(settled);
    };
    const stop = () => end(false);
    for (const signal of signals) signal?.addEventListener('abort', stop);
    promise.then(
      () => end(true),
      () => end(true),
    );
  });
}

/** Lets other work have its turn. */
const breath = () => new Promise<void>((resolve) => setImmediate(resolve));
