/**
 * What a mixture draws from. A source is passed over again and again; one pass is an epoch, and a cursor stands
 * somewhere in one. Which sample comes where is a function of the epoch, the seed and the position alone, never of
 * when it was asked for: that is what makes a resumed run the same run.
 */
import type { Json } from '../rules/rule.js';

/** Samples of a source in the order in which they came. */
export interface Drawn<T> {
  /** The samples themselves. */
  samples: T[];
  /** `samples[i]` is sample number `indices[i]` of its source: its index in an array, line of a file, order of arrival. */
  indices: number[];
}

/** One pass (epoch) over a source, from a position onwards. One call at a time: `read` must settle before the next. */
export interface Cursor<T> {
  /**
   * Up to `count` (>= 1) next samples; fewer only when the pass ends in them, and none when it has ended. A call that
   * rejects leaves the cursor where it was: what it had taken comes with the next one.
   *
   * @throws PikeError `ERR_SOURCE` when the source fails or holds what cannot be used, `ERR_STATE` when it does not
   *   fit the position it was opened at; or the signal's reason
   */
  read(count: number, signal?: AbortSignal): Promise<Drawn<T>>;
  /**
   * A number that changes whenever something of the source has come, also under a `read` that has not settled: samples, those
   * it passes by included, or bytes. While it changes, a long `read` is no stall. Without it, one `read` must settle
   * within the `timeout` of the mixture.
   */
  arrived?(): number;
  /** Where it stands after the last `read` that resolved, as plain JSON: a cursor opened there goes on with the same samples. */
  position(): Json;
  /** Frees files and iterators, also under a `read` that has not settled. Idempotent. */
  close(): Promise<void>;
}

/** What samples of one task come from. The functions of this library make some; write one of your own for other data. */
export interface SampleSource<T> {
  /** Samples in one pass, where it is known. */
  readonly size?: number;
  /** Whether there is one pass only and one cursor for it, as over a stream that cannot be begun again. */
  readonly once?: boolean;
  /**
   * Begins pass number `epoch` (0, 1, …), or goes on with it at `position`.
   *
   * @param seed a whole number >= 0 that decides the shuffles
   * @throws PikeError `ERR_SOURCE` when a source of one pass is opened again, `ERR_STATE` for a position that is none
   */
  open(epoch: number, seed: number, position?: Json): Cursor<T>;
}

/** Which pass a factory of iterables is asked for: enough to shuffle it. */
export interface Pass {
  /** Number of the pass: 0, 1, … */
  readonly epoch: number;
  /** Of the shuffles. */
  readonly seed: number;
}

/**
 * What a source may be given as: an array (shuffled anew in each pass), a function that makes an iterable or a stream
 * for each pass, an iterable or a stream itself (then one pass is all there is), or a `SampleSource`, such as those
 * of `jsonLines`, `textLines` and `indexSpace`.
 */
export type SourceInput<T> =
  | readonly T[]
  | SampleSource<T>
  | ((pass: Pass) => AsyncIterable<T> | Iterable<T>)
  | AsyncIterable<T>
  // Not a text, which could be iterated letter by letter.
  | (Iterable<T> & object);
