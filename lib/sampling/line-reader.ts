/**
 * Lines of a file as bytes, from any byte onwards, in memory of one chunk or of the longest line. Reads by offset, so
 * that any number of readers share a file, and a reader that failed is put back by setting two numbers.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { throwIfAborted } from '../validate.js';

const newline = 0x0a;
const carriageReturn = 0x0d;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Where a line begins: `byte` in the file, and its number, from 0. */
export interface LinePlace {
  byte: number;
  line: number;
}

export class LineReader {
  readonly #path: string | URL;
  readonly #longest: number;
  readonly #chunkBytes: number;
  #file: Promise<FileHandle> | undefined;
  #closed = false;
  /** Bytes of the file from `#bufferStart` on, `#filled` of them. */
  #buffer: Buffer;
  #bufferStart = 0;
  #filled = 0;
  #place: LinePlace;

  /** @param longest largest number of bytes in a line */
  constructor(path: string | URL, place: LinePlace, longest: number, chunkBytes: number) {
    this.#path = path;
    this.#longest = longest;
    this.#chunkBytes = chunkBytes;
    this.#buffer = Buffer.allocUnsafe(chunkBytes);
    this.#place = place;
    this.#bufferStart = place.byte;
  }

  /** Where the next line begins. */
  get place(): LinePlace {
    return { ...this.#place };
  }

  /** Goes on from there. */
  moveTo(place: LinePlace): void {
    this.#place = { ...place };
  }

  /**
   * The next line without its end (\n or \r\n) and without a byte order mark, or null at the end of the file. The bytes
   * are valid until the next call.
   *
   * @throws what the file system throws; RangeError for a line that is too long
   */
  async next(signal?: AbortSignal): Promise<Buffer | null> {
    let searched = this.#place.byte;
    for (;;) {
      const start = this.#place.byte - this.#bufferStart;
      const inside = start >= 0 && start <= this.#filled;
      const end = inside
        ? this.#buffer.subarray(0, this.#filled).indexOf(newline, searched - this.#bufferStart)
        : -1;
      if (end >= 0) return this.#take(start, end, end + 1);
      searched = inside ? this.#bufferStart + this.#filled : this.#place.byte;
      if (searched - this.#place.byte > this.#longest) throw this.#tooLong();
      if (await this.#fill(signal)) continue;
      const rest = this.#filled - (this.#place.byte - this.#bufferStart);
      return rest > 0 ? this.#take(this.#filled - rest, this.#filled, this.#filled) : null;
    }
  }

  /** Whether a line can begin at this byte: at the start, after a line's end, or at the end of the file. */
  async isLineStart(byte: number): Promise<boolean> {
    const file = await this.#open();
    const { size } = await file.stat();
    if (byte === 0 || byte === size) return true;
    const { bytesRead } = await file.read(this.#buffer, 0, 1, byte - 1);
    this.#filled = 0;
    return byte < size && bytesRead === 1 && this.#buffer[0] === newline;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const file = this.#file;
    this.#file = undefined;
    // A file that could not be opened was reported by the read that tried.
    await (await file?.catch(() => undefined))?.close();
  }

  #take(start: number, end: number, after: number): Buffer {
    if (end - start > this.#longest) throw this.#tooLong();
    const first = this.#place.byte === 0 && this.#buffer.subarray(start, start + 3).equals(byteOrderMark);
    const from = first && end - start >= 3 ? start + 3 : start;
    const to = end > from && after > end && this.#buffer[end - 1] === carriageReturn ? end - 1 : end;
    this.#place = { byte: this.#bufferStart + after, line: this.#place.line + 1 };
    return this.#buffer.subarray(from, to);
  }

  /** Reads on behind what is there of the current line; false at the end of the file. */
  async #fill(signal: AbortSignal | undefined): Promise<boolean> {
    throwIfAborted(signal);
    const start = this.#place.byte - this.#bufferStart;
    const kept = start >= 0 && start < this.#filled ? this.#filled - start : 0;
    const size = Math.max(this.#chunkBytes, 2 * kept);
    const buffer = this.#buffer.length === size ? this.#buffer : Buffer.allocUnsafe(size);
    if (kept > 0) this.#buffer.copy(buffer, 0, start, start + kept);
    this.#buffer = buffer;
    this.#bufferStart = this.#place.byte;
    this.#filled = kept;
    const file = await this.#open();
    const at = this.#bufferStart + kept;
    const { bytesRead } = await file.read(buffer, kept, size - kept, at);
    throwIfAborted(signal);
    this.#filled += bytesRead;
    return bytesRead > 0;
  }

  #open(): Promise<FileHandle> {
    if (this.#closed) throw new Error('it was closed');
    this.#file ??= open(this.#path, 'r').catch((error) => {
      this.#file = undefined;
      throw error;
    });
    return this.#file;
  }

  #tooLong(): RangeError {
    return new RangeError(`it has more than ${this.#longest} bytes`);
  }
}
