/** `pike-mixer report`: what it writes, prints and refuses. */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readRunLogs, reportHtml } from '../../lib/index.js';
import { trainLogged } from '../support/logged-training.js';
import { runCli } from './run-cli.js';

let folder: string;
const path = (name: string) => join(folder, name);
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'report-command-'));
  await trainLogged({ path: path('a.jsonl'), run: 'first', steps: 20 });
});
afterEach(() => rmSync(folder, { recursive: true }));

it('writes the page of several logs, and says what is in it', async () => {
  await trainLogged({ path: path('b.jsonl'), run: 'first', steps: 20, seed: 2 });
  const logs = [path('a.jsonl'), path('b.jsonl')];
  const { code, out, err } = await runCli('report', ...logs, '-o', path('page.html'), '--title', 'Two');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(readFileSync(path('page.html'), 'utf8')).toBe(reportHtml(await readRunLogs(logs), { title: 'Two' }));
  expect(out).toMatch(
    /^first \(.*a\.jsonl\): 20 steps of 30 samples from 3 tasks in .*\nfirst \(.*b\.jsonl\): /,
  );
  expect(out).toMatch(/4 updates by pike brought the weights to a 0\.\d+, b /);
  expect(out).toMatch(/page\.html: 0\.\d MB\n$/);
  expect(readdirSync(folder).sort()).toEqual(['a.jsonl', 'b.jsonl', 'page.html']);
});

it('sums every run of a log up once, also where a name comes again', async () => {
  await trainLogged({ path: path('a.jsonl'), run: 'second', steps: 12, append: true });
  await trainLogged({ path: path('a.jsonl'), run: 'first', steps: 15, append: true });
  const { code, out } = await runCli('report', path('a.jsonl'), '-o', path('page.html'));
  expect(code).toBe(0);
  expect(
    out
      .replace(/ steps of .*/g, '')
      .split('\n')
      .slice(0, -2),
  ).toEqual(['first: 20', 'second: 12', 'first #2: 15']);
});

it('prints the page, or a summary for programs', async () => {
  const page = await runCli('report', path('a.jsonl'), '-o', '-');
  expect(page.code).toBe(0);
  expect(page.out.startsWith('<!DOCTYPE html>')).toBe(true);
  expect(page.out.endsWith('</html>\n')).toBe(true);

  const { code, out } = await runCli('report', path('a.jsonl'), '-o', path('page.html'), '--json');
  expect(code).toBe(0);
  const { runs, output, notices } = JSON.parse(out);
  expect({ output, notices }).toEqual({ output: path('page.html'), notices: [] });
  const [run] = await readRunLogs(path('a.jsonl'));
  expect(runs).toHaveLength(1);
  expect(runs[0]).toMatchObject({
    run: 'first',
    rule: 'pike',
    steps: 20,
    updates: run.updates.length,
    ended: true,
    finalWeights: run.end!.weights,
    finalLosses: run.evaluations.at(-1)!.losses,
  });
  const seconds = run.updates.reduce((sum, { mixingSeconds }) => sum + mixingSeconds, 0);
  expect(runs[0].mixing.seconds).toBeCloseTo(seconds, 12);
  expect(runs[0].mixing.share).toBeCloseTo(seconds / run.end!.seconds, 12);
  expect((await runCli('report', path('a.jsonl'), '-o', '-', '--json')).code).toBe(2);
});

it('tells of a log that is cut off, and draws it all the same', async () => {
  const whole = readFileSync(path('a.jsonl'), 'utf8');
  writeFileSync(path('cut.jsonl'), whole.slice(0, whole.length * 0.6));
  const { code, err } = await runCli('report', path('cut.jsonl'), '-o', path('page.html'));
  expect(code).toBe(0);
  expect(err).toMatch(/^notice: .*cut\.jsonl.*cut off/);
  expect(existsSync(path('page.html'))).toBe(true);
});

it('never replaces a log, nor a file that is no page', async () => {
  const log = readFileSync(path('a.jsonl'), 'utf8');
  symlinkSync(path('a.jsonl'), path('link.html'));
  for (const output of [path('a.jsonl'), path('link.html')])
    expect(await runCli('report', path('a.jsonl'), '-o', output, '--force')).toMatchObject({ code: 2 });
  expect(readFileSync(path('a.jsonl'), 'utf8')).toBe(log);

  writeFileSync(path('notes.txt'), 'mine');
  const refused = await runCli('report', path('a.jsonl'), '-o', path('notes.txt'));
  expect(refused.code).toBe(2);
  expect(refused.err).toMatch(/is no HTML page.*--force/);
  expect(readFileSync(path('notes.txt'), 'utf8')).toBe('mine');
  expect((await runCli('report', path('a.jsonl'), '-o', path('notes.txt'), '--force')).code).toBe(0);
  // A page may be drawn again.
  expect((await runCli('report', path('a.jsonl'), '-o', path('notes.txt'))).code).toBe(0);
});

it('says which file it cannot use', async () => {
  expect(await runCli('report', path('none.jsonl'))).toMatchObject({
    code: 3,
    err: expect.stringMatching(/none\.jsonl cannot be read.*ERR_RUN_LOG/),
  });
  writeFileSync(path('empty.jsonl'), '');
  expect((await runCli('report', path('empty.jsonl'), '-o', path('page.html'))).code).toBe(3);
  const nowhere = path('none/page.html');
  const refused = { code: 3, err: `error: cannot write ${nowhere}: there is no folder ${path('none')}\n` };
  expect(await runCli('report', path('a.jsonl'), '-o', nowhere)).toMatchObject(refused);
  // The name of the file beside it, which would be too long, is nobody's concern.
  const long = path('x'.repeat(250));
  const tooLong = { code: 3, err: `error: cannot write ${long}: ENAMETOOLONG: name too long\n` };
  expect(await runCli('report', path('a.jsonl'), '-o', long)).toMatchObject(tooLong);
  expect(await runCli('report', path('a.jsonl'), '-o', folder)).toMatchObject({ code: 3 });
  expect((await runCli('report')).code).toBe(2);
  expect(existsSync(path('page.html'))).toBe(false);
});
