import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { initialState, readRunLog, readRunLogs, replay, type WeightRule } from '../../lib/index.js';
import { replayable } from '../../lib/monitor/replay-options.js';
import { trainLogged } from '../support/logged-training.js';
import { runCli } from './run-cli.js';

let folder: string;
let log: string;
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cli-replay-'));
  log = at('run.jsonl');
  await trainLogged({ path: log, run: 'first', retire: { 41: 'b' } });
  await trainLogged({ path: log, run: 'second', append: true, seed: 2, options: { significance: 1 } });
});
afterAll(() => rmSync(folder, { recursive: true }));

const first = (...args: string[]) => runCli('replay', log, '--run', 'first', ...args);

it('says whether a log gives its own weights again', async () => {
  const { code, out, err } = await first();
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^first: weights after the last update\n/);
  expect(out).toMatch(/^logged \(pike\) +\d\.\d{4} +0\.0000 +\d\.\d{4} /m);
  expect(out).toMatch(/come out again, to the last bit/);
  const tampered = at('tampered.jsonl');
  writeFileSync(tampered, readFileSync(log, 'utf8').replace(/"variance":\[[\d.]+/, '"variance":[3'));
  const changed = await runCli('replay', tampered, '--run', 'first');
  expect(changed.code).toBe(0);
  expect(changed.out).toMatch(/weights differ from the logged ones by up to [\d.e-]+: something else/);
});

it('tries every combination of lists with every set, as the library computes them', async () => {
  const { code, out, err } = await first(
    ...['--zeta1', '0.02,0.1', '--smoothing', '0, 0.5'],
    ...[
      '--set',
      'min-weight=0.1,maxLogStep=Infinity',
      '--set',
      'rule=odm,initial-weights=0.5/0.3/0.2',
      '--json',
    ],
  );
  expect([code, err]).toEqual([0, '']);
  const run = await readRunLog(log, { run: 'first' });
  const document = JSON.parse(out);
  expect(document).toMatchObject({ log, run: 'first', tasks: ['a', 'b', 'c'], notices: [] });
  expect(document.logged).toMatchObject({ weights: run.end!.weights, updates: 12, deviation: 0 });
  expect(document.replays).toHaveLength(8);
  for (const [
    i,
    { changes, weights, distance, largestMove, trajectory, name },
  ] of document.replays.entries()) {
    const { maxLogStep, ...rest } = changes;
    const expected = replay(run, { ...rest, ...(maxLogStep === undefined ? {} : { maxLogStep: Infinity }) });
    expect({ weights, distance, largestMove }).toEqual({
      weights: expected.weights,
      distance: expected.distance,
      largestMove: expected.largestMove,
    });
    expect(trajectory).toHaveLength(12);
    expect(trajectory.at(-1).lossWeights).toEqual({ a: 1, b: 1, c: 1 });
    expect(name).toContain(
      i < 4 ? 'minWeight=0.1, maxLogStep=Infinity' : 'rule=odm, initialWeights=0.5/0.3/0.2',
    );
  }
  const tried = document.replays.map(({ changes }: { changes: object }) => JSON.stringify(changes));
  expect(new Set(tried).size).toBe(8);
  expect(document.replays[0].changes).toMatchObject({ zeta1: 0.02, smoothing: 0 });
});

it('every option is a flag, and changes what it names', async () => {
  const { out } = await runCli('replay', '--help');
  const values: Partial<Record<string, string>> = { rule: 'uniform', scale: 'absolute', clipNorms: 'false' };
  for (const name of replayable) {
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    expect(out).toContain(`  ${flag} <`);
    const value =
      values[name] ?? (name === 'lossScale' ? 'paper' : name === 'initialWeights' ? '0.5/0.3/0.2' : '');
    const number = ['batchSize', 'updateInterval', 'seed'].includes(name) ? '40' : '0.25';
    const { code, out: json, err } = await first(flag, value || number, '--json');
    expect([code, err], flag).toEqual([0, '']);
    const { options } = JSON.parse(json).replays[0];
    const expected =
      value === 'false' ? false : name === 'initialWeights' ? [0.5, 0.3, 0.2] : value || Number(number);
    expect(options[name], flag).toEqual(expected);
  }
});

it('writes the replays as a log that the same commands read', async () => {
  const output = at('replayed.jsonl');
  const { code, out } = await first('--update-interval', '10,20', '-o', output);
  expect(code).toBe(0);
  expect(out).toMatch(/^updateInterval=10 .* 6$/m);
  const runs = await readRunLogs(output);
  expect(runs.map(({ label }) => label)).toEqual(['first: updateInterval=10', 'first: updateInterval=20']);
  expect(runs.flatMap(({ notices }) => notices)).toEqual([]);
  const again = await runCli('replay', output, '--run', 'first: updateInterval=20', '--json');
  expect(JSON.parse(again.out).logged).toMatchObject({ deviation: 0, updates: 3 });
  // What it wrote it may replace; what training wrote it may not.
  expect((await first('--zeta1', '0.2', '-o', output)).code).toBe(0);
  expect(await readRunLogs(output)).toHaveLength(1);
  const before = readFileSync(log, 'utf8');
  const own = await first('-o', log);
  expect([own.code, own.err]).toEqual([2, expect.stringMatching(/is a log to be read/)]);
  const other = at('other.jsonl');
  writeFileSync(other, before);
  expect((await first('-o', other)).code).toBe(2);
  expect([readFileSync(log, 'utf8'), readFileSync(other, 'utf8')]).toEqual([before, before]);
  expect((await first('-o', other, '--force')).code).toBe(0);
});

it('writes to the standard output what - names, and nothing else', async () => {
  const cwd = process.cwd();
  const empty = at('empty');
  mkdirSync(empty);
  process.chdir(empty);
  try {
    const table = await first('--zeta1', '0.2');
    const piped = await first('--zeta1', '0.2', '-o', '-');
    expect([piped.code, piped.err]).toEqual([0, table.out]);
    await first('--zeta1', '0.2', '-o', at('file.jsonl'));
    expect(piped.out).toBe(readFileSync(at('file.jsonl'), 'utf8'));
    const page = await first('--zeta1', '0.2', '--report', '-', '-o', at('file.jsonl'));
    expect([page.code, page.err]).toEqual([0, table.out]);
    expect(page.out).toMatch(/^<!DOCTYPE html>.*<\/html>\n$/s);
    for (const two of [
      ['-o', '-', '--report', '-'],
      ['-o', '-', '--json'],
      ['--report', '-', '--json'],
    ]) {
      const ran = await first(...two);
      expect([ran.code, ran.out, ran.err]).toEqual([
        2,
        '',
        expect.stringMatching(/only one of .*standard output/),
      ]);
    }
    expect(readdirSync(empty)).toEqual([]);
    expect((await first('-o', './-')).code).toBe(0);
    expect(readdirSync(empty)).toEqual(['-']);
  } finally {
    process.chdir(cwd);
  }
});

it('wrong usage, unusable files and rules that cannot be replayed say why', async () => {
  const refused = async (code: number, message: RegExp, ...args: string[]) => {
    const ran = await runCli('replay', ...args);
    expect([ran.code, ran.out], args.join(' ')).toEqual([code, '']);
    expect(ran.err).toMatch(message);
    expect(ran.err).not.toMatch(/ {4}at /);
  };
  await refused(2, /missing required argument 'log'/);
  await refused(2, /2 runs; name one of "first", "second"/, log);
  await refused(2, /no run "third"/, log, '--run', 'third');
  await refused(3, /nowhere\.jsonl cannot be read: ENOENT/, at('nowhere.jsonl'));
  writeFileSync(at('no.jsonl'), 'not a log\n');
  await refused(3, /no\.jsonl is no run log that can be used/, at('no.jsonl'));
  const first = [log, '--run', 'first'];
  await refused(2, /unknown option '--zeta3'/, ...first, '--zeta3', '1');
  await refused(2, /--zeta1 must be a number, but is 'x'/, ...first, '--zeta1', '0.1,x');
  await refused(2, /--zeta1 lacks a value/, ...first, '--zeta1', '0.1,');
  await refused(2, /zeta1 must be a number >= 0, but is -1/, ...first, '--zeta1', '-1');
  await refused(2, /--seed must be an integer/, ...first, '--seed', '1.5');
  await refused(2, /--clip-norms must be true or false/, ...first, '--clip-norms', 'yes');
  await refused(2, /--set takes name=value.*cannot take 'zeta3=1'/, ...first, '--set', 'zeta3=1');
  await refused(2, /cannot take 'zeta1'/, ...first, '--set', 'zeta1');
  await refused(2, /names zeta1 twice/, ...first, '--set', 'zeta1=1,zeta1=2');
  await refused(2, /--zeta1 and a --set both say/, ...first, '--zeta1', '1', '--set', 'zeta1=2');
  await refused(
    2,
    /more than 1000 sets/,
    ...first,
    '--zeta1',
    '1,'.repeat(40) + '1',
    '--tau',
    '1,'.repeat(40) + '1',
  );
  await refused(2, /updateInterval cannot be 2/, ...first, '--update-interval', '2');
  await refused(2, /needs inner products, which were not measured/, ...first, '--rule', 'gramian');
  await refused(2, /There is no rule "pyke"/, ...first, '--rule', 'pyke');
  await refused(2, /initialWeights must be 3 weights/, ...first, '--initial-weights', '0.5/0.5');
});

it('options of the log that no Mixer can have had are the log’s fault, whatever is asked of it', async () => {
  const damaged = at('options.jsonl');
  const mirror = at('mirror.jsonl');
  const asMirror = { rule: 'mirror', learningRate: 0.02, smoothness: 2 };
  await trainLogged({ path: mirror, run: 'first', steps: 12, options: asMirror });
  const cases: [string, string, unknown, RegExp][] = [
    [log, 'zeta1', 'x', /zeta1 must be a number >= 0, but is "x"/],
    [log, 'zeta1', null, /zeta1 is null/],
    [log, 'maxLogStep', -1, /maxLogStep must be/],
    [log, 'initialWeights', [0.5, 0.5], /initialWeights must be 3 weights/],
    [log, 'microBatches', 1, /microBatches must be at least 2/],
    [log, 'updateInterval', {}, /updateInterval must be a positive integer/],
    [log, 'significance', 'x', /significance must be/],
    [log, 'tasks', ['a', 'b'], /their tasks are not those of the run/],
    [log, 'novel', 1, /no option "novel"/],
    [mirror, 'smoothness', undefined, /needs smoothness/],
  ];
  for (const [source, name, value, message] of cases) {
    const [start, ...rest] = readFileSync(source, 'utf8').split('\n');
    const line = JSON.parse(start!);
    line.options[name] = value;
    writeFileSync(damaged, [JSON.stringify(line), ...rest].join('\n'));
    for (const asked of [[], ['--min-weight', '0.1'], ['--rule', 'uniform']]) {
      const { code, out, err } = await runCli('replay', damaged, '--run', 'first', ...asked);
      expect([code, out], `${name} ${asked}`).toEqual([3, '']);
      expect(err).toMatch(message);
      expect(err).toMatch(
        /^error: The options in the start line of run "first" cannot be used: .*\(ERR_RUN_LOG\)$/m,
      );
    }
  }
});

it('tells of damaged lines, of warnings, and of a rule that only the user’s program knows', async () => {
  const damaged = at('damaged.jsonl');
  writeFileSync(damaged, readFileSync(log, 'utf8').replace('"event":"step"', '"event"') + '{"event":"st');
  const { code, err } = await runCli('replay', damaged, '--run', 'first');
  expect(code).toBe(0);
  expect(err).toMatch(/^notice: .*damaged\.jsonl: line \d+ is damaged.*\nnotice: .*cut off/);
  const observed = at('observed.jsonl');
  await trainLogged({ path: observed, by: 'observe' });
  const warned = await runCli('replay', observed, '--significance', '2');
  expect(warned.out).toMatch(/^significance=2: WARN_ERRORS_UNKNOWN from step 0$/m);
  const rule: WeightRule = {
    name: 'mine',
    needs: { losses: true },
    init: (_, options) => initialState(options),
    update: (state) => ({ state }),
  };
  const mine = at('mine.jsonl');
  await trainLogged({ path: mine, options: { rule } });
  const alone = await runCli('replay', mine);
  expect([alone.code, alone.err]).toEqual([2, expect.stringMatching(/rule "mine", which is none/)]);
  const pike = await runCli('replay', mine, '--rule', 'pike');
  expect([pike.code, pike.err]).toEqual([
    0,
    expect.stringMatching(/^notice: as logged it cannot be replayed/),
  ]);
  expect(pike.out).toMatch(/^rule=pike /m);
});
