/** A file that lines are added to, each by one write of its own, so that a crash of the process loses none of them. */
import { closeSync, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs';

export class LogFile {
  #descriptor: number | null;

  /**
   * @param first the line to begin with: a file that does not take it is closed again
   * @param append go on behind what stands there already; a line that a crash has cut off is ended first
   * @throws what the file system throws
   */
  constructor(path: string, first: string, append: boolean) {
    const isCut = append && endsWithinLine(path);
    this.#descriptor = openSync(path, append ? 'a' : 'w');
    try {
      if (isCut) this.#write(Buffer.from('\n'));
      this.line(first);
    } catch (error) {
      this.#giveUp();
      throw error;
    }
  }

  get isOpen(): boolean {
    return this.#descriptor !== null;
  }

  /** @throws what the file system throws, such as ENOSPC */
  line(text: string): void {
    this.#write(Buffer.from(text + '\n'));
  }

  /** @throws what the file system throws */
  close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = null;
    if (descriptor !== null) closeSync(descriptor);
  }

  /** What was wrong before is what counts. */
  #giveUp(): void {
    try {
      this.close();
    } catch {
      // Linux, for one, has let go of the descriptor all the same.
    }
  }

  /** A disk that is nearly full takes a part of what it is given. */
  #write(bytes: Buffer): void {
    let written = 0;
    while (this.#descriptor !== null && written < bytes.length)
      written += writeSync(this.#descriptor, bytes, written);
  }
}

function endsWithinLine(path: string): boolean {
  try {
    return withFile(path, false, (descriptor, size) => {
      const last = Buffer.alloc(1);
      return size > 0 && readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] !== 10;
    });
  } catch {
    return false; // it cannot be read: then it is added to as it is
  }
}

/** What every log begins with. */
const BEGINNING = '{"event":"start","run":"';

/** More blank space than this is taken for something. */
const LONGEST_BLANK = 4096;

/**
 * What a file holds: nothing that could be lost, a run log or the beginning of one, or something else.
 *
 * @throws what the file system throws where it cannot be read
 */
export function holds(path: string): 'nothing' | 'run log' | 'something else' {
  return withFile(path, 'nothing', (descriptor, size) => {
    const bytes = Buffer.alloc(LONGEST_BLANK);
    const head = bytes.toString('latin1', 0, readSync(descriptor, bytes, 0, bytes.length, 0));
    if (head.trim() === '') return size > head.length ? 'something else' : 'nothing';
    return head.startsWith(BEGINNING) || BEGINNING.startsWith(head) ? 'run log' : 'something else';
  });
}

/**
 * @param otherwise where there is no such file, or it is none: a device, or a pipe, which would wait for its writer
 * @throws what the file system throws
 */
function withFile<T>(path: string, otherwise: T, look: (descriptor: number, size: number) => T): T {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return otherwise;
  const descriptor = openSync(path, 'r');
  try {
    return look(descriptor, fstatSync(descriptor).size);
  } finally {
    closeSync(descriptor);
  }
}
