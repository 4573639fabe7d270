/**
 * Sources of a known size whose samples can be had in any order. Each pass is a shuffle without replacement, a function of
 * seed and epoch (permutation.ts), so a position in it is one number, beside what the order depends on.
 */
import { PikeError } from '../errors.js';
import type { Json } from '../rules/rule.js';
import {
  refuseUnknown,
  requireBoolean,
  requireNonNegativeInteger,
  requirePositiveInteger,
  show,
  throwIfAborted,
} from '../validate.js';
import { permutation } from './permutation.js';
import { checkPosition } from './positions.js';
import type { Cursor, Drawn, SampleSource } from './source.js';

/** Of sources whose samples can be had in any order. */
export interface OrderOptions {
  /** Whether each pass takes the samples in another order (default true); false: in their own. */
  shuffle?: boolean;
}

/**
 * A source whose samples are the numbers 0 … size − 1, for data that a loop of yours looks up by number: rows of a
 * matrix, records of a file, pictures in a folder. No memory, whatever the size.
 *
 * @param size 0 to 2⁵⁰
 * @throws PikeError `ERR_INVALID_OPTION`; from `open`, `ERR_STATE` for a position in another size or order
 */
export function indexSpace(size: number, options: OrderOptions = {}): SampleSource<number> {
  requireNonNegativeInteger('size of an index space', size);
  return orderedSource('an index space', size, (index) => index, options);
}

/**
 * A source over `size` samples that are looked up by number.
 *
 * @param what the kind of source, for messages
 * @param sampleAt may throw what `read` is to reject with
 */
export function orderedSource<T>(
  what: string,
  size: number,
  sampleAt: (index: number) => T,
  options: OrderOptions,
): SampleSource<T> {
  refuseUnknown(what, options, ['shuffle']);
  const shuffle = requireBoolean('shuffle', options.shuffle ?? true);
  // Refuses a size that cannot be shuffled before anything is drawn.
  if (shuffle && size > 0) permutation(size, 0, 0);
  return {
    size,
    open(epoch: number, seed: number, position?: Json): Cursor<T> {
      requireNonNegativeInteger('epoch', epoch);
      requireNonNegativeInteger('seed', seed);
      const from = position === undefined ? 0 : takenOf(what, { size, shuffle }, position);
      const order = shuffle && size > 0 ? permutation(size, seed, epoch) : (place: number) => place;
      return new OrderedCursor({ size, shuffle }, order, sampleAt, from);
    },
  };
}

/** What the order of a pass depends on, beside seed and epoch. */
interface Order {
  size: number;
  shuffle: boolean;
}

class OrderedCursor<T> implements Cursor<T> {
  readonly #of: Order;
  readonly #order: (place: number) => number;
  readonly #sampleAt: (index: number) => T;
  #taken: number;
  #closed = false;

  constructor(of: Order, order: (place: number) => number, sampleAt: (index: number) => T, taken: number) {
    this.#of = of;
    this.#order = order;
    this.#sampleAt = sampleAt;
    this.#taken = taken;
  }

  async read(count: number, signal?: AbortSignal): Promise<Drawn<T>> {
    requirePositiveInteger('count', count);
    throwIfAborted(signal);
    if (this.#closed) throw new PikeError('ERR_DISPOSED', 'This cursor was closed.');
    const end = Math.min(this.#taken + count, this.#of.size);
    const indices: number[] = [];
    for (let place = this.#taken; place < end; place++) indices.push(this.#order(place));
    const samples = indices.map((index) => this.#sampleAt(index));
    this.#taken = end;
    return { samples, indices };
  }

  position(): Json {
    return { taken: this.#taken, ...this.#of };
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

/** A position in another order means nothing here. */
function takenOf(what: string, { size, shuffle }: Order, position: Json): number {
  const { shuffle: shuffled, ...rest } = Object(position) as { shuffle?: Json };
  const numbers = typeof position === 'object' && !Array.isArray(position) ? (rest as Json) : position;
  const saved = checkPosition(what, numbers, ['taken', 'size']);
  if (saved.size !== size || saved.taken > size)
    throw new PikeError(
      'ERR_STATE',
      `This position is the ${saved.taken}th of ${saved.size} samples, but ${what} has ${size} now: its order would be another one.`,
    );
  if (typeof shuffled !== 'boolean')
    throw new PikeError(
      'ERR_STATE',
      `A position in ${what} must say whether it is shuffled, but its shuffle is ${show(shuffled)}.`,
    );
  if (shuffled !== shuffle)
    throw new PikeError(
      'ERR_STATE',
      `This position is in ${what} that was ${shuffled ? '' : 'not '}shuffled, but now it is${shuffle ? '' : ' not'}: its order would be another one.`,
    );
  return saved.taken;
}
