/** Time of runs that several processes have worked on, each with a clock of its own. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type LoggedRun, readRunLog, replay } from '../../lib/index.js';
import { pageData } from '../../lib/report/collect.js';
import { sentenceOf, summaryOf } from '../../lib/report/summary.js';
import { trainLogged } from '../support/logged-training.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'elapsed-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

type Line = { event: string; seconds: number; step: number; mixingSeconds?: number };

/** A process's lines are `pace` of that process apart; every measurement takes a second. */
async function resumed(restart: number[], paces: number[], keep = Infinity): Promise<LoggedRun> {
  const path = join(folder, 'run.jsonl');
  await trainLogged({ path, steps: restart.at(-1)! + 9, restart });
  let process = -1;
  let i = 0;
  const lines = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((text) => {
      const line = JSON.parse(text) as Line;
      if (line.event === 'start') {
        process++;
        i = 0;
      }
      line.seconds = paces[process]! * i++;
      if (line.mixingSeconds !== undefined) line.mixingSeconds = 1;
      return JSON.stringify(line);
    });
  writeFileSync(path, lines.slice(0, keep).join('\n') + '\n');
  return readRunLog(path);
}

it('counts what stands at the step of a resume for the process that did it, once', async () => {
  const run = await resumed([20], [100, 1]);
  // 20 steps, 4 updates and an evaluation, which stands at the step at which the second process begins; then 9, 2 and the end.
  expect(run.evaluations.map(({ step }) => step)).toEqual([20]);
  expect(run.seconds).toEqual([2500, 12]);
  expect(summaryOf(run).seconds).toBe(2512);
  // The fifth update, at step 20 too, is the first thing that the second process does.
  const { step, quantities } = pageData([run], 'x').runs[0]!.cost;
  expect(step).toEqual([0, 5, 10, 15, 20, 25]);
  expect(quantities.share.value[0]!.slice(3)).toEqual([4 / 1900, 5 / 2501, 6 / 2507]);
});

it('counts no time of what is done again', async () => {
  // The third process goes on from a step before that of the second.
  const path = join(folder, 'run.jsonl');
  const { seconds } = await resumed([20], [100, 1]);
  const text = readFileSync(path, 'utf8');
  await trainLogged({ path, steps: 19, restart: [10] });
  const third = readFileSync(path, 'utf8');
  writeFileSync(path, text + third.slice(third.lastIndexOf('{"event":"start"')));
  const run = await readRunLog(path);
  expect(seconds).toEqual([2500, 12]);
  // Start, 10 steps and the updates at 0 and 5.
  expect(run.seconds.slice(0, 2)).toEqual([1200, 0]);
});

it('says nothing of the cost of a replay, in which nothing was measured', async () => {
  const run = await resumed([20], [100, 1]);
  expect(summaryOf(run).mixing).toEqual({ seconds: 6, secondsPerUpdate: 1, share: 6 / 2512 });
  expect(sentenceOf(summaryOf(run))).toMatch(
    /; measuring and updating took 1 s per update, 0\.24 % of all time since the log was opened\.$/,
  );
  const { run: replayed } = replay(run, { zeta1: 0.1 });
  expect(replayed.updates).toHaveLength(6);
  expect(summaryOf(replayed)).toMatchObject({ updates: 6, mixing: null });
  expect(sentenceOf(summaryOf(replayed))).not.toContain('took');
  const [measured, again] = pageData([run, replayed], 'x').runs;
  expect(measured!.cost.step).toHaveLength(6);
  expect(again).toMatchObject({
    mixingShare: null,
    mixingSecondsPerUpdate: null,
    cost: { step: [], rows: 0 },
  });
});
