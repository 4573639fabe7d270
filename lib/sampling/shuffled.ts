/**
 * Shuffles of sources that come in an order of their own, such as files and streams: within windows of so many samples,
 * one after the other. Unlike a buffer out of which samples are drawn at random, a window is resumed exactly from a
 * position in the source beneath and its number: it is read again and shuffled again. The length of the windows is part of
 * a position, because others would hold other samples.
 */

import { PikeError } from '../errors.js';
import type { Json } from '../rules/rule.js';
import { requireNonNegativeInteger, requirePositiveInteger, show, throwIfAborted } from '../validate.js';
import { purpose, randomWords } from './counter-random.js';
import { permutation } from './permutation.js';
import { checkPosition } from './positions.js';
import type { Cursor, Drawn, SampleSource } from './source.js';

/**
 * `source`, shuffled within windows of `window` samples, which are held in memory. Each pass shuffles anew and begins with
 * a window of another length, so that samples on either side of an edge meet in other passes.
 *
 * @throws PikeError `ERR_INVALID_OPTION`; from `open`, `ERR_STATE` for a position in windows of another length
 */
export function shuffled<T>(source: SampleSource<T>, window: number): SampleSource<T> {
  if (typeof source?.open !== 'function')
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `shuffled takes a source, such as textLines(path), not ${show(source)}.`,
    );
  requirePositiveInteger('window', window);
  return {
    ...(source.size === undefined ? {} : { size: source.size }),
    ...(source.once === undefined ? {} : { once: source.once }),
    open(epoch: number, seed: number, position?: Json): Cursor<T> {
      requireNonNegativeInteger('epoch', epoch);
      requireNonNegativeInteger('seed', seed);
      const { from, number, taken } = position === undefined ? begin : checkStart(position, window);
      return new WindowCursor(source.open(epoch, seed, from), { epoch, seed, window }, number, taken);
    },
  };
}

const begin = { from: undefined, number: 0, taken: 0 };

function checkStart(position: Json, length: number): { from: Json; number: number; taken: number } {
  const { from, ...rest } = Object(position) as { from?: Json };
  const saved = checkPosition('a shuffled source', rest as Json, ['window', 'taken', 'length']);
  if (from === undefined) throw new PikeError('ERR_STATE', 'A position in a shuffled source has no "from".');
  if (saved.length !== length)
    throw new PikeError(
      'ERR_STATE',
      `This position is in windows of ${saved.length} samples, but shuffled has windows of ${length} now: its order would be another one.`,
    );
  return { from, number: saved.window, taken: saved.taken };
}

interface Window<T> extends Drawn<T> {
  /** Where it begins in the source beneath. */
  from: Json;
  number: number;
  taken: number;
  order: (place: number) => number;
}

interface Shuffle {
  epoch: number;
  seed: number;
  window: number;
}

class WindowCursor<T> implements Cursor<T> {
  readonly #inner: Cursor<T>;
  readonly #shuffle: Shuffle;
  /** The next window to load, and how many of its samples were read before the state was saved. */
  #next: number;
  #skip: number;
  /** Loaded and not read to the end. What a read needs is loaded before any of it is taken, so a read that fails takes nothing. */
  readonly #windows: Window<T>[] = [];
  #ended = false;
  #closed = false;

  constructor(inner: Cursor<T>, shuffle: Shuffle, next: number, skip: number) {
    this.#inner = inner;
    this.#shuffle = shuffle;
    this.#next = next;
    this.#skip = skip;
  }

  async read(count: number, signal?: AbortSignal): Promise<Drawn<T>> {
    requirePositiveInteger('count', count);
    throwIfAborted(signal);
    this.#assertOpen();
    while (!this.#ended && this.#loaded() < count) await this.#load(signal);
    const drawn: Drawn<T> = { samples: [], indices: [] };
    while (drawn.samples.length < count && this.#windows.length > 0) {
      const head = this.#windows[0];
      const place = head.order(head.taken++);
      drawn.samples.push(head.samples[place]);
      drawn.indices.push(head.indices[place]);
      if (head.taken === head.samples.length) this.#windows.shift();
    }
    return drawn;
  }

  arrived(): number {
    return this.#inner.arrived?.() ?? 0;
  }

  position(): Json {
    const head = this.#windows[0];
    const length = this.#shuffle.window;
    return head
      ? { from: head.from, window: head.number, taken: head.taken, length }
      : { from: this.#inner.position(), window: this.#next, taken: this.#skip, length };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#windows.length = 0;
    await this.#inner.close();
  }

  #loaded(): number {
    return this.#windows.reduce((sum, { samples, taken }) => sum + samples.length - taken, 0);
  }

  async #load(signal: AbortSignal | undefined): Promise<void> {
    const from = this.#inner.position();
    const number = this.#next;
    const wanted = windowSize(this.#shuffle, number);
    const { samples, indices } = await this.#inner.read(wanted, signal);
    this.#assertOpen();
    const size = samples.length;
    if (this.#skip > size)
      throw new PikeError(
        'ERR_STATE',
        `Window ${number} of a shuffled source has ${size} samples, but ${this.#skip} of it had been read when the state was saved.`,
      );
    this.#ended = size < wanted;
    const { seed, epoch } = this.#shuffle;
    const order = permutation(size, seed, epoch, number);
    if (this.#skip < size) this.#windows.push({ samples, indices, from, number, taken: this.#skip, order });
    this.#next++;
    this.#skip = 0;
  }

  #assertOpen(): void {
    if (this.#closed) throw new PikeError('ERR_DISPOSED', 'This cursor was closed.');
  }
}

/** Samples in window number `number`: all of the same length but the first. */
function windowSize({ epoch, seed, window }: Shuffle, number: number): number {
  if (number > 0) return window;
  return 1 + Math.floor((randomWords(seed, purpose.window, epoch, 0)[0] / 2 ** 32) * window);
}
