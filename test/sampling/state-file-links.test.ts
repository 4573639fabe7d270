/** Whose file it is that is saved: through links, and with which permissions. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { afterAll, expect, it } from 'vitest';
import { loadState, saveState } from '../../lib/index.js';

const folder = mkdtempSync(join(tmpdir(), 'pike-mixer-links-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('saves through a linked folder and without it follow each other, from the first on', async () => {
  mkdirSync(join(folder, 'real'));
  symlinkSync(join(folder, 'real'), join(folder, 'link'));
  for (let file = 0; file < 20; file++) {
    const paths = ['link', 'real'].map((name) => join(folder, name, `${file}.json`));
    // The first calls come when there is no such file; the later ones may come when there is.
    const saves: Promise<void>[] = [];
    for (let i = 0; i < 20; i++) {
      saves.push(saveState(paths[i % 2], { i, data: new Array(2000).fill(i) }));
      if (i === 3) await saves[0];
    }
    await Promise.all(saves);
    expect(await loadState(paths[1])).toMatchObject({ i: 19 });
  }
  expect(readdirSync(join(folder, 'real'))).toHaveLength(20);
});

// Windows has no such permissions.
it.skipIf(process.platform === 'win32')(
  'a save keeps the permissions of the file, whatever the umask',
  async () => {
    const path = join(folder, 'state.json');
    const modeOf = () => statSync(path).mode & 0o777;
    await saveState(path, 0);
    expect(modeOf()).toBe(0o666 & ~process.umask());
    for (const mode of [0o600, 0o664, 0o666, 0o444]) {
      chmodSync(path, mode);
      // What a process before with this number may have left beside, for all to read.
      const beside = join(folder, `.state.json.${process.pid}-${threadId}.tmp`);
      writeFileSync(beside, 'x', { mode: 0o644 });
      for (let i = 0; i < 2; i++) {
        await saveState(path, mode + i);
        expect(modeOf().toString(8)).toBe(mode.toString(8));
        expect(await loadState(path)).toBe(mode + i);
      }
    }
  },
);
