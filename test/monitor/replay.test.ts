import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  doremi,
  famo,
  initialState,
  type MixerOptions,
  multiplyWeights,
  odm,
  proportional,
  type ReplayChanges,
  readRunLog,
  replay,
  temperature,
  type WeightRule,
} from '../../lib/index.js';
import * as update from '../../lib/mixer/update.js';
import { expectError } from '../support/expect.js';
import { type LoggedTraining, optionsOf, ruleNames, trainLogged } from '../support/logged-training.js';

let folder: string;
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'replay-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  vi.restoreAllMocks();
});

const newPath = () => join(folder, `${count++}.jsonl`);
async function logged(training: Omit<LoggedTraining, 'path'>) {
  const path = newPath();
  await trainLogged({ path, ...training });
  return readRunLog(path);
}

const trouble = (task: string, step: number) => {
  if (step === 10) return task === 'a' ? 'none' : task === 'b' ? 'broken loss' : undefined;
  if (step === 15) return task === 'b' ? 'one row' : undefined;
  if (step === 25) return task === 'c' ? 'broken gradient' : undefined;
  return step === 35 ? 'none' : undefined;
};

describe('replay as logged gives the logged weights', () => {
  const mixtures: [string, Partial<MixerOptions>][] = [
    ...ruleNames.map((name): [string, Partial<MixerOptions>] => [name, optionsOf(name)]),
    ['odm of its own', { rule: odm({ smoothing: 0.5, reward: 'sum' }) }],
    ['famo of its own', { rule: famo({ optimizer: 'gradient', minLosses: [0.1, 0.2, 0.3] }) }],
    ['doremi', { rule: doremi({ referenceLosses: [1, 2, 3] }) }],
    ['proportional', { rule: proportional({ sizes: [1, 2, 5] }) }],
    ['temperature', { rule: temperature({ sizes: [1, 2, 3], temperature: Infinity }) }],
    ['significance', { significance: 2, microBatches: 6 }],
    ['mirror with significance', { ...optionsOf('mirror'), significance: 1, beta: 2, gamma: 1.5 }],
    ['balanced, on the paper’s scale', { rule: 'balanced', tau: 3, lossScale: 'paper' }],
    ['inner products', { inner: true, clipNorms: false }],
    [
      'the paper',
      { scale: 'absolute', minWeight: 0, maxLogStep: Infinity, priorPull: 0, smoothing: 0, zeta1: 2 },
    ],
    ['initial weights', { initialWeights: { a: 0.6, b: 0.2, c: 0.2 }, seed: 5, minPerTask: 1 }],
  ];
  const courses: [string, Partial<LoggedTraining>][] = [
    ['a quiet run', {}],
    ['missed measurements', { fate: trouble }],
    ['a task that retires', { retire: { 13: 'b' }, fate: trouble }],
    ['a run that was resumed, with tasks retired', { restart: [10, 33], retire: { 13: 'b', 33: 'a' } }],
    ['learning rates that change', { learningRate: (step) => 0.05 / (1 + step) }],
  ];
  for (const [mixture, options] of mixtures)
    it(mixture, async () => {
      for (const [course, training] of courses)
        for (const by of ['measure', 'observe'] as const) {
          const run = await logged({ options, by, ...training });
          const { deviation, updates, run: again, notices } = replay(run);
          expect(deviation, `${course}, ${by}`).toBeLessThanOrEqual(1e-12);
          expect(updates).toBe(12);
          expect(notices).toEqual([]);
          const told = ({ smoothed, missed, held, conflict, lossWeights }: (typeof run.updates)[number]) => ({
            smoothed,
            missed,
            held,
            conflict,
            lossWeights,
          });
          expect(again.updates.map(told), `${course}, ${by}`).toEqual(run.updates.map(told));
          expect(again.retirements.map(({ task, step }) => [task, step])).toEqual(
            run.retirements.map(({ task, step }) => [task, step]),
          );
        }
    });

  it('a log that begins with a restored mixer', async () => {
    for (const rule of ['pike', 'odm', 'famo', 'random']) {
      const path = newPath();
      await trainLogged({ path, options: optionsOf(rule), restart: [20], retire: { 13: 'b' } });
      const lines = readFileSync(path, 'utf8').split('\n');
      const second = lines.findIndex((line, i) => i > 0 && line.includes('"event":"start"'));
      writeFileSync(path, lines.slice(second).join('\n'));
      const run = await readRunLog(path);
      expect(run.start.step).toBe(20);
      expect(run.start.state!.retired).toEqual(['b']);
      expect(replay(run).deviation, rule).toBeLessThanOrEqual(1e-12);
      // What it remembered matters.
      const { state: _, ...forgetful } = run.start;
      const forgotten = { ...run, start: forgetful, starts: [forgetful] };
      await expectError('ERR_RUN_LOG', /begins at step 20.*what the mixer remembered/, () =>
        replay(forgotten),
      );
    }
  });

  it('a process that crashed and was resumed from an earlier state', async () => {
    const whole = newPath();
    const path = newPath();
    await trainLogged({ path: whole, steps: 40 });
    await trainLogged({ path, steps: 40, restart: [20] });
    const early = readFileSync(whole, 'utf8')
      .split('\n')
      .filter((line) => line && JSON.parse(line).step <= 37);
    const lines = readFileSync(path, 'utf8').split('\n');
    const again = lines.findIndex((line, i) => i > 0 && line.includes('"event":"start"'));
    writeFileSync(path, [...early, ...lines.slice(again)].join('\n'));
    const { deviation, notices, run } = replay(await readRunLog(path));
    expect(deviation).toBeLessThanOrEqual(1e-12);
    expect(notices).toEqual([]);
    expect(run.updates.map(({ step }) => step)).toEqual([0, 5, 10, 15, 20, 25, 30, 35]);
  });

  it('goes on from the saved state where the log before does not lead to it, and says so', async () => {
    const run = await logged({ steps: 40, restart: [20] });
    const lost = run.updates.filter(({ step }) => step !== 10 && step !== 15);
    const gap = {
      ...run,
      updates: lost,
      history: run.history.filter((event) => event.event !== 'update' || lost.includes(event)),
    };
    const { deviation, notices } = replay(gap);
    expect(deviation).toBeLessThanOrEqual(1e-12);
    expect(notices).toEqual([expect.stringMatching(/step 20.*does not lead to/)]);
  });

  it('a rule of one’s own, if it is passed', async () => {
    const rule: WeightRule = {
      name: 'by loss',
      needs: { losses: true, gradients: false },
      init: (_, options) => initialState(options),
      update: (state, _, { losses, options }) =>
        multiplyWeights(
          state,
          losses!.map((x) => 0.1 * x),
          options,
        ),
    };
    const run = await logged({ options: { rule } });
    await expectError('ERR_INVALID_OPTION', /rule "by loss", which is none of this library's/, () =>
      replay(run),
    );
    expect(replay(run, { rule }).deviation).toBeLessThanOrEqual(1e-12);
    expect(replay(run, { rule: 'odm' }).deviation).toBeGreaterThan(1e-3);
  });

  it('sees a change in the log', async () => {
    const run = await logged({});
    const tampered = structuredClone(run);
    (tampered.history[3] as unknown as { statistics: { normSquared: number[] } }).statistics.normSquared[0] *=
      1.5;
    expect(replay(tampered).deviation).toBeGreaterThan(1e-4);
  });
});

describe('replay under other options', () => {
  it('gives what a Mixer with these options would have made of the same measurements', async () => {
    const changes: ReplayChanges[] = [
      { zeta1: 0.2 },
      { zeta2: 1, scale: 'absolute' },
      { smoothing: 0.3, minWeight: 0.01 },
      { priorPull: 0, maxLogStep: 0.05 },
      { rule: 'balanced', tau: 2 },
      { rule: 'mirror', learningRate: 0.01, smoothness: 3 },
      { rule: 'conceptual', learningRate: 0.01, smoothness: 3 },
      { rule: 'odm' },
      { initialWeights: [0.5, 0.3, 0.2] },
      { batchSize: 60 },
      { significance: 1 },
    ];
    for (const change of changes) {
      // Gradients do not depend on the rule where nothing is trained by its batches.
      const live = await frozen(change);
      const before = await frozen({});
      const { weights, deviation, run: made } = replay(before, change);
      expect(deviation, JSON.stringify(change)).toBeGreaterThan(1e-5);
      const steps = new Set(made.updates.map(({ step }) => step));
      const expected = live.updates.filter(({ step }) => steps.has(step));
      // At step 35 nothing was measured, so a rule of losses alone cannot be asked.
      expect(expected).toHaveLength(change.rule === 'odm' ? 11 : 12);
      for (const [i, { weights: live }] of expected.entries())
        for (const task of before.tasks)
          expect(made.updates[i].weights[task], JSON.stringify(change)).toBeCloseTo(live[task], 13);
      expect(weights).toEqual(made.updates.at(-1)!.weights);
    }
  });

  it('options that were left to their defaults follow what they derive from', async () => {
    const run = await logged({ options: { zeta1: 0.08 } });
    const optionsAfter = (changes: ReplayChanges, of = run) => replay(of, changes).run.start.options;
    expect(optionsAfter({ zeta1: 0.3 }).zeta2).toBe(0.1 * 0.3);
    expect(optionsAfter({ smoothing: 0.5 }).zeta2).toBe(0.1 * 0.08);
    expect(optionsAfter({ zeta1: 0.3, zeta2: 0.5 }).zeta2).toBe(0.5);
    expect(optionsAfter({ rule: 'odm' })).toMatchObject({
      minWeight: 0,
      maxLogStep: 'Infinity',
      priorPull: 0,
    });
    expect(optionsAfter({ rule: 'round-robin' })).toMatchObject({ updateInterval: 5 });
    const own = await logged({
      options: { zeta2: 0.3, minWeight: 0.1, significance: 1, initialWeights: [0.5, 0.3, 0.2] },
    });
    expect(optionsAfter({ zeta1: 0.3 }, own).zeta2).toBe(0.3);
    expect(optionsAfter({ rule: 'odm' }, own)).toMatchObject({ minWeight: 0.1, significance: 0 });
    expect(optionsAfter({ rule: 'uniform' }, own)).toMatchObject({ initialWeights: [1 / 3, 1 / 3, 1 / 3] });
  });

  it('a larger interval takes the first measurement at or after each of its moments', async () => {
    const run = await logged({});
    const stepsOf = (updateInterval: number) =>
      replay(run, { updateInterval }).run.updates.map(({ step }) => step);
    expect(stepsOf(5)).toEqual(run.updates.map(({ step }) => step));
    expect(stepsOf(10)).toEqual([0, 10, 20, 30, 40, 50]);
    expect(stepsOf(12)).toEqual([0, 15, 25, 40, 50]);
    expect(stepsOf(1000)).toEqual([0]);
    const sparse = await frozen({ updateInterval: 10 });
    const { run: replayed, updates, distance } = replay(await frozen({}), { updateInterval: 10 });
    expect(updates).toBe(6);
    expect(distance.mean).toBeGreaterThan(0);
    for (const [i, { weights }] of sparse.updates.entries())
      for (const task of run.tasks) expect(replayed.updates[i].weights[task]).toBeCloseTo(weights[task], 13);
    await expectError(
      'ERR_INVALID_OPTION',
      /updateInterval cannot be 4: the log has a measurement every 5/,
      () => replay(run, { updateInterval: 4 }),
    );
  });

  it('says how far it is from the logged run and how much weights moved', async () => {
    const run = await logged({ steps: 10 });
    const { distance, largestMove, deviation } = replay(run, { rule: 'uniform' });
    const apart = run.updates.map(({ weights }) =>
      Object.values(weights).reduce((sum, w) => sum + Math.abs(w - 1 / 3) / 2, 0),
    );
    expect(distance.mean).toBeCloseTo((apart[0] + apart[1]) / 2, 14);
    expect(distance.largest).toBeCloseTo(Math.max(...apart), 14);
    expect(largestMove).toBe(0);
    expect(deviation).toBeGreaterThan(0);
  });

  it('refuses what cannot be, before anything is computed', async () => {
    const run = await logged({});
    const losses = await logged({ options: { rule: 'odm' } });
    const without = { ...run, updates: run.updates.map((line) => ({ ...line, losses: null })) };
    const spy = vi.spyOn(update, 'recomputeUpdate');
    const refused = (of: typeof run, changes: object, message: RegExp) =>
      expectError('ERR_INVALID_OPTION', message, () => replay(of, changes));
    await refused(run, { zeta1: -1 }, /zeta1 must be a number >= 0/);
    for (const none of [undefined, 'run.jsonl', {}])
      await refused(none as never, {}, /replay takes a run as readRunLog gives it, but got/);
    await refused(run, { zeta3: 1 }, /no option "zeta3"/);
    await refused(run, { microBatches: 8 }, /no option "microBatches"/);
    await refused(run, { rule: 'pyke' }, /There is no rule "pyke"/);
    await refused(run, { rule: 'doremi' }, /needs data of yours/);
    await refused(run, { rule: 'gramian' }, /needs inner products, which were not measured in run "run"/);
    await refused(run, { rule: 'mirror' }, /needs smoothness/);
    await refused(
      losses,
      { rule: 'pike' },
      /needs gradient statistics, which this log of rule 'odm' does not hold/,
    );
    await refused(without, { rule: 'balanced' }, /needs the tasks' losses.*at step 0/);
    const uniform = await logged({ options: { rule: 'uniform' } });
    await refused(uniform, { rule: 'odm' }, /needs the tasks' losses, which this log of rule 'uniform'/);
    expect(spy).not.toHaveBeenCalled();
    replay(run);
    expect(spy).toHaveBeenCalledTimes(12);
  });

  it('what it leaves can be read, validated and replayed as a log', async () => {
    const run = await logged({ retire: { 31: 'c' }, restart: [20, 40] });
    const { run: made } = replay(run, { zeta1: 0.3, rule: odm({ smoothing: 0.2 }) });
    expect(made.label).toBe('run: zeta1=0.3, rule=odm');
    expect(made.start.about).toEqual({ seed: 1, replayOf: 'run', changes: 'zeta1=0.3, rule=odm' });
    const path = newPath();
    writeFileSync(path, made.history.map((line) => JSON.stringify(line) + '\n').join(''));
    const read = await readRunLog(path);
    expect(read.notices).toEqual([]);
    expect(read.updates).toEqual(made.updates);
    expect(read.starts).toHaveLength(3);
    expect(replay(read).deviation).toBeLessThanOrEqual(1e-12);
  });
});

/** Gradients of parameters that are never trained: the same under any rule. */
async function frozen(options: Partial<MixerOptions>) {
  return logged({ options, frozen: true, retire: { 41: 'b' }, fate: trouble });
}
