/** The executable, as a shell sees it: output that cannot be written, and nobody to read it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { trainLogged } from '../support/logged-training.js';

const BIN = resolve(dirname(fileURLToPath(import.meta.url)), '../../dist/cli/bin.js');
const folder = mkdtempSync(join(tmpdir(), 'pike-bin-'));
const log = join(folder, 'cut.jsonl');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(async () => {
  await trainLogged({ path: log, steps: 20 });
  writeFileSync(log, readFileSync(log, 'utf8').slice(0, -30));
});

/** With a reader that is gone before anything is written. */
async function unread(args: readonly string[], stream: 'stdout' | 'stderr', env: NodeJS.ProcessEnv = {}) {
  const child: ChildProcess = spawn(process.execPath, [BIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  child[stream]!.destroy();
  child[stream === 'stdout' ? 'stderr' : 'stdout']!.resume();
  const [code] = await once(child, 'exit');
  return code as number;
}

it('writes its files though nobody reads its notices', async () => {
  const page = join(folder, 'page.html');
  expect(await unread(['report', log, '-o', page], 'stderr')).toBe(0);
  expect(readFileSync(page, 'utf8').endsWith('</html>\n')).toBe(true);
});

it('ends with what was found, though nobody reads it', async () => {
  expect(await unread(['report', log, '-o', '-'], 'stdout')).toBe(0);
  expect(await unread(['doctor'], 'stdout', { PIKE_MIXER_ADDON: '/nowhere.node' })).toBe(1);
});

it.skipIf(!existsSync('/dev/full'))('ends with 3 when there is no room for the results', () => {
  const full = openSync('/dev/full', 'w');
  const { status, stderr } = spawnSync(process.execPath, [BIN, 'report', log, '-o', '-'], {
    stdio: ['ignore', full, 'pipe'],
    encoding: 'utf8',
  });
  closeSync(full);
  expect(status).toBe(3);
  expect(stderr).toMatch(/^error: the results cannot be written: ENOSPC.*\n$/m);
  expect(stderr).not.toMatch(/^ {4}at /m);
});
