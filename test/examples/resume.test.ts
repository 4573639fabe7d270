/** The example of a run that can be killed at any time. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { firstDifference } from '../../examples/resume/check.js';
import { run, type Trace } from '../../examples/resume/train.js';

const parent = mkdtempSync(join(tmpdir(), 'pike-mixer-resume-test-'));
afterAll(() => rmSync(parent, { recursive: true }));
const newFolder = () => mkdtempSync(join(parent, 'run-'));

const program = (...args: string[]) => {
  const file = fileURLToPath(new URL('../../dist-examples/resume/main.js', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
};

async function traceOf(folder: string, steps: number, saveEvery: number): Promise<Trace[]> {
  const steps_: Trace[] = [];
  await run({ folder, steps, saveEvery, onStep: (trace) => steps_.push(trace) });
  return steps_;
}

describe('the run', () => {
  it('goes on where it was saved, through passes of every source and updates of the weights', async () => {
    const whole = await traceOf(newFolder(), 150, 0);
    // More than a pass of each, or resuming would not meet their ends.
    for (const [task, size] of [
      ['array', 500],
      ['file', 700],
      ['stream', 600],
    ] as const) {
      const indices = whole.flatMap(({ samples }) => samples[task]!);
      expect(indices.length).toBeGreaterThan(1.5 * size);
      expect(new Set(indices.slice(0, size)).size).toBe(size);
    }
    expect(new Set(whole.map(({ weights }) => JSON.stringify(weights))).size).toBeGreaterThan(20);
    expect(whole.at(-1)!.loss).toBeLessThan(whole[0]!.loss);
    const folder = newFolder();
    const pieces: Trace[] = [];
    for (const steps of [1, 2, 37, 38, 90, 150]) pieces.push(...(await traceOf(folder, steps, 1)));
    expect(pieces).toEqual(whole);
    expect(await traceOf(folder, 150, 1)).toEqual([]);
  });

  it('refuses a state that is damaged, and leaves it there', async () => {
    const folder = newFolder();
    await traceOf(folder, 4, 2);
    const path = join(folder, 'state.json');
    const text = readFileSync(path, 'utf8').replace('"step":4', '"step":5');
    writeFileSync(path, text);
    const { status, stdout, stderr } = program('--folder', folder);
    expect(stderr).toMatch(/^resume: The state in .* is damaged/);
    expect([status, stdout]).toEqual([1, '']);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });
});

describe('firstDifference', () => {
  const line = (step: number, more = {}) => JSON.stringify({ step, samples: [step, step + 1], ...more });
  const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => line(from + i));
  const reference = lines(0, 10);

  it('is none between a run and itself, killed and resumed anywhere', () => {
    for (let killed = 0; killed <= 10; killed++)
      for (let saved = 0; saved <= killed; saved++)
        expect(firstDifference(reference, lines(0, killed), lines(saved, 10))).toBeNull();
  });

  it.each<[string, string[], string[], RegExp]>([
    ['a step that is missing', lines(0, 4), lines(5, 10), /went on at step 5, after 4 steps/],
    ['an end that is missing', lines(0, 4), lines(3, 9), /step 3 and did 6 steps, not 7/],
    ['steps too many', lines(0, 4), [...lines(3, 10), line(10)], /did 8 steps, not 7/],
    [
      'another sample after the resume',
      lines(0, 4),
      [...lines(3, 9), line(9, { samples: [9, 11] })],
      /step 9 is/,
    ],
    ['another sample before the kill', [line(0), line(1, { weights: [1] })], lines(1, 10), /step 1 is/],
    ['nothing done', [], [], /went on at step 10, after 0/],
  ])('sees %s', (_, before, after, message) => {
    expect(firstDifference(reference, before, after)).toMatch(message);
  });
});

describe('--check', () => {
  const trials = process.env.PIKE_TEST_LONG ? 200 : 10;

  it(`kills ${trials} runs at random steps; resumed, each does what an undisturbed run does`, {
    timeout: 900_000,
  }, () => {
    const { status, stdout, stderr } = program('--check', '--trials', String(trials));
    expect([status, stderr]).toEqual([0, '']);
    const [, runs, killed, resumed] =
      /^(\d+) runs of 200 steps: (\d+) killed before their end, (\d+) of them after the first save/.exec(
        stdout,
      )!;
    expect(Number(runs)).toBe(trials);
    // A kill comes after a message of the process, so a few come too late.
    expect(Number(killed)).toBeGreaterThan(0.8 * trials);
    expect(Number(resumed)).toBeGreaterThan(0.7 * trials);
    expect(stdout).toMatch(/steps compared .*: all identical/);
  });
});

describe('the program', () => {
  it('tells where it goes on', () => {
    const folder = newFolder();
    const first = program('--folder', folder, '--steps', '1000', '--save-every', '30');
    expect([first.status, first.stderr]).toEqual([0, '']);
    expect(first.stdout).toMatch(/^step 1000: weights 0\.\d+, .*, loss \d\.\d+\ndone: 1000 steps/);
    const second = program('--folder', folder, '--steps', '1010');
    expect(second.stdout).toMatch(/^goes on from step 990, as saved in .*\nstep 1000: .*\ndone: 1010 steps/);
    expect(readdirSync(folder).sort()).toEqual(['samples.jsonl', 'state.json']);
  });

  it.each([
    ['a number of steps that is none', ['--steps', '0'], /--steps must be a whole number of at least 1.*'0'/],
    ['a flag that there is not', ['--stepz', '3'], /--stepz.*--help/],
  ])('%s is one clear line', (_, args, message) => {
    const { status, stdout, stderr } = program(...args);
    expect(stderr).toMatch(message);
    expect([status, stdout, stderr.split('\n').length]).toEqual([2, '', 2]);
  });

  it('explains itself', () => {
    const { status, stdout } = program('--help');
    expect(status).toBe(0);
    for (const flag of ['--folder', '--steps', '--save-every', '--trace', '--check', '--trials', '--seed'])
      expect(stdout).toContain(`${flag} `);
  });
});
