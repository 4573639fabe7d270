import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRunLog, readRunLogs } from '../../lib/index.js';
import { RunLogParser } from '../../lib/monitor/run-log-parser.js';
import { expectError } from '../support/expect.js';
import { trainLogged } from '../support/logged-training.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'read-run-log-'));
  path = join(folder, 'run.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const linesOf = (file: string) => readFileSync(file, 'utf8').trimEnd().split('\n');
const codesOf = (run: { notices: readonly { code: string }[] }) => run.notices.map(({ code }) => code);
const broken = (task: string, step: number) =>
  task === 'b' && step === 10 ? ('broken gradient' as const) : undefined;

describe('readRunLogs', () => {
  it('gives every event of a run with its type, in order', async () => {
    const { weights } = await trainLogged({ path, fate: broken, retire: { 31: 'c' } });
    const [run] = await readRunLogs(path);
    expect(run).toMatchObject({
      name: 'run',
      label: 'run',
      source: path,
      tasks: ['a', 'b', 'c'],
      notices: [],
    });
    expect(run.start).toMatchObject({ version: 2, format: 'pike-mixer run log', about: { seed: 1 } });
    expect(run.starts).toEqual([run.start]);
    expect(run.steps.map(({ step }) => step)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    expect(run.updates.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => 5 * i));
    expect(run.updates.map((update) => Object.values(update.weights))).toEqual(weights);
    expect(run.updates[2].statistics.normSquared[1]).toBeNull();
    expect(run.updates[2].statistics.variance[0]).toBeGreaterThan(0);
    expect(run.evaluations.map(({ step }) => step)).toEqual([20, 40, 60]);
    expect(run.skips).toMatchObject([{ task: 'b', step: 10, reason: 'non-finite gradient' }]);
    expect(run.retirements).toMatchObject([{ task: 'c', step: 31, weights: { c: 0 } }]);
    expect(run.end).toMatchObject({ note: 'done', step: 60 });
    const { history } = run;
    expect(history).toHaveLength(1 + 12 + 1 + 1 + 1);
    expect(history.map(({ step }) => step)).toEqual(
      [...history.map(({ step }) => step)].sort((a, b) => a - b),
    );
    expect((await readRunLogs(path, { steps: false }))[0]).toEqual({ ...run, steps: [] });
  });

  it('a line cut off at the end costs no more than itself, wherever the cut is', async () => {
    await trainLogged({ path, steps: 11, fate: broken });
    const whole = readFileSync(path, 'utf8');
    const lines = whole.trimEnd().split('\n');
    const [start] = lines;
    const events = (text: string) => {
      const parser = new RunLogParser('x');
      parser.push(text);
      const [run] = parser.end();
      const { steps, updates, skips, evaluations, end, starts } = run;
      const count = steps.length + updates.length + skips.length + evaluations.length + starts.length;
      return { count: count + (end ? 1 : 0), codes: codesOf(run) };
    };
    for (let length = start.length + 1; length <= whole.length; length++) {
      const text = whole.slice(0, length);
      const complete = text.split('\n').filter((line, i) => line === lines[i]).length;
      const isCut = !text.endsWith('\n') && text.split('\n').at(-1) !== lines[complete - 1];
      expect(events(text), `${length}`).toEqual({ count: complete, codes: isCut ? ['CUT_OFF'] : [] });
    }
  });

  it('finds a line behind a step that was cut off, also where steps are left out', async () => {
    await trainLogged({ path, steps: 7 });
    const lines = linesOf(path);
    const at = lines.map((line) => line.startsWith('{"event":"update"')).lastIndexOf(true);
    lines.splice(at - 1, 2, lines[at - 1].slice(0, 60) + lines[at]);
    writeFileSync(path, lines.join('\n') + '\n');
    for (const steps of [true, false]) {
      const run = await readRunLog(path, { steps });
      expect(run.updates.map(({ step }) => step)).toEqual([0, 5]);
      expect(codesOf(run)).toEqual(['DAMAGED_LINE']);
    }
  });

  it('leaves out a start line with a state that is none', async () => {
    await trainLogged({ path, steps: 7 });
    const [start] = linesOf(path).map((line) => JSON.parse(line));
    for (const state of [{}, { pending: 5 }, 'none', []])
      appendFileSync(path, JSON.stringify({ ...start, step: 7, state }) + '\n');
    const run = await readRunLog(path);
    expect(run.starts).toHaveLength(1);
    expect(codesOf(run)).toEqual(new Array(4).fill('DAMAGED_LINE'));
  });

  it('a cut-off last line has its number and can be read once it is whole', async () => {
    await trainLogged({ path, steps: 5 });
    const lines = linesOf(path);
    writeFileSync(path, lines.slice(0, 4).join('\n') + '\n' + lines[4].slice(0, 40));
    const [growing] = await readRunLogs(path);
    expect(growing.steps).toHaveLength(2);
    expect(growing.end).toBeNull();
    expect(growing.notices).toMatchObject([{ code: 'CUT_OFF', line: 5, source: path }]);
    expect(growing.notices[0].message).toMatch(/^line 5 is the last and is cut off/);
    appendFileSync(path, lines[4].slice(40) + '\n');
    const [whole] = await readRunLogs(path);
    expect(whole.steps).toHaveLength(3);
    expect(whole.notices).toEqual([]);
  });

  it('damaged lines in the middle are named by their numbers, and all others count', async () => {
    await trainLogged({ path, steps: 11 });
    const lines = linesOf(path);
    const at = (event: string) => lines.findIndex((line) => line.startsWith(`{"event":"${event}"`));
    const change = (event: string, edit: (line: Record<string, unknown>) => void) => {
      const line = JSON.parse(lines[at(event)]);
      edit(line);
      lines[at(event)] = JSON.stringify(line);
      return at(event) + 1;
    };
    const step = change('step', (line) => {
      line.counts = { a: 1 };
    });
    const update = change('update', (line) => {
      (line.statistics as { normSquared: unknown[] }).normSquared.pop();
    });
    lines.splice(at('end'), 0, 'not JSON', '7', '{"event":"step"}', '', '\0\0\0');
    const end = at('end') + 1;
    writeFileSync(path, lines.join('\r\n') + '\r\n');
    const [run] = await readRunLogs(path);
    expect(run.steps).toHaveLength(10);
    expect(run.updates).toHaveLength(2);
    expect(run.end).not.toBeNull();
    expect(run.notices.map(({ code, line }) => `${code} ${line}`)).toEqual(
      [update, step, end - 5, end - 4, end - 3, end - 1].map((line) => `DAMAGED_LINE ${line}`),
    );
    expect(run.notices[0].message).toMatch(/'update', but its statistics is/);
    expect(run.notices[1].message).toMatch(/'step', but its counts is/);
  });

  it('a process that crashed in the middle of a line and one that went on right behind it', async () => {
    await trainLogged({ path, steps: 10 });
    const lines = linesOf(path);
    writeFileSync(path, lines.slice(0, 6).join('\n') + '\n' + lines[6].slice(0, 50));
    // Another writer than RunLog, which would end the line first.
    appendFileSync(path, lines.slice(6).join('\n') + '\n');
    const [run] = await readRunLogs(path);
    expect(run.steps).toHaveLength(10);
    expect(run.notices).toMatchObject([{ code: 'DAMAGED_LINE', line: 7 }]);
    expect(run.notices[0].message).toMatch(/but for the line that begins in the middle/);
  });

  it('several runs in a file, one after the other and interleaved', async () => {
    const other = join(folder, 'other.jsonl');
    const first = await trainLogged({ path, run: 'first', steps: 20 });
    const second = await trainLogged({ path: other, run: 'second', steps: 20, seed: 2 });
    const [a, b] = [linesOf(path), linesOf(other)];
    writeFileSync(path, a.map((line, i) => line + '\n' + b[i] + '\n').join(''));
    const runs = await readRunLogs(path);
    expect(runs.map(({ label }) => label)).toEqual(['first', 'second']);
    for (const [i, { weights }] of [first, second].entries()) {
      expect(runs[i].updates.map((update) => Object.values(update.weights))).toEqual(weights);
      expect(runs[i].steps).toHaveLength(20);
    }
    expect(await readRunLog(path, { run: 'second' })).toEqual(runs[1]);
    await expectError('ERR_INVALID_OPTION', /2 runs; name one of "first", "second"/, () => readRunLog(path));
    await expectError('ERR_INVALID_OPTION', /no run "third"/, () => readRunLog(path, { run: 'third' }));
    const twice = await readRunLogs([path, other, other]);
    expect(twice.map(({ label }) => label)).toEqual([
      'first',
      `second (${path})`,
      `second (${other})`,
      `second (${other}) again`,
    ]);
  });

  it('a run that was resumed is one run; what the crashed process did after the saved state is left out', async () => {
    const whole = await trainLogged({ path: join(folder, 'whole.jsonl'), steps: 40 });
    await trainLogged({ path, steps: 40, restart: [20, 33] });
    const [resumed] = await readRunLogs(path);
    expect(resumed.starts.map(({ step }) => step)).toEqual([0, 20, 33]);
    expect(resumed.starts.map(({ state }) => state?.step)).toEqual([undefined, 20, 33]);
    expect(resumed.updates.map((update) => Object.values(update.weights))).toEqual(whole.weights);
    expect(resumed.notices).toEqual([]);

    // The crashed process had come to step 37 when its last state, of step 20, was taken up again.
    const lines = linesOf(path);
    const isStart = (line: string) => line.startsWith('{"event":"start"');
    const again = lines.findIndex((line, i) => i > 0 && isStart(line));
    const early = linesOf(join(folder, 'whole.jsonl')).filter((line) => JSON.parse(line).step <= 37);
    writeFileSync(path, [...early, ...lines.slice(again)].join('\n') + '\n');
    const [crashed] = await readRunLogs(path);
    expect(crashed.steps).toEqual(resumed.steps.map((step) => ({ ...step, seconds: expect.anything() })));
    expect(crashed.updates.map(({ step }) => step)).toEqual([0, 5, 10, 15, 20, 25, 30, 35]);
    expect(codesOf(crashed)).toEqual(['RESUMED_EARLIER']);
    // Steps 21 to 37, and the updates at 20 (due in the state), 25, 30 and 35.
    expect(crashed.notices[0].message).toMatch(/from step 20: 21 events/);
  });

  it('a second run under the same name that begins anew is a run of its own', async () => {
    await trainLogged({ path, steps: 7 });
    await trainLogged({ path, steps: 9, append: true });
    const runs = await readRunLogs(path);
    expect(runs.map(({ label, steps }) => [label, steps.length])).toEqual([
      ['run', 7],
      ['run #2', 9],
    ]);
    expect(codesOf(runs[0])).toEqual(['SAME_NAME']);
    expect(await readRunLog(path, { run: 'run #2' })).toEqual(runs[1]);
    // The first has that very label.
    expect(await readRunLog(path, { run: 'run' })).toEqual(runs[0]);
  });

  it('what a later release may add is kept, and told once of each kind', async () => {
    await trainLogged({ path, steps: 12 });
    const lines = linesOf(path).map((line) => {
      const value = JSON.parse(line);
      return JSON.stringify(value.event === 'update' ? { ...value, temperature: 3 } : value);
    });
    const novel = JSON.stringify({ event: 'checkpoint', run: 'run', step: 3, seconds: 1, file: 'x' });
    const inherited = JSON.stringify({ event: 'toString', run: 'run', step: 4, seconds: 1 });
    writeFileSync(path, [lines[0], novel, novel, inherited, ...lines.slice(1)].join('\n') + '\n');
    const [run] = await readRunLogs(path);
    expect(run.others).toMatchObject([
      { event: 'checkpoint', file: 'x' },
      { step: 3 },
      { event: 'toString' },
    ]);
    expect(run.updates.map((update) => (update as unknown as { temperature: number }).temperature)).toEqual([
      3, 3, 3,
    ]);
    expect(run.notices.map(({ code, line }) => [code, line])).toEqual([
      ['UNKNOWN_EVENT', 2],
      ['UNKNOWN_EVENT', 4],
      ['UNKNOWN_FIELD', 5],
    ]);
  });

  it('reads logs of version 1, which name no version', async () => {
    await trainLogged({ path, steps: 12, retire: { 3: 'b' } });
    const added = ['format', 'version', 'time', 'learningRate'];
    const old = linesOf(path).map((line) => {
      const value = JSON.parse(line);
      for (const field of added) delete value[field];
      if (value.event === 'retire') delete value.weights;
      return JSON.stringify(value);
    });
    writeFileSync(path, '﻿' + old.join('\n') + '\n');
    const [run] = await readRunLogs(path);
    expect([run.updates.length, run.steps.length, run.retirements.length]).toEqual([3, 12, 1]);
    expect(run.notices).toEqual([]);
  });

  it('refuses what is no run log, what holds no start line, and what a later release wrote', async () => {
    await expectError('ERR_RUN_LOG', /missing\.jsonl cannot be read: .*no such file/i, () =>
      readRunLogs(join(folder, 'missing.jsonl')),
    );
    await expectError('ERR_RUN_LOG', /cannot be read/, () => readRunLogs(folder));
    const refused = async (text: string | Buffer, message: RegExp) => {
      writeFileSync(path, text);
      await expectError('ERR_RUN_LOG', message, () => readRunLogs(path));
    };
    await refused('', /no sound start line \(it is empty\)/);
    await refused('\n\n', /none of its 2 lines begins a run/);
    await refused(Buffer.alloc(5000, 0x80), /line 1 is the last and is cut off/);
    await refused('{"event":"start"}\n', /line 1 is no line of a run log/);
    rmSync(path);
    await trainLogged({ path, steps: 3 });
    const lines = linesOf(path);
    await refused(lines.slice(1).join('\n'), /line 1 belongs to run "run", which has no start line/);
    await refused(lines[0].slice(0, 300), /line 1 is the last and is cut off/);
    const start = JSON.parse(lines[0]);
    await refused(
      JSON.stringify({ ...start, version: 3 }) + '\n',
      /version 3, but this release reads versions 1 to 2/,
    );
    await refused(JSON.stringify({ ...start, version: 'x' }) + '\n', /version "x"/);
    await refused(JSON.stringify({ ...start, tasks: ['a'] }) + '\n', /'start', but its tasks is/);
  });

  it('lines of a run whose start line is lost are left out, with a notice', async () => {
    await trainLogged({ path, run: 'one', steps: 4 });
    const lines = linesOf(path);
    const foreign = lines.slice(1).map((line) => line.replace('"run":"one"', '"run":"two"'));
    writeFileSync(path, [...foreign, ...lines].join('\n') + '\n');
    const runs = await readRunLogs(path);
    expect(runs.map(({ name }) => name)).toEqual(['one']);
    expect(runs[0].notices).toMatchObject([{ code: 'NO_START', line: 1 }]);
    expect(runs[0].steps).toHaveLength(4);
  });

  it('text may come in pieces of any size, also within a character', async () => {
    await trainLogged({ path, run: 'läuft 🏃', tasks: ['日本語', '__proto__', '0'], steps: 12 });
    const [expected] = await readRunLogs(path);
    expect(expected.label).toBe('läuft 🏃');
    expect(Object.entries(expected.steps[0].counts).map(([task]) => task)).toContain('__proto__');
    const bytes = readFileSync(path);
    for (const size of [1, 7, 4096]) {
      const parser = new RunLogParser(path);
      const decoder = new TextDecoder();
      for (let i = 0; i < bytes.length; i += size)
        parser.push(decoder.decode(bytes.subarray(i, i + size), { stream: true }));
      expect(parser.end()[0]).toEqual(expected);
    }
  });
});
