/** The programs and commands of docs/run-log.md and docs/replay.md, run as they are written. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { replayable } from '../../lib/monitor/replay-options.js';
import { runCli } from '../cli/run-cli.js';
import { describeDocument } from '../support/documents.js';
import { trainLogged } from '../support/logged-training.js';
import { readMarkdown, root } from '../support/markdown.js';
import { run } from '../support/scripts.js';

let folder: string;
let log: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'run-log-doc-'));
  log = join(folder, 'run.jsonl');
  await trainLogged({ path: log, tasks: ['en', 'hi', 'de'] });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Of the folder, not of wherever the tests run. */
const here = (script: string) => script.replaceAll('run.jsonl', log);

describeDocument('docs/run-log.md', (examples) => {
  it('writes a log and reads it', () => {
    const [write, read] = [examples.take('js'), examples.take('js')];
    const surroundings = `
    const steps = 200;
    const train = (counts) => 2 + counts[0] / 1000;
    const heldOutLosses = () => [1, 2, 3];
    async function measure(mixer) {
      for (const [k, task] of mixer.tasks.entries())
        for (let i = 0; i < 2; i++)
          await mixer.observe(task, Float32Array.of(k + i, 1), { samples: 8, loss: 1 });
      await mixer.update();
    }`;
    const path = join(folder, 'written.jsonl');
    const written = run((surroundings + write).replaceAll('run.jsonl', path));
    expect([written.status, written.stderr]).toEqual([0, '']);
    const printed = run(read.replaceAll('run.jsonl', path));
    expect([printed.status, printed.stderr]).toEqual([0, '']);
    expect(printed.stdout.trimEnd().split('\n')).toHaveLength(20);
    expect(printed.stdout).toMatch(/^0 0\.\d+\n10 0\.\d+\n/);
  });

  it('imports the schema by its published name', () => {
    const [, statement] = readFileSync(join(root, 'docs/run-log.md'), 'utf8').match(
      /`(import schema [^`]+)`/,
    )!;
    const { status, stdout } = run(`${statement};\nconsole.log(schema.title);`);
    expect([status, stdout]).toEqual([0, 'A line of a pike-mixer run log, version 2\n']);
  });
});

describeDocument('docs/replay.md', (examples) => {
  it('its program and every command run as written', async () => {
    const program = examples.take('js');
    const { status, stdout, stderr } = run(here(program));
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout.match(/^0\.\d+ /gm)).toHaveLength(3);
    const [commands] = readMarkdown('docs/replay.md').blocks.filter(({ language }) => language === 'sh');
    for (const line of commands.text.trimEnd().split('\n')) {
      const [name, ...args] = line.replace(/#.*/, '').trim().split(/ +/);
      expect(name).toBe('pike-mixer');
      const files = args.map((arg) => (/\.(jsonl|html)$/.test(arg) ? join(folder, arg) : arg));
      const { code, err } = await runCli(...files);
      expect([code, err], line).toEqual([0, '']);
    }
    expect(readFileSync(join(folder, 'replayed.html'), 'utf8')).toMatch(/^<!doctype html/i);
  });

  it('names every option that can be changed', () => {
    const doc = readFileSync(join(root, 'docs/replay.md'), 'utf8');
    const rows = [...doc.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, names]) =>
      [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    );
    expect(rows.sort()).toEqual([...replayable].sort());
  });
});
