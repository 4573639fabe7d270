/** The page as text, and what it is made of: escaping, thinning, size, damaged logs, colours. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type LoggedRun,
  readRunLogs,
  reportHtml,
  type StepEvent,
  type UpdateEvent,
} from '../../lib/index.js';
import { pageData } from '../../lib/report/collect.js';
import { csvText } from '../../lib/report/page/csv.js';
import { logTicks, pushApart } from '../../lib/report/page/panel-layout.js';
import { tableOf } from '../../lib/report/table.js';
import { expectError } from '../support/expect.js';
import { trainLogged } from '../support/logged-training.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'report-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const path = (name: string) => join(folder, name);
const dataOf = (html: string) =>
  JSON.parse(html.match(/<script type="application\/json" id="data">(.*?)<\/script>/s)![1]!);

describe('reportHtml', () => {
  it('sums a run up a fixed number of times, however many tasks there are to rank', async () => {
    const readings = async (K: number) => {
      const tasks = Array.from({ length: K }, (_, k) => `task ${k}`);
      await trainLogged({ path: path('a.jsonl'), tasks, steps: 6, options: { batchSize: 2 * K } });
      await trainLogged({ path: path('a.jsonl'), run: 'b', tasks, steps: 6, append: true });
      let count = 0;
      const runs = (await readRunLogs(path('a.jsonl'))).map((run) => ({
        ...run,
        // Every summary goes through all of it, for the time.
        get history() {
          count++;
          return run.history;
        },
      }));
      expect(pageData(runs, 'x').ranking).toHaveLength(K);
      return count;
    };
    expect(await readings(20)).toBe(await readings(9));
  });

  it('holds everything: no address outside of it, and a policy that forbids any', async () => {
    await trainLogged({ path: path('a.jsonl'), steps: 20 });
    const html = reportHtml(await readRunLogs(path('a.jsonl')), { title: 'A & B' });
    expect(html).toContain('<title>A &amp; B</title>');
    expect(html).toMatch(/content="default-src 'none'; script-src 'sha256-[^']+'; style-src/);
    expect(html).not.toMatch(/<(link|iframe|img)\b/);
    expect(html.match(/<script/g)!.length).toBe(2);
    // The licences of what is bundled go where the bundle goes.
    expect(html).toContain('@observablehq/plot');
    expect(html).toContain('Permission to use, copy, modify, and/or distribute');
  });

  it('keeps hostile names from being anything but text', async () => {
    const hostile = '</script><img src=x onerror=alert(1)><!--';
    await trainLogged({ path: path('a.jsonl'), run: hostile, tasks: [hostile, 'b\u2028'], steps: 20 });
    const html = reportHtml(await readRunLogs(path('a.jsonl')), { title: hostile });
    expect(html).not.toContain('<img');
    expect(html.match(/<\/script>/g)!.length).toBe(2);
    expect(html).not.toContain('\u2028');
    expect(dataOf(html).tasks).toEqual([hostile, 'b\u2028']);
  });

  it('tells of a log cut off in a line, of damage, and of a run without an end', async () => {
    await trainLogged({ path: path('a.jsonl'), steps: 30 });
    const whole = readFileSync(path('a.jsonl'), 'utf8');
    writeFileSync(
      path('cut.jsonl'),
      whole.slice(0, whole.length * 0.7).replace('"event":"step"', '"event:"step"'),
    );
    const { notices } = dataOf(reportHtml(await readRunLogs(path('cut.jsonl'))));
    expect(notices).toEqual([
      expect.stringMatching(/^Line 3 is damaged/),
      expect.stringMatching(/cut off/),
      expect.stringMatching(/no end line: it is still going on, or it crashed/),
    ]);
    expect(dataOf(reportHtml(await readRunLogs(path('a.jsonl')))).notices).toEqual([]);
  });

  it('refuses what is no list of runs', async () => {
    await expectError('ERR_INVALID_OPTION', /at least one run/, () => reportHtml([]));
    await expectError('ERR_INVALID_OPTION', /title/, () =>
      reportHtml([{} as LoggedRun], { title: 3 as never }),
    );
  });

  it('gives runs of the same name in different files different names', async () => {
    for (const name of ['a.jsonl', 'b.jsonl']) await trainLogged({ path: path(name), steps: 10 });
    const runs = await readRunLogs([path('a.jsonl'), path('b.jsonl')]);
    const names = pageData(runs, '').runs.map(({ name }) => name);
    expect(new Set(names).size).toBe(2);
  });
});

describe('thinning', () => {
  const runOf = (K: number, steps: number, every: number): LoggedRun => {
    const tasks = Array.from({ length: K }, (_, k) => `task ${k}`);
    const byTask = (of: (k: number) => number) => Object.fromEntries(tasks.map((task, k) => [task, of(k)]));
    const weights = byTask((k) => (2 * (k + 1)) / (K * (K + 1)));
    const perTask = tasks.map((_, k) => Math.PI * (k + 1));
    const statistics = {
      tasks: K,
      microBatches: tasks.map(() => 4),
      samples: tasks.map(() => 64),
      normSquared: perTask,
      variance: perTask,
      inner: null,
      standardError: { normSquared: perTask, variance: perTask },
    };
    const head = (event: string, step: number) => ({ event, run: 'long', step, seconds: step / 7 });
    const counts = byTask((k) => k);
    const stepOf = (i: number) =>
      ({ ...head('step', i + 1), counts, weights, loss: Math.sin(i) }) as StepEvent;
    const conflict = { cosine: Array.from({ length: K * K }, (_, i) => Math.sin(i)), beta: 1 };
    const updateOf = (i: number) =>
      ({
        ...head('update', i * every),
        weights,
        losses: weights,
        mixingSeconds: 0.001 * Math.E,
        statistics,
        smoothed: statistics,
        conflict,
        missed: [],
        clipped: [],
        floored: tasks,
        held: [],
        passedOver: 0,
        limited: true,
      }) as unknown as UpdateEvent;
    const start = {
      ...head('start', 0),
      tasks,
      weights,
      options: { tasks, batchSize: 1024, rule: 'pike' },
      backend: { name: 'reference', reason: 'test' },
      versions: { pikeMixer: '0', node: '0' },
      about: {},
    };
    return {
      name: 'long',
      label: 'long',
      source: 'long.jsonl',
      tasks,
      start,
      starts: [start],
      seconds: [steps / 7],
      steps: Array.from({ length: steps }, (_, i) => stepOf(i)),
      updates: Array.from({ length: Math.floor(steps / every) }, (_, i) => updateOf(i)),
      evaluations: [],
      skips: [],
      retirements: [],
      warnings: [],
      end: null,
      others: [],
      history: [],
      notices: [],
    } as unknown as LoggedRun;
  };

  it('keeps the page below 8 MB: a million steps, 128 tasks, several runs', { timeout: 180_000 }, () => {
    const million = runOf(3, 1_000_000, 10);
    expect(Buffer.byteLength(reportHtml([million]))).toBeLessThan(8e6);
    const wide = runOf(128, 2000, 10);
    expect(Buffer.byteLength(reportHtml([wide, wide, wide, wide]))).toBeLessThan(8e6);
    // As many rows as fit, but none thinned.
    const [full] = pageData([runOf(3, 6000, 10)], '').runs;
    expect(full!.weights.per).toBe(1);
    expect(Buffer.byteLength(reportHtml([runOf(3, 6000, 10)]))).toBeLessThan(8e6);
  });

  it('loses no peak, and says how many rows became one', () => {
    const log = Array.from({ length: 1000 }, (_, i) => ({
      step: i + 1,
      x: i === 777 ? 99 : i === 778 ? null : i % 10,
    }));
    const table = tableOf(log, 1000, { x: { series: 1, at: (row) => row.x } }, 300);
    expect(table.per).toBe(10);
    expect(table.rows).toBe(1000);
    expect(table.step).toEqual(Array.from({ length: 100 }, (_, i) => 10 * (i + 1)));
    const { value, min, max } = table.quantities.x;
    expect(max![0]![77]).toBe(99);
    expect(min![0]![77]).toBe(0);
    expect(value[0]![76]).toBe(4.5);
    // (0 + 1 + … + 6 + 99 + 9) / 9, the null left out
    expect(value[0]![77]).toBeCloseTo(129 / 9, 4);
  });

  it('leaves a log that fits as it is, nulls too', () => {
    const log = [0.1, null, 1 / 3].map((x, i) => ({ step: i, x }));
    const table = tableOf(log, 3, { x: { series: 1, at: (row) => row.x } }, 300);
    expect(table.per).toBe(1);
    expect(table.quantities.x).toEqual({ value: [[0.1, null, 1 / 3]], min: null, max: null });
  });
});

describe('the page’s parts', () => {
  it('quotes CSV, and keeps spreadsheets from running a name', () => {
    const rows = [
      ['a,"b"\n', 0.1 + 0.2, null],
      ['=cmd()', -1, 'x'],
    ];
    expect(csvText({ name: 't', columns: ['n', 'x', 'y'], rows })).toBe(
      `n,x,y\r\n"a,""b""\n",0.30000000000000004,\r\n'=cmd(),-1,x\r\n`,
    );
  });

  it('keeps labels apart, and in the panel', () => {
    const labels = [10, 11, 12, 100, 199, 200].map((at) => ({ at }));
    pushApart(labels, 12, 0, 200);
    for (const [i, { at }] of labels.entries()) {
      expect(at).toBeGreaterThanOrEqual(0);
      expect(at).toBeLessThanOrEqual(200);
      if (i > 0) expect(at - labels[i - 1]!.at).toBeGreaterThanOrEqual(12);
    }
  });

  it('puts a few round ticks on a logarithmic axis', () => {
    expect(logTicks([0.9, 1100], 4)).toEqual([1, 10, 100, 1000]);
    expect(logTicks([9, 400], 4)).toEqual([10, 30, 100, 300]);
    for (const [low, high] of [
      [1e-9, 1e9],
      [2, 3],
      [0.5, 40],
      [3e4, 3e5],
    ])
      expect(logTicks([low!, high!], 4).length).toBeGreaterThanOrEqual(2);
  });
});
