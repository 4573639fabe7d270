/** What a crash of the machine can take: the order in which a save reaches the disk. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type * as promises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { loadState, saveState } from '../../lib/sampling/state-file.js';

const calls = vi.hoisted(() => [] as string[]);
const fail = vi.hoisted(() => ({ at: '' }));
const folder = mkdtempSync(join(tmpdir(), 'pike-mixer-order-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'state.json');

vi.mock('node:fs/promises', async (original) => {
  const fs = await original<typeof promises>();
  const note = (call: string) => {
    calls.push(call);
    if (call === fail.at) throw new Error('no space left on device');
  };
  return {
    ...fs,
    open: async (...given: Parameters<typeof fs.open>) => {
      const file = await fs.open(...given);
      const name = String(given[0]).endsWith('.tmp') ? 'new file' : 'folder';
      return {
        writeFile: async (text: string) => {
          note(`write ${name}`);
          await file.writeFile(text);
        },
        sync: async () => {
          note(`sync ${name}`);
          await file.sync();
        },
        close: () => file.close(),
      };
    },
    rename: async (from: string, to: string) => {
      note(`rename to ${basename(to)}`);
      await fs.rename(from, to);
    },
  };
});

const inOrder = ['write new file', 'sync new file', 'rename to state.json', 'sync folder'];

it('the new file is on the disk before it takes the place of the old one, and its name after', async () => {
  await saveState(path, 1);
  expect(calls).toEqual(inOrder);
});

it('a failure on the way leaves the old state, and no file beside it', async () => {
  for (const [i, at] of inOrder.slice(0, 3).entries()) {
    calls.length = 0;
    fail.at = at;
    await expect(saveState(path, 2)).rejects.toThrow(/cannot be saved in .*: no space left on device/);
    expect(calls).toEqual(inOrder.slice(0, i + 1));
    expect(await loadState(path)).toBe(1);
  }
  fail.at = '';
  await saveState(path, 3);
  expect(JSON.parse(readFileSync(path, 'utf8')).state).toBe(3);
});
