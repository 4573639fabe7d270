import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Mixer, odm, RunLog, temperature, type WeightRule } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { row } from '../support/small.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-log-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const mixerOf = () =>
  new Mixer({ tasks: ['a', 'b'], batchSize: 8, backend: 'reference', maxLogStep: Infinity });
// biome-ignore lint/suspicious/noExplicitAny: lines of many kinds
const linesOf = (path: string): any[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('RunLog', () => {
  it('writes every kind of event, readable while the run goes on', async () => {
    const path = join(folder, 'run.jsonl');
    const mixer = mixerOf();
    const log = new RunLog(path, mixer, { run: 'first', about: { seed: 7 } });
    expect(linesOf(path).map((line) => line.event)).toEqual(['start']);

    const report = await mixer.measure(
      [
        [row(1), row(2)],
        [row(5), row(Number.NaN)],
      ],
      {
        samples: [
          [1, 1],
          [1, 1],
        ],
        losses: [
          [1, 2],
          [3, 4],
        ],
      },
    );
    const { weights } = mixer;
    const counts = mixer.next();
    log.step(counts, weights, { loss: 1.25 });
    log.evaluation([0.5, 0.75]);
    await mixer.update();
    mixer.retire('b');
    log.end({ reason: 'done' });
    mixer.emit('skip', { step: 1, task: 'a', reason: 'not measured' });

    const lines = linesOf(path);
    expect(lines.map((line) => line.event)).toEqual([
      'start',
      'skip',
      'update',
      'step',
      'evaluation',
      'skip',
      'skip',
      'warning',
      'update',
      'retire',
      'end',
    ]);
    expect(lines.at(-2)).toMatchObject({ task: 'b', weights: { a: 1, b: 0 } });
    expect(lines.at(-1).weights).toEqual({ a: 1, b: 0 });
    expect(
      lines.every((line) => line.run === 'first' && Number.isInteger(line.step) && line.seconds >= 0),
    ).toBe(true);
    const [start, skip, update, step, evaluation] = lines;
    expect(start).toMatchObject({ tasks: ['a', 'b'], about: { seed: 7 }, backend: { name: 'reference' } });
    expect(start.options).toMatchObject({ rule: 'pike', maxLogStep: 'Infinity', batchSize: 8 });
    expect(start.versions.node).toBe(process.version);
    expect(skip).toMatchObject({ task: 'b', reason: 'non-finite gradient' });
    expect(update.weights).toEqual({ a: report.weights[0], b: report.weights[1] });
    expect(update.losses).toEqual({ a: 1.5, b: 3.5 });
    // All else as in the report: lists for typed arrays, null for what is not finite.
    const { step: _, seconds, weights: w, previous, lossWeights, losses, ...rest } = report;
    const asList = (_key: string, value: unknown) =>
      ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value;
    expect(update).toMatchObject(JSON.parse(JSON.stringify(rest, asList)));
    expect(update.mixingSeconds).toBe(seconds);
    const { event, run, step: at, seconds: since, mixingSeconds, ...own } = update;
    expect(Object.keys(own).sort()).toEqual(
      Object.keys({ ...rest, weights: w, previous, lossWeights, losses }).sort(),
    );
    expect(update.statistics).toMatchObject({
      microBatches: [2, 2],
      samples: [2, 2],
      normSquared: [report.statistics.normSquared[0], null],
    });
    expect(update.missed).toEqual([{ task: 'b', reason: 'non-finite gradient' }]);
    expect(step).toMatchObject({ counts: { a: counts[0], b: counts[1] }, loss: 1.25, step: 1 });
    expect(step.weights).toEqual({ a: weights[0], b: weights[1] });
    expect(evaluation.losses).toEqual({ a: 0.5, b: 0.75 });
  });

  it('keeps several runs in one file, or starts it anew', () => {
    const path = join(folder, 'run.jsonl');
    new RunLog(path, mixerOf(), { run: 'old' }).end();
    new RunLog(path, mixerOf(), { run: 'one' }).end();
    new RunLog(path, mixerOf(), { run: 'two', append: true }).end();
    expect(linesOf(path).map((line) => `${line.run} ${line.event}`)).toEqual([
      'one start',
      'one end',
      'two start',
      'two end',
    ]);
  });

  it('says which file cannot be opened', async () => {
    await expectError(
      'ERR_RUN_LOG',
      /missing.run\.jsonl cannot be opened/,
      () => new RunLog(join(folder, 'missing', 'run.jsonl'), mixerOf()),
    );
  });

  it('run log: loss weights, seconds of mixing, and nothing listens after the end', async () => {
    const rule: WeightRule = {
      name: 'y',
      needs: {},
      init: (K) => ({ logWeights: new Array<number>(K).fill(-Math.log(K)) }),
      update: (state) => ({ state, lossWeights: Float64Array.of(2, 0.5) }),
    };
    const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 8, backend: 'reference', rule });
    const path = join(folder, 'loss-weights.jsonl');
    const log = new RunLog(path, mixer);
    await mixer.measure(
      [
        [row(1), row(2)],
        [row(1), row(2)],
      ],
      {
        samples: [
          [1, 1],
          [1, 1],
        ],
      },
    );
    log.end();
    const update = readFileSync(path, 'utf8')
      .split('\n')
      .map((l) => l && JSON.parse(l))
      .find((l) => l.event === 'update');
    expect(update.lossWeights).toEqual({ a: 2, b: 0.5 });
    expect(update.mixingSeconds).toBeGreaterThan(0);
    expect(update.previous).toEqual({ a: 0.5, b: 0.5 });
    log.end();
    for (const event of ['update', 'skip', 'retire', 'warning'] as const)
      expect(mixer.listenerCount(event)).toBe(0);
  });

  it('details cannot take the place of what a line is, and wrong lengths are refused', async () => {
    const path = join(folder, 'details.jsonl');
    const mixer = mixerOf();
    const log = new RunLog(path, mixer);
    log.step([4, 4], mixer.weights, { event: 'update', step: 99, counts: 7, extra: 1 });
    const [, line] = linesOf(path);
    expect(line).toMatchObject({ event: 'step', step: 0, counts: { a: 4, b: 4 }, extra: 1 });
    await expectError('ERR_SHAPE', /2 numbers/, () => log.step([8], mixer.weights));
    await expectError('ERR_SHAPE', /2 numbers as losses/, () => log.evaluation(['1', '2'] as never));
    for (const counts of [mixer.weights, [9, -1], [0.5, 7.5]])
      await expectError('ERR_INVALID_OPTION', /takes counts, whole numbers >= 0, and then weights/, () =>
        log.step(counts, [4, 4]),
      );
    await expectError('ERR_NON_FINITE', /finite weights, but that of "b"/, () =>
      log.step([4, 4], [1, Number.NaN]),
    );
    await expectError('ERR_INVALID_OPTION', /as JSON.*BigInt/, () => log.end({ samples: 8n }));
    expect(linesOf(path)).toHaveLength(2);
    log.end({ samples: 8 });
    expect(linesOf(path)).toHaveLength(3);
  });

  it('refuses what it cannot write before it replaces what stands there', async () => {
    const path = join(folder, 'kept.jsonl');
    new RunLog(path, mixerOf()).end();
    const before = readFileSync(path, 'utf8');
    const refused = (options: object, message: RegExp) =>
      expectError('ERR_INVALID_OPTION', message, () => new RunLog(path, mixerOf(), options));
    await refused({ about: { seed: 1n } }, /as JSON/);
    await refused({ about: [] }, /about must be an object/);
    await refused({ run: '' }, /run must be a name/);
    await refused({ apend: true }, /no option "apend"/);
    await refused({ append: 1 }, /append must be/);
    await refused(null as never, /takes an object of options, but got null/);
    const mixers = [undefined, null, 3, {}, { tasks: ['a', 'b'], weights: [0.5, 0.5] }];
    for (const mixer of mixers)
      await expectError(
        'ERR_INVALID_OPTION',
        /needs a Mixer to listen to/,
        () => new RunLog(path, mixer as never),
      );
    for (const nowhere of [undefined, null, 3, ''])
      await expectError(
        'ERR_INVALID_OPTION',
        /needs the path of a file/,
        () => new RunLog(nowhere as never, mixerOf()),
      );
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('replaces no file that is no run log', async () => {
    const path = join(folder, 'notes.txt');
    const blank = '\n'.repeat(5000);
    const others = ['{"event":"click","run":"x"}\n', ' {"event":"start"}', `${blank}precious`, blank];
    const texts = ['precious\n', '{"step":1}\n', '\u007fELF', '          precious', ...others];
    for (const text of texts) {
      writeFileSync(path, text);
      await expectError('ERR_RUN_LOG', /notes\.txt is no run log/, () => new RunLog(path, mixerOf()));
      expect(readFileSync(path, 'utf8')).toBe(text);
    }
    // Also what a crash has left of a start line.
    for (const text of ['', '\n', '{"ev', '{"event":"start","ru', '{"event":"start","run":"first","st']) {
      writeFileSync(path, text);
      new RunLog(path, mixerOf()).end();
      expect(linesOf(path).map((line) => line.event)).toEqual(['start', 'end']);
    }
  });

  it('does not replace what a run has logged that it goes on with', async () => {
    const path = join(folder, 'resumed.jsonl');
    const mixer = mixerOf();
    new RunLog(path, mixer).end();
    mixer.next();
    const restored = Mixer.restore(mixer.state());
    await expectError(
      'ERR_RUN_LOG',
      /is a run log already, and this mixer goes on from step 1: pass append: true/,
      () => new RunLog(path, restored),
    );
    expect(linesOf(path).map((line) => line.event)).toEqual(['start', 'end']);
    new RunLog(path, restored, { append: true }).end();
    expect(linesOf(path).map((line) => line.event)).toEqual(['start', 'end', 'start', 'end']);
    new RunLog(join(folder, 'another.jsonl'), restored).end();
  });

  it('the start line holds the state of a mixer that is not as new, and of no other', async () => {
    const path = join(folder, 'state.jsonl');
    const startOf = (mixer: Mixer) => {
      rmSync(path, { force: true });
      new RunLog(path, mixer).end();
      return linesOf(path)[0];
    };
    const options = { tasks: ['a', 'b'], batchSize: 8, backend: 'reference' as const };
    const fresh = startOf(new Mixer({ ...options, rule: 'famo' }));
    expect(fresh).toMatchObject({ format: 'pike-mixer run log', version: 2 });
    expect(fresh).not.toHaveProperty('state');
    expect(Math.abs(Date.parse(fresh.time) - Date.now())).toBeLessThan(60_000);
    const isKept = async (change: (mixer: Mixer) => unknown, rule: string | WeightRule = 'famo') => {
      const mixer = new Mixer({ ...options, rule });
      await change(mixer);
      expect(startOf(mixer).state).toEqual(JSON.parse(JSON.stringify(mixer.state())));
    };
    await isKept((mixer) => mixer.next());
    await isKept((mixer) => mixer.retire('b'));
    await isKept((mixer) => mixer.update({ losses: [1, 2] }));
    // What odm was made with stands in its state alone.
    await isKept(() => {}, odm({ smoothing: 0.5 }));
    await isKept(() => {}, temperature({ sizes: [1, 2] }));
    // An update has been, though the next measurement is due: famo remembers the losses.
    await isKept(async (mixer) => {
      await mixer.update({ losses: [1, 2] });
      for (let i = 0; i < 2; i++) await mixer.observe('a', row(1), { samples: 1 });
      expect(mixer.state().pending).toEqual([0]);
    });
  });

  it('writes the learning rate that came with an update', async () => {
    const path = join(folder, 'rate.jsonl');
    const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 8, backend: 'reference', rule: 'odm' });
    new RunLog(path, mixer);
    await mixer.update({ losses: [1, 2], learningRate: 0.25 });
    const report = await mixer.update({ losses: [1, Number.NaN] });
    expect(report.learningRate).toBeNull();
    const updates = linesOf(path).filter(({ event }) => event === 'update');
    expect(updates.map(({ learningRate }) => learningRate)).toEqual([0.25, null]);
    expect(updates.map(({ losses }) => losses)).toEqual([
      { a: 1, b: 2 },
      { a: 1, b: null },
    ]);
  });
});
