/** Descriptors of run logs: one that cannot be begun leaves none open. */
import type * as fs from 'node:fs';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RunLog } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { mixerOf } from '../support/small.js';

/** A file system that counts its descriptors, and takes as many bytes as it has room for. */
const disk = vi.hoisted(() => ({ room: Infinity, open: new Set<number>(), closing: '' }));
vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>();
  const failed = (code: string) => Object.assign(new Error(`${code}: no`), { code });
  return {
    ...real,
    openSync(...args: Parameters<typeof fs.openSync>) {
      const descriptor = real.openSync(...args);
      disk.open.add(descriptor);
      return descriptor;
    },
    closeSync(descriptor: number) {
      real.closeSync(descriptor);
      disk.open.delete(descriptor);
      if (disk.closing) throw failed(disk.closing);
    },
    writeSync(descriptor: number, bytes: Buffer, offset: number) {
      const length = Math.min(bytes.length - offset, disk.room);
      if (length === 0) throw failed('ENOSPC');
      disk.room -= length;
      return real.writeSync(descriptor, bytes, offset, length);
    },
  };
});

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-file-'));
  path = join(folder, 'run.jsonl');
  disk.open.clear();
});
afterEach(() => {
  Object.assign(disk, { room: Infinity, closing: '' });
  rmSync(folder, { recursive: true });
});

const refused = (append: boolean) =>
  expectError(
    'ERR_RUN_LOG',
    /cannot be opened and written: ENOSPC/,
    () => new RunLog(path, mixerOf(), { append }),
  );

it('a log whose start line cannot be written is closed', async () => {
  for (const room of [0, 1, 100])
    for (const append of [false, true]) {
      disk.room = room;
      await refused(append);
      expect(disk.open.size, `${room} bytes`).toBe(0);
      rmSync(path);
    }
});

it('a log is closed whose last line, cut off, cannot be ended', async () => {
  writeFileSync(path, '{"event":"st');
  disk.room = 0;
  await refused(true);
  expect(disk.open.size).toBe(0);
  expect(readFileSync(path, 'utf8')).toBe('{"event":"st');
});

it('what is told is why it could not be written, not that it could not be closed then', async () => {
  Object.assign(disk, { room: 5, closing: 'EIO' });
  await refused(false);
  expect(disk.open.size).toBe(0);
});

it('a log that is begun has one descriptor, up to its end', () => {
  const log = new RunLog(path, mixerOf());
  expect(disk.open.size).toBe(1);
  log.end();
  expect(disk.open.size).toBe(0);
});
