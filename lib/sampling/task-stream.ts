/**
 * The endless or ending sequence of samples of one task: pass after pass over its source, read ahead by a bounded number
 * of samples. Where it stands is where the hand-out stands: what was read ahead and not handed out is read again by a
 * stream that is restored from its state.
 */
import { PikeError } from '../errors.js';
import type { Json } from '../rules/rule.js';
import { show } from '../validate.js';
import type { Cursor, Drawn, SampleSource } from './source.js';
import { waitFor } from './wait.js';

/** Where the samples of a task stand, as plain JSON. */
export interface StreamState {
  /** Number of the pass. */
  epoch: number;
  /** Position of a cursor in that pass; left out at its beginning. */
  position?: Json;
  /** Samples from that position on that have been handed out already. */
  skip: number;
  /** Samples of the pass that have been handed out. */
  inPass: number;
  /** Samples handed out since the beginning. */
  samples: number;
}

type Place = Omit<StreamState, 'samples'>;

/** What one `read` gave. */
interface Chunk<T> {
  readonly start: Place;
  readonly drawn: Drawn<T>;
  /** Samples of it that have been handed out. */
  used: number;
}

type Read<T> = (cursor: Cursor<T>, count: number) => Promise<Drawn<T>>;

export interface TaskStreamOptions {
  /** Of the shuffles. */
  readonly seed: number;
  /** Passes over the source, Infinity for no end. */
  readonly passes: number;
  /** Samples that `readAhead` keeps in store. */
  readonly prefetch: number;
  /** Milliseconds in which a source must give something, Infinity for no limit. */
  readonly timeout: number;
}

/** How long `close` waits for a source that does not let go, in milliseconds. It is then closed as soon as it does. */
const CLOSE_PATIENCE = 1000;

export class TaskStream<T> {
  readonly #task: string;
  readonly #source: SampleSource<T>;
  readonly #options: TaskStreamOptions;
  readonly #chunks: Chunk<T>[] = [];
  #buffered = 0;
  /** Where reading goes on. */
  #tail: Place = { epoch: 0, skip: 0, inPass: 0 };
  #handedOut = 0;
  #cursor: Cursor<T> | null = null;
  /** Of the reads of the open cursor. */
  #abort = new AbortController();
  /** The read in flight. It never rejects. */
  #reading: Promise<void> | null = null;
  /**
   * Why the last read failed, until somebody needs what it should have read: more samples than are buffered, `count` of
   * them at the least.
   */
  #failure: { readonly error: PikeError; readonly count: number } | null = null;

  constructor(task: string, source: SampleSource<T>, options: TaskStreamOptions, state?: StreamState) {
    this.#task = task;
    this.#source = source;
    this.#options = options;
    if (!state) return;
    const { samples, ...place } = state;
    this.#tail = structuredClone(place);
    this.#handedOut = samples;
  }

  /** Samples that can be taken now. */
  get buffered(): number {
    return this.#buffered;
  }

  /** All passes have been read: beyond what is buffered nothing comes. */
  get ended(): boolean {
    return this.#tail.epoch >= this.#options.passes;
  }

  /**
   * Resolves when `count` samples are buffered, or all that there are.
   *
   * @throws PikeError `ERR_SOURCE`, `ERR_STATE`, naming the task, when the source fails; a later call tries again.
   *   `ERR_TIMEOUT` when it stalls; the read goes on, and a later call waits for it again. Or the signal's reason
   */
  async ensure(count: number, signal?: AbortSignal): Promise<void> {
    const { prefetch } = this.#options;
    while (this.#buffered < count && !this.ended) {
      const missing = count - this.#buffered;
      const failure = this.#failure;
      this.#failure = null;
      // One that read ahead may have failed at a sample that is not needed yet.
      if (failure && failure.count <= missing) throw failure.error;
      const ahead = failure ? 0 : prefetch - this.#buffered;
      const reading = this.#reading ?? this.#start(Math.max(missing, ahead));
      await this.#waitFor(reading, signal);
    }
  }

  /** The next `count` samples, which must be buffered. */
  take(count: number): Drawn<T> {
    const taken: Drawn<T> = { samples: [], indices: [] };
    for (let missing = count; missing > 0; ) {
      const chunk = this.#chunks[0];
      if (!chunk)
        throw new PikeError('ERR_INTERNAL', `Source '${this.#task}' has ${missing} samples too few.`);
      const { samples, indices } = chunk.drawn;
      const from = chunk.used;
      chunk.used = Math.min(samples.length, from + missing);
      for (let i = from; i < chunk.used; i++) {
        taken.samples.push(samples[i]);
        taken.indices.push(indices[i]);
      }
      missing -= chunk.used - from;
      if (chunk.used === samples.length) this.#chunks.shift();
    }
    this.#buffered -= count;
    this.#handedOut += count;
    return taken;
  }

  /** Fills the store in the background. A failure is told to whoever needs what is missing. */
  readAhead(): void {
    const missing = this.#options.prefetch - this.#buffered;
    if (missing <= 0 || this.#reading || this.#failure || this.ended) return;
    const { signal } = this.#abort;
    void this.#start(missing).then(() => {
      // Where a pass has ended in the read, the next one goes on. A closed stream stays closed.
      if (!signal.aborted) this.readAhead();
    });
  }

  /** Frees what the source holds, also under a read in flight. What is buffered stays, and a later call opens it again. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#reading = null;
    this.#failure = null;
    const cursor = this.#cursor;
    this.#cursor = null;
    if (!cursor) return;
    // An iterator that hangs in its next() does not return either.
    const closed = closeQuietly(cursor);
    await waitFor(closed, CLOSE_PATIENCE, undefined, () => new Error()).catch(() => undefined);
  }

  state(): StreamState {
    const chunk = this.#chunks[0];
    if (!chunk) return structuredClone({ ...this.#tail, samples: this.#handedOut });
    const { start, used } = chunk;
    const place = { ...start, skip: start.skip + used, inPass: start.inPass + used };
    return structuredClone({ ...place, samples: this.#handedOut });
  }

  /** Waits as long as something comes: slow is not stalled, and a resume may have much to pass by. */
  async #waitFor(reading: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const { timeout } = this.#options;
    const stalled = new PikeError(
      'ERR_TIMEOUT',
      `Source '${this.#task}' has given nothing for ${timeout / 1000} s (timeout), at sample ${this.#tail.inPass} of pass ${this.#tail.epoch}.`,
    );
    for (;;) {
      const before = this.#arrived();
      try {
        return await waitFor(reading, timeout, signal, () => stalled);
      } catch (error) {
        if (error !== stalled || Object.is(this.#arrived(), before)) throw error;
      }
    }
  }

  #arrived(): number | undefined {
    try {
      return this.#cursor?.arrived?.();
    } catch (cause) {
      throw this.#named(cause);
    }
  }

  #start(count: number): Promise<void> {
    const reading = this.#read(count).then(() => {
      if (this.#reading === reading) this.#reading = null;
    });
    this.#reading = reading;
    return reading;
  }

  async #read(count: number): Promise<void> {
    const { signal } = this.#abort;
    const { size } = this.#source;
    let needed = count;
    const read: Read<T> = async (cursor, asked) => {
      needed = count;
      const drawn = await cursor.read(asked, signal);
      // It has moved on: whatever fails from here on, no smaller read of this cursor would bring the same samples again.
      needed = 0;
      return checkDrawn(drawn, asked);
    };
    try {
      if (size === 0) throw new PikeError('ERR_SOURCE', 'it is empty.');
      const cursor = this.#cursor ?? this.#open();
      // A closed stream reads again from where it stood: what comes late is nobody's.
      await this.#skip(cursor, read, signal);
      if (signal.aborted) return;
      // Not beyond the end of a pass that is known: when a pass ends must not depend on how much is read at once.
      const asked = Math.min(count, (size ?? Infinity) - this.#tail.inPass);
      const drawn = await read(cursor, asked);
      if (signal.aborted) return;
      this.#store(cursor, drawn);
      if (this.#hasPassed(drawn.samples.length < asked)) await this.#beginNextPass(cursor);
    } catch (cause) {
      if (!signal.aborted) this.#failure = { error: this.#named(cause), count: needed };
    }
  }

  #open(): Cursor<T> {
    const { epoch, position } = this.#tail;
    this.#cursor =
      position === undefined
        ? this.#source.open(epoch, this.#options.seed)
        : this.#source.open(epoch, this.#options.seed, position);
    return this.#cursor;
  }

  /** Passes by what had been handed out before the stream was restored. */
  async #skip(cursor: Cursor<T>, read: Read<T>, signal: AbortSignal): Promise<void> {
    const { skip } = this.#tail;
    if (skip === 0) return;
    const { samples } = await read(cursor, skip);
    if (signal.aborted) return;
    if (samples.length < skip)
      throw new PikeError(
        'ERR_STATE',
        `the pass ends before the sample that the state goes on from, number ${this.#tail.inPass} of pass ${this.#tail.epoch}.`,
      );
    this.#tail = { ...this.#tail, position: cursor.position(), skip: 0 };
  }

  #store(cursor: Cursor<T>, drawn: Drawn<T>): void {
    const start = this.#tail;
    const { length } = drawn.samples;
    this.#tail = { epoch: start.epoch, position: cursor.position(), skip: 0, inPass: start.inPass + length };
    if (length === 0) return;
    this.#chunks.push({ start, drawn, used: 0 });
    this.#buffered += length;
  }

  /** Whether the pass is over. @param short fewer samples came than were asked for */
  #hasPassed(short: boolean): boolean {
    const { size } = this.#source;
    const { epoch, inPass } = this.#tail;
    if (short && size !== undefined && inPass < size)
      throw new PikeError('ERR_SOURCE', `pass ${epoch} ended after ${inPass} of its ${size} samples.`);
    if (short && inPass === 0)
      throw new PikeError(
        'ERR_SOURCE',
        epoch === 0
          ? 'it is empty.'
          : `pass ${epoch} is empty, though the ones before were not; a function must return a new iterable each time.`,
      );
    return short || inPass === size;
  }

  async #beginNextPass(cursor: Cursor<T>): Promise<void> {
    this.#tail = { epoch: this.#tail.epoch + 1, skip: 0, inPass: 0 };
    this.#cursor = null;
    // All its samples are here: what cannot be tidied up behind them is no failure of theirs.
    await closeQuietly(cursor);
  }

  #named(cause: unknown): PikeError {
    const code = cause instanceof PikeError ? cause.code : 'ERR_SOURCE';
    const message = cause instanceof Error ? cause.message : show(cause);
    return new PikeError(code, `Source '${this.#task}' failed: ${message}`, { cause });
  }
}

/** A cursor of the user's own may throw at once, or return no promise; what it says must not take the place of the error told. */
async function closeQuietly(cursor: Cursor<unknown>): Promise<void> {
  try {
    await cursor.close();
  } catch {}
}

/** What a source of the user's own returns is not taken on trust. */
function checkDrawn<T>(drawn: Drawn<T>, count: number): Drawn<T> {
  const { samples, indices } = drawn ?? {};
  if (!Array.isArray(samples) || !Array.isArray(indices) || samples.length !== indices.length)
    throw new PikeError(
      'ERR_SOURCE',
      `read must return { samples, indices }, two lists of one length, but returned ${show(drawn)}.`,
    );
  if (samples.length > count)
    throw new PikeError('ERR_SOURCE', `read(${count}) returned ${samples.length} samples.`);
  return drawn;
}
