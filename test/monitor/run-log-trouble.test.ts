/** What becomes of a run log when its process is killed, or its file cannot be written any more. */
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MixerWarning, RunLog, readRunLog } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { trainLogged } from '../support/logged-training.js';
import { root } from '../support/scripts.js';
import { mixerOf, row, samples } from '../support/small.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-log-trouble-'));
  path = join(folder, 'run.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const script = (body: string) => {
  const file = join(folder, 'script.mjs');
  const entry = pathToFileURL(join(root, 'dist', 'index.js')).href;
  writeFileSync(file, `import { Mixer, RunLog } from ${JSON.stringify(entry)};\n${body}`);
  return file;
};

const rows = [
  [row(1), row(2)],
  [row(3), row(5)],
];

describe('a run log in trouble', () => {
  it('when the process is killed, every step it had logged is there', async () => {
    const file = script(`
      import { writeSync } from 'node:fs';
      const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 8, backend: 'reference' });
      const log = new RunLog(${JSON.stringify(path)}, mixer);
      for (;;) {
        if (mixer.due) await mixer.update();
        log.step(mixer.next(), mixer.weights, { padding: 'x'.repeat(3000) });
        writeSync(1, mixer.step + '\\n');
      }`);
    for (let attempt = 0; attempt < 3; attempt++) {
      const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'ignore'] });
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.split('\n').length > 150 * (attempt + 1)) child.kill('SIGKILL');
      });
      await new Promise((resolve) => child.on('close', resolve));
      expect(child.signalCode).toBe('SIGKILL');
      const logged = said.split('\n').slice(0, -1).map(Number);
      const run = await readRunLog(path);
      expect(run.steps.slice(0, logged.length).map(({ step }) => step)).toEqual(logged);
      expect(run.steps.length - logged.length).toBeLessThanOrEqual(1);
      // An update comes before the step that it is due at, which may have been the one that was not logged any more.
      expect(run.updates.length).toBeGreaterThanOrEqual(Math.ceil(run.steps.length / 10));
      expect(run.updates.length).toBeLessThanOrEqual(Math.floor(run.steps.length / 10) + 1);
      expect(run.end).toBeNull();
      expect(run.notices.filter(({ code }) => code !== 'CUT_OFF')).toEqual([]);
    }
  });

  it('goes on behind a line that a crash has cut off', async () => {
    await trainLogged({ path, steps: 12 });
    const text = readFileSync(path, 'utf8');
    const cut = text.indexOf('"event":"update"', 4000) + 200;
    writeFileSync(path, text.slice(0, cut));
    await trainLogged({ path, run: 'second', steps: 3, append: true });
    const run = await readRunLog(path, { run: 'second' });
    expect(run.steps).toHaveLength(3);
    const line = text.slice(0, cut).split('\n').length;
    expect(run.notices.map((notice) => [notice.code, notice.line])).toEqual([['DAMAGED_LINE', line]]);
    expect(run.notices[0].message).not.toMatch(/in the middle/);
  });

  it.skipIf(process.platform !== 'linux')('says so at once when the disk is full', async () => {
    const mixer = mixerOf();
    const error = await expectError(
      'ERR_RUN_LOG',
      /dev\/full cannot be opened and written: ENOSPC/,
      () => new RunLog('/dev/full', mixer),
    );
    expect(error.cause).toMatchObject({ code: 'ENOSPC' });
    for (const event of ['update', 'skip', 'retire', 'warning'] as const)
      expect(mixer.listenerCount(event)).toBe(0);
  });

  it.skipIf(process.platform === 'win32')(
    'does not wait for a writer where it is to be added to a pipe',
    () => {
      expect(spawnSync('mkfifo', [path]).status).toBe(0);
      const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      for (const append of [false, true]) {
        new RunLog(path, mixerOf(), { append }).end();
        const text = readSync(reader, Buffer.alloc(1 << 16));
        expect(text).toBeGreaterThan(100);
      }
      closeSync(reader);
    },
  );

  it.skipIf(process.platform === 'win32')(
    'warns once and leaves training alone when it cannot be written any more',
    async () => {
      expect(spawnSync('mkfifo', [path]).status).toBe(0);
      const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const mixer = mixerOf();
      const warnings: MixerWarning[] = [];
      mixer.on('warning', (warning) => void warnings.push(warning));
      const log = new RunLog(path, mixer);
      const other = new RunLog(join(folder, 'other.jsonl'), mixer);
      expect(log.failure).toBeNull();
      closeSync(reader);
      const report = await mixer.measure(rows, { samples });
      expect(Array.from(mixer.weights)).toEqual(Array.from(report.weights));
      expect(report.weights[0]).not.toBe(0.5);
      log.step(mixer.next(), mixer.weights);
      log.end();
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(warnings.map(({ code, step }) => [code, step])).toEqual([['WARN_LOG_STOPPED', 0]]);
      expect(warnings[0].message).toMatch(/run\.jsonl could not be written at step 0.*EPIPE/);
      expect(log.failure).toMatchObject({ code: 'ERR_RUN_LOG', cause: { code: 'EPIPE' } });
      other.end();
      const told = await readRunLog(join(folder, 'other.jsonl'));
      expect(told.warnings.map(({ code }) => code)).toEqual(['WARN_LOG_STOPPED']);
      expect(told.updates).toHaveLength(1);
      expect(mixer.listenerCount('update')).toBe(0);
    },
  );

  it.skipIf(process.platform === 'win32')(
    'leaves whole lines and a cut-off one where space runs out',
    async () => {
      const file = script(`
      const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 8, backend: 'reference' });
      const log = new RunLog(${JSON.stringify(path)}, mixer);
      for (let i = 0; i < 100; i++) {
        if (mixer.due) await mixer.update({ losses: [1, 2] });
        log.step(mixer.next(), mixer.weights);
      }
      log.end();
      console.log(mixer.step, log.failure.cause.code);`);
      const limited = `ulimit -f 4; exec ${JSON.stringify(process.execPath)} ${JSON.stringify(file)}`;
      const { status, stdout, stderr } = spawnSync('bash', ['-c', limited], { encoding: 'utf8' });
      expect([status, stdout]).toEqual([0, '100 EFBIG\n']);
      expect(stderr.match(/WARN_LOG_STOPPED/g)).toHaveLength(1);
      const run = await readRunLog(path);
      expect(run.notices.map(({ code }) => code)).toEqual(['CUT_OFF']);
      expect(run.steps.length).toBeGreaterThan(5);
      expect(run.steps.map(({ step }) => step)).toEqual(run.steps.map((_, i) => i + 1));
    },
  );
});
