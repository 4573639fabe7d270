import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from './usage-error.js';

/** What is read of one task at most: enough for hours of training at the demo's pace, little enough to hold. */
export const mostBytes = 8 * 2 ** 20;

/**
 * The user's own text for one task: a file, or a folder read recursively in sorted order until `limit` bytes are
 * together. In a folder, hidden entries, links and files that are not text are passed over.
 */
export function readUserText(task: string, path: string, limit = mostBytes): Uint8Array[] {
  const refuse = (reason: string) => new UsageError(`task ${task}: ${reason}`);
  try {
    const kind = statSync(path);
    if (kind.isFile()) {
      const text = readStart(path, limit);
      if (!isText(text)) throw refuse(`${path} is not a text file`);
      return [text];
    }
    if (!kind.isDirectory()) throw refuse(`${path} is neither a file nor a folder`);
    const documents: Uint8Array[] = [];
    let size = 0;
    for (const file of filesIn(path)) {
      const text = readStart(file, limit - size);
      if (!isText(text)) continue;
      documents.push(text);
      size += text.length;
      if (size >= limit) break;
    }
    if (size === 0) throw refuse(`there is no text in the folder ${path}`);
    return documents;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw refuse(`there is no file or folder ${path}`);
    throw refuse(`${path} cannot be read (${message})`);
  }
}

function* filesIn(folder: string): Generator<string> {
  const entries = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !name.startsWith('.'));
  // By code unit, not by the order a file system lists in: the same text on every machine.
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesIn(path);
    else if (entry.isFile()) yield path;
  }
}

function readStart(file: string, limit: number): Uint8Array {
  const descriptor = openSync(file, 'r');
  try {
    const parts: Uint8Array[] = [];
    for (let left = limit; left > 0; ) {
      const part = new Uint8Array(Math.min(left, 2 ** 20));
      const length = readSync(descriptor, part);
      if (length === 0) break;
      parts.push(part.subarray(0, length));
      left -= length;
    }
    return Buffer.concat(parts);
  } finally {
    closeSync(descriptor);
  }
}

/** The test that grep and git use: text holds no NUL byte near its beginning. */
function isText(bytes: Uint8Array): boolean {
  return !bytes.subarray(0, 8192).includes(0);
}
