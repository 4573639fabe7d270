/** Tasks that left a run which crashed: each is told of once, and the weights that it left behind are the last. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Mixer, type MixerState, RunLog, readRunLog, replay } from '../../lib/index.js';
import { pageData } from '../../lib/report/collect.js';
import { sentenceOf, summaryOf } from '../../lib/report/summary.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'retirements-'));
  path = join(folder, 'run.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const step = (mixer: Mixer, log: RunLog) => {
  const { weights } = mixer;
  log.step(mixer.next(), weights);
};

/** A process that updates once, takes three steps, and is gone after `last`, which may save its state. */
async function crashed(last: (mixer: Mixer, log: RunLog) => MixerState | undefined) {
  const mixer = new Mixer({ tasks: ['a', 'b', 'c'], batchSize: 12, rule: 'odm', backend: 'reference' });
  const log = new RunLog(path, mixer);
  await mixer.update({ losses: [1, 2, 4] });
  for (let i = 0; i < 3; i++) step(mixer, log);
  return { mixer, saved: last(mixer, log) };
}

function goOn(saved: MixerState, first: (mixer: Mixer) => void): Mixer {
  const mixer = Mixer.restore(JSON.parse(JSON.stringify(saved)));
  const log = new RunLog(path, mixer, { append: true });
  first(mixer);
  step(mixer, log);
  return mixer;
}

const savesThenRetires = (mixer: Mixer) => {
  const saved = mixer.state();
  mixer.retire('b');
  return saved;
};

async function retiredTasks() {
  const run = await readRunLog(path);
  const { events, eventCounts } = pageData([run], 'x').runs[0]!;
  const told = events.filter(({ kind }) => kind === 'retired');
  const times = told.reduce((sum, each) => sum + each.times, 0);
  expect([summaryOf(run).events.retired, eventCounts.retired ?? 0]).toEqual([times, times]);
  expect(run.history.filter(({ event }) => event === 'retire')).toEqual(run.retirements);
  return { run, told: told.map(({ step, text }) => `${step}: ${text}`), times };
}

it('a retirement that the saved state does not know of is done again, and told of once', async () => {
  const { saved } = await crashed(savesThenRetires);
  goOn(saved!, (mixer) => mixer.retire('b'));
  const { run, told, times } = await retiredTasks();
  expect([told, times]).toEqual([['3: b left the mixture'], 1]);
  expect(run.history.map(({ event }) => event)).toEqual(['start', 'update', 'start', 'retire']);
  // So the first process's log leads to where the second begins.
  const { deviation, notices } = replay(run);
  expect(notices).toEqual([]);
  expect(deviation).toBeLessThanOrEqual(1e-12);
});

it('one that is not done again has not taken place', async () => {
  const { saved } = await crashed(savesThenRetires);
  const mixer = goOn(saved!, () => {});
  const { run, told } = await retiredTasks();
  expect(told).toEqual([]);
  expect(summaryOf(run).finalWeights).toEqual(byTask(mixer));
  expect(run.notices.map(({ code, message }) => [code, message])).toEqual([
    [
      'RESUMED_EARLIER',
      expect.stringMatching(/from step 3: an event that was logged after that step is left out/),
    ],
  ]);
});

it('a state that says nothing of retirements is no trouble', async () => {
  const { saved } = await crashed(savesThenRetires);
  goOn(saved!, (mixer) => mixer.retire('b'));
  const whole = readFileSync(path, 'utf8');
  for (const retired of ['null', '5', '"b"', '{}']) {
    writeFileSync(path, whole.replace('"retired":[],"lossWeights"', `"retired":${retired},"lossWeights"`));
    expect(readFileSync(path, 'utf8')).not.toBe(whole);
    expect(await retiredTasks()).toMatchObject({ told: ['3: b left the mixture'], times: 1 });
  }
});

it('one that the saved state knows of stays', async () => {
  const { saved } = await crashed((mixer) => {
    mixer.retire('b');
    return mixer.state();
  });
  const mixer = goOn(saved!, () => {});
  const { run, told } = await retiredTasks();
  expect(told).toEqual(['3: b left the mixture']);
  expect(run.notices).toEqual([]);
  expect(summaryOf(run).finalWeights).toEqual(byTask(mixer));
});

it('a log of version 1, which holds no states, tells of each task once, too', async () => {
  const { saved } = await crashed(savesThenRetires);
  goOn(saved!, (mixer) => mixer.retire('b'));
  const old = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((text) => {
      const { format, version, time, state, ...line } = JSON.parse(text);
      return JSON.stringify(line);
    });
  writeFileSync(path, old.join('\n') + '\n');
  const { told, times } = await retiredTasks();
  expect([told, times]).toEqual([['3: b left the mixture'], 1]);
});

it('the weights that a task leaves behind are those of a run that crashed after it', async () => {
  const { mixer } = await crashed((mixer) => {
    mixer.retire('b');
    return undefined;
  });
  const run = await readRunLog(path);
  expect(run.end).toBeNull();
  const weights = byTask(mixer);
  expect(weights.b).toBe(0);
  expect(summaryOf(run).finalWeights).toEqual(weights);
  expect(sentenceOf(summaryOf(run))).toMatch(/brought the weights to a 0\.\d+, b 0, c 0\.\d+/);
  expect(pageData([run], 'x').runs[0]!.finalWeights).toEqual(Object.values(weights));
});

it('steps after it, and steps of a log that has lost its updates, have the last word', async () => {
  const { mixer } = await crashed((mixer, log) => {
    mixer.retire('b');
    step(mixer, log);
    return undefined;
  });
  expect(summaryOf(await readRunLog(path)).finalWeights).toEqual(byTask(mixer));
  const lines = readFileSync(path, 'utf8').split('\n');
  writeFileSync(path, lines.filter((line) => !/"event":"(update|retire)"/.test(line)).join('\n'));
  const run = await readRunLog(path);
  expect(run.history).toHaveLength(1);
  expect(summaryOf(run).finalWeights).toEqual(byTask(mixer));
});

const byTask = ({ tasks, weights }: Mixer): Record<string, number> =>
  Object.fromEntries(tasks.map((task, k) => [task, weights[k]!]));
