/**
 * Files of one sample per line, read as they are needed: memory is that of a chunk or of the longest line, whatever the
 * size of the file, and a position is a byte, so that resuming costs the same anywhere in it.
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
import { LineReader } from './line-reader.js';
import { checkPosition } from './positions.js';
import type { Cursor, Drawn, SampleSource } from './source.js';

/** Of `jsonLines`. */
export interface LineFileOptions {
  /** Longest line that is read, in bytes (default 16 MiB); a longer one is an error and not a lack of memory. */
  maxLineBytes?: number;
}

/** Of `textLines`. */
export interface TextLinesOptions extends LineFileOptions {
  /** Whether lines of nothing but white space are passed over (default false). */
  skipBlank?: boolean;
}

/**
 * The lines of a UTF-8 text file as strings, in the order of the file, without their ends (\n or \r\n) and without a byte
 * order mark. `indices` are line numbers, from 1. `shuffled` shuffles them.
 *
 * @param path of a regular file; it must not change while it is read
 * @throws PikeError `ERR_INVALID_OPTION`; from `read`, `ERR_SOURCE` with file and line when it cannot be read, is not UTF-8
 *   or has too long a line, and `ERR_STATE` when no line begins at the saved position
 */
export function textLines(path: string | URL, options: TextLinesOptions = {}): SampleSource<string> {
  const { skipBlank = false, ...rest } = options;
  requireBoolean('skipBlank', skipBlank);
  return lineSource('textLines', path, rest, (text) => (skipBlank && isBlank(text) ? nothing : text));
}

/**
 * The values in a file of JSON Lines (NDJSON), one per line, in the order of the file. Blank lines are passed over.
 * `indices` are line numbers, from 1. `shuffled` shuffles them.
 *
 * @param path as `textLines`
 * @throws PikeError as `textLines`, and from `read`, `ERR_SOURCE` with file and line for a line that is no JSON
 */
export function jsonLines<T = unknown>(path: string | URL, options: LineFileOptions = {}): SampleSource<T> {
  return lineSource<T>('jsonLines', path, options, (text) => {
    if (isBlank(text)) return nothing;
    return JSON.parse(text) as T;
  });
}

/** What a line without a sample is read as. */
const nothing = Symbol('nothing');
type Parse<T> = (text: string) => T | typeof nothing;

const isBlank = (text: string) => text.trim() === '';

/** @param chunkBytes what is read at once */
export function lineSource<T>(
  what: string,
  path: string | URL,
  options: LineFileOptions,
  parse: Parse<T>,
  chunkBytes = 65_536,
): SampleSource<T> {
  if ((typeof path !== 'string' || path === '') && !(path instanceof URL))
    throw new PikeError('ERR_INVALID_OPTION', `${what} takes the path of a file, not ${show(path)}.`);
  refuseUnknown(what, options, ['maxLineBytes']);
  const longest = requirePositiveInteger('maxLineBytes', options.maxLineBytes ?? 2 ** 24);
  return {
    open(epoch: number, seed: number, position?: Json): Cursor<T> {
      requireNonNegativeInteger('epoch', epoch);
      requireNonNegativeInteger('seed', seed);
      const place =
        position === undefined
          ? { byte: 0, line: 0 }
          : checkPosition(String(path), position, ['byte', 'line']);
      const reader = new LineReader(path, place, longest, chunkBytes);
      return new LineCursor(String(path), reader, parse, position !== undefined);
    },
  };
}

class LineCursor<T> implements Cursor<T> {
  readonly #name: string;
  readonly #reader: LineReader;
  readonly #parse: Parse<T>;
  /** Whether it is still open whether a line begins where this cursor was opened. */
  #unchecked: boolean;
  #closed = false;

  constructor(name: string, reader: LineReader, parse: Parse<T>, unchecked: boolean) {
    this.#name = name;
    this.#reader = reader;
    this.#parse = parse;
    this.#unchecked = unchecked;
  }

  async read(count: number, signal?: AbortSignal): Promise<Drawn<T>> {
    requirePositiveInteger('count', count);
    const begin = this.#reader.place;
    const samples: T[] = [];
    const indices: number[] = [];
    try {
      await this.#check(signal);
      while (samples.length < count) {
        const bytes = await this.#reader.next(signal);
        if (!bytes) break;
        const sample = this.#decode(bytes);
        if (sample === nothing) continue;
        samples.push(sample);
        indices.push(this.#reader.place.line);
      }
    } catch (error) {
      const failedAt = this.#reader.place;
      this.#reader.moveTo(begin);
      throw this.#explain(error, failedAt.line + 1, signal);
    }
    return { samples, indices };
  }

  arrived(): number {
    return this.#reader.place.byte;
  }

  position(): Json {
    return { ...this.#reader.place };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#reader.close();
  }

  async #check(signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal);
    if (this.#closed) throw new PikeError('ERR_DISPOSED', 'This cursor was closed.');
    if (!this.#unchecked) return;
    const { byte } = this.#reader.place;
    if (!(await this.#reader.isLineStart(byte)))
      throw new PikeError(
        'ERR_STATE',
        `No line of ${this.#name} begins at byte ${byte}, where its source stood when the state was saved: it is another file now.`,
      );
    this.#unchecked = false;
  }

  #decode(bytes: Buffer): T | typeof nothing {
    const { line } = this.#reader.place;
    const at = `Line ${line} of ${this.#name}`;
    let text: string;
    try {
      text = decoder.decode(bytes);
    } catch (cause) {
      throw new PikeError('ERR_SOURCE', `${at} is not UTF-8.`, { cause });
    }
    try {
      return this.#parse(text);
    } catch (cause) {
      throw new PikeError('ERR_SOURCE', `${at} is no JSON: ${(cause as Error).message}`, { cause });
    }
  }

  #explain(error: unknown, line: number, signal: AbortSignal | undefined): unknown {
    if (this.#closed) return new PikeError('ERR_DISPOSED', 'This cursor was closed.');
    if (signal?.aborted || error instanceof PikeError) return error;
    const cause = error as Error;
    return new PikeError('ERR_SOURCE', `${this.#name} cannot be read at line ${line}: ${cause.message}`, {
      cause,
    });
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
