/** States in files: atomic, durable, checked. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { loadState, Mixer, saveState } from '../../lib/index.js';
import { expectError } from '../support/expect.js';

const root = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const parent = mkdtempSync(join(tmpdir(), 'pike-mixer-state-'));
afterAll(() => rmSync(parent, { recursive: true }));
let folder: string;
let path: string;
let folders = 0;
beforeEach(() => {
  folder = join(parent, String(folders++));
  mkdirSync(folder);
  path = join(folder, 'state.json');
});

describe('saveState and loadState', () => {
  it('give back any JSON, to the last bit of a number', async () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0);
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constant(null),
        fc.boolean(),
        number,
        fc.string({ unit: 'binary' }),
        fc.array(tie('value'), { maxLength: 5 }),
        fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('7', '__proto__', 'state')), tie('value'), {
          maxKeys: 5,
        }),
      ),
    })).value;
    await fc.assert(
      fc.asyncProperty(json, async (state) => {
        await saveState(path, state);
        expect(await loadState(path)).toEqual(JSON.parse(JSON.stringify(state)));
      }),
      { numRuns: 100 },
    );
    expect(readdirSync(folder)).toEqual(['state.json']);
  });

  it('bring a mixer to another process', async () => {
    const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 7, initialWeights: [0.3, 0.7] });
    mixer.next();
    const url = pathToFileURL(path);
    await saveState(url, { step: 1, mixer: mixer.state(), weights: Array.from(Float32Array.of(0.1)) });
    const saved = await loadState<{ mixer: ReturnType<Mixer['state']>; weights: number[] }>(url);
    expect(Float32Array.from(saved.weights)).toEqual(Float32Array.of(0.1));
    expect(Mixer.restore(saved.mixer).next()).toEqual(mixer.next());
  });

  it('write the state as it is at the call, and saves to one file in the order of calls', async () => {
    const state = { step: 0, data: new Array<number>(30_000).fill(0.1) };
    const saves: Promise<void>[] = [];
    for (; state.step < 20; state.step++) {
      if (state.step === 15) state.data.length = 10;
      saves.push(saveState(path, state));
    }
    await Promise.all(saves);
    expect(await loadState(path)).toEqual({ step: 19, data: state.data });
    expect(readdirSync(folder)).toEqual(['state.json']);
  });

  it('follow a link to the file that it names', async () => {
    symlinkSync(path, join(folder, 'latest'));
    await saveState(path, 1);
    await saveState(join(folder, 'latest'), 2);
    expect([await loadState(path), await loadState(join(folder, 'latest'))]).toEqual([2, 2]);
    expect(readdirSync(folder).sort()).toEqual(['latest', 'state.json']);
  });

  it.each<[string, unknown, RegExp]>([
    ['NaN', { model: { bias: [1, Number.NaN] } }, /^state\.model\.bias\[1\] must be plain JSON, but is NaN/],
    ['Infinity', [Infinity], /^state\[0\] must be plain JSON, but is Infinity/],
    ['a typed array', { weights: new Float32Array(2) }, /^state\.weights .*Float32Array; Array\.from makes/],
    ['undefined', undefined, /^state must be plain JSON, but is undefined/],
    ['undefined in a list', [undefined], /^state\[0\] .* undefined/],
    ['a hole in a list', { list: new Array(2) }, /^state\.list\[0\] .* undefined/],
    ['a function', { f: () => 1 }, /^state\.f .* function f/],
    ['a date', { at: new Date(0) }, /^state\.at .* type Date/],
    ['a map', new Map(), /^state .* type Map/],
    ['a bigint', { n: 1n }, /BigInt/],
    ['a class of its own', { mixer: new (class Model {})() }, /^state\.mixer .* type Object/],
  ])('refuse %s, and leave the file as it is', async (_, state, message) => {
    await saveState(path, 'before');
    await expectError('ERR_INVALID_OPTION', message, () => saveState(path, state));
    expect(await loadState(path)).toBe('before');
    expect(readdirSync(folder)).toEqual(['state.json']);
  });

  it('refuse circles and bottomless nesting', async () => {
    const circle: unknown[] = [];
    circle.push(circle);
    await expectError('ERR_INVALID_OPTION', /circular/, () => saveState(path, circle));
    let deep: unknown = 1;
    for (let i = 0; i < 200_000; i++) deep = [deep];
    await expectError('ERR_INVALID_OPTION', /plain JSON/, () => saveState(path, deep));
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leave out properties that are undefined', async () => {
    await saveState(path, { a: undefined, b: 1 });
    expect(await loadState(path)).toEqual({ b: 1 });
  });

  it('say so when there is no file, or none can be written', async () => {
    const missing = await expectError('ERR_STATE', /state\.json cannot be read: ENOENT/, () =>
      loadState(path),
    );
    expect((missing.cause as NodeJS.ErrnoException).code).toBe('ENOENT');
    const nowhere = join(folder, 'no/such/folder/state.json');
    await expectError('ERR_STATE', /cannot be saved in .*no\/such/, () => saveState(nowhere, 1));
    mkdirSync(path);
    await expectError('ERR_STATE', /cannot be saved/, () => saveState(path, 1));
    expect(readdirSync(folder)).toEqual(['state.json']);
    for (const given of ['', undefined, 3, new URL('https://example.org/x')]) {
      await expectError('ERR_INVALID_OPTION', /saveState takes the path/, () => saveState(given as never, 1));
      await expectError('ERR_INVALID_OPTION', /loadState takes the path/, () => loadState(given as never));
    }
  });

  it('a save that failed does not keep the next one from succeeding', async () => {
    mkdirSync(path);
    const failing = expectError('ERR_STATE', /cannot be saved/, () => saveState(path, 1));
    await failing;
    rmSync(path, { recursive: true });
    await saveState(path, 2);
    expect(await loadState(path)).toBe(2);
  });

  it('notice every damage: cut short anywhere, or a byte changed', async () => {
    await saveState(path, { weights: [0.25, 0.75], step: 12, name: 'é' });
    const whole = readFileSync(path);
    // Without the last byte, the end of the line, nothing is missing.
    for (let length = 0; length < whole.length - 1; length++) {
      writeFileSync(path, whole.subarray(0, length));
      await expectError('ERR_STATE', /damaged|no state file/, () => loadState(path));
    }
    for (let at = 0; at < whole.length - 1; at++) {
      const changed = Buffer.from(whole);
      changed[at] ^= 1;
      writeFileSync(path, changed);
      await expectError('ERR_STATE', /damaged|no state file|version/, () => loadState(path));
    }
    writeFileSync(path, whole);
    expect(await loadState(path)).toMatchObject({ step: 12 });
  });

  it('refuse other files and other versions', async () => {
    for (const text of ['{}', '[]', 'null', '3', '{"format":"pike-mixer state"}']) {
      writeFileSync(path, text);
      await expectError('ERR_STATE', /is no state file/, () => loadState(path));
    }
    await saveState(path, 1);
    writeFileSync(path, readFileSync(path, 'utf8').replace('"version":1', '"version":2'));
    await expectError('ERR_STATE', /version 2, but this release reads version 1/, () => loadState(path));
  });

  it('clear away what a killed process has left, and nothing else', async () => {
    const [gone, alive] = [`.state.json.${2 ** 22 + 1}-0.tmp`, `.state.json.${process.ppid}-0.tmp`];
    const others = [
      '.other.json.4194305-0.tmp',
      '.state.json.x-0.tmp',
      '.state.json.tmp',
      'state.json.4194305-0.tmp',
    ];
    for (const name of [gone, alive, ...others]) writeFileSync(join(folder, name), 'x');
    await saveState(path, 1);
    expect(readdirSync(folder).sort()).toEqual([alive, ...others, 'state.json'].sort());
  });
});

describe('kill -9 of a process that saves without pause', () => {
  const trials = process.env.PIKE_TEST_LONG ? 200 : 20;
  const program = (path: string) => `
    import { loadState, saveState } from 'pike-mixer';
    let from = 0;
    try {
      from = (await loadState(${JSON.stringify(path)})).step;
    } catch (error) {
      if (error.cause?.code !== 'ENOENT') throw error;
    }
    for (let step = from + 1; ; step++) {
      await saveState(${JSON.stringify(path)}, { step, data: new Array(20_000 + (step % 7) * 5000).fill(step + 0.5), last: step });
      process.stdout.write(step + '\\n');
    }`;

  it(`${trials} times: every load is a whole state, and none older than the last save that was confirmed`, async () => {
    let [confirmed, unfinished] = [0, 0];
    for (let trial = 0; trial < trials; trial++) {
      const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', program(path)], {
        cwd: root,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
      const steps: number[] = [];
      const delay = (trial * 7919) % 40;
      const lines = createInterface({ input: child.stdout! });
      const read = new Promise((resolve) => lines.once('close', resolve));
      const kill = () => child.kill('SIGKILL');
      const isSaving = () => readdirSync(folder).some((name) => name.endsWith('.tmp'));
      const killInSave = (): unknown => (isSaving() ? kill() : setImmediate(killInSave));
      lines.on('line', (line) => {
        steps.push(Number(line));
        // After the first save: at any time, and by turns as soon as another is seen to be under way.
        if (steps.length === 1) setTimeout(trial % 2 === 0 ? kill : killInSave, delay);
      });
      expect(await ended).toBe('SIGKILL');
      await read;
      if (isSaving()) unfinished++;
      const { step, data, last } = await loadState<{ step: number; data: number[]; last: number }>(path);
      expect([last, data.length]).toEqual([step, 20_000 + (step % 7) * 5000]);
      expect(data.every((x) => x === step + 0.5)).toBe(true);
      // What was confirmed is there; at most one more may have come to be in place before the kill.
      const known = steps.at(-1)!;
      expect(step).toBeGreaterThanOrEqual(known);
      expect(known).toBeGreaterThan(confirmed);
      confirmed = step;
      expect(readdirSync(folder).length).toBeLessThanOrEqual(2);
    }
    // Otherwise the kills came between the saves and have shown nothing.
    expect(unfinished).toBeGreaterThan(trials / 10);
    await saveState(path, 'end');
    expect(readdirSync(folder)).toEqual(['state.json']);
    expect(statSync(path).size).toBeLessThan(200);
  });
});
