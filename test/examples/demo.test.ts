import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ruleNames } from '../../examples/mixed-text/rule.js';
import { rules } from '../../lib/index.js';

const program = resolve(fileURLToPath(new URL('../../dist-examples/mixed-text/main.js', import.meta.url)));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'demo-'));
  // Two texts that differ: counting, and a shuffled alphabet.
  const count = Array.from({ length: 600 }, (_, i) => `${i} plus ${i + 1} is ${2 * i + 1}.`).join('\n');
  const letters = Array.from({ length: 6000 }, (_, i) =>
    String.fromCharCode(97 + ((i * i * 7 + i) % 26)),
  ).join('');
  writeFileSync(join(folder, 'A.txt'), count);
  mkdirSync(join(folder, 'B'));
  writeFileSync(join(folder, 'B', 'one.txt'), letters);
  writeFileSync(join(folder, 'short.txt'), 'too little');
});
afterAll(() => rmSync(folder, { recursive: true }));

const demo = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
};

describe('npm run demo', () => {
  it('trains on the user’s own text, and its log is what it says', () => {
    const { status, stdout, stderr } = demo(
      '--steps',
      '60',
      '--task',
      'a=A.txt',
      '--task',
      'b=B',
      '--log',
      'run.jsonl',
    );
    expect(stderr).toMatch(/uniform, seed 1: step 60\/60, loss \d/);
    expect(stderr).toMatch(/pike, seed 1: step 60\/60, loss .* weights a \.\d\d {2}b \.\d\d, \d+ s left/);
    expect(status).toBe(0);
    for (const row of [
      '│ a ',
      '│ b ',
      '│ mean ',
      '│ highest − lowest',
      '│ samples to uniform',
      '│ mixing itself',
      '│ extra passes to measure',
    ])
      expect(stdout).toContain(row);
    expect(stdout).toMatch(/pike (ended|did not beat)/);
    expect(stdout).toMatch(
      /pike: mixing itself took \d+\.\d\d % of the time \(next .*, the extra passes of measuring/,
    );
    expect(stdout).toContain('in proportion to size');

    const lines = readFileSync(join(folder, 'run.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const total = (by: Record<string, number>) => Object.values(by).reduce((sum, x) => sum + x, 0);
    for (const line of lines) {
      if (line.counts) expect(total(line.counts)).toBe(384);
      if (line.weights) expect(Math.abs(total(line.weights) - 1)).toBeLessThan(1e-12);
    }
    for (const run of ['uniform, seed 1', 'pike, seed 1', 'static, seed 1']) {
      const own = lines.filter((line) => line.run === run);
      expect(own[0].event).toBe('start');
      expect(own.at(-1).event).toBe('end');
      const steps = own.filter((line) => line.event === 'step');
      expect(steps.map((line) => line.step)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
      expect(steps[9].tensors).toBe(steps[59].tensors);
      const evaluations = own.filter((line) => line.event === 'evaluation');
      expect(evaluations.length).toBe(21);
      // Trained at all: a byte costs ln 256 = 5.5 nats in the beginning.
      expect(evaluations.at(-1).losses.a).toBeLessThan(0.8 * evaluations[0].losses.a);
      const updates = own.filter((line) => line.event === 'update');
      expect(updates.length).toBe(run.startsWith('pike') ? 5 : 0);
      for (const update of updates) {
        expect(update.missed).toEqual([]);
        expect(update.statistics.microBatches).toEqual([4, 4]);
        expect(update.statistics.variance.every((x: number) => x > 0)).toBe(true);
      }
    }
    // All start from the same weights and samples: until the mixtures differ, the losses are the same.
    const first = (run: string) =>
      lines.find((line) => line.run.startsWith(run) && line.event === 'step').loss;
    expect(first('pike')).toBe(first('uniform'));
  });

  const texts = ['--task', 'a=A.txt', '--task', 'b=B'];

  it.each(ruleNames.filter((name) => name !== 'pike'))('takes --rule %s', (rule) => {
    const { status, stdout, stderr } = demo(
      '--rule',
      rule,
      '--steps',
      '24',
      '--log',
      `${rule}.jsonl`,
      ...texts,
    );
    expect([status, stderr.includes('Error')]).toEqual([0, false]);
    if (rule === 'uniform') return;
    expect(stdout).toMatch(new RegExp(`${rule} (ended|did not beat)`));
    const lines = readFileSync(join(folder, `${rule}.jsonl`), 'utf8')
      .trimEnd()
      .split('\n');
    const own = lines.map((line) => JSON.parse(line)).filter(({ run }) => run === `${rule}, seed 1`);
    expect(own[0].options.rule).toBe(rule);
    const updates = own.filter(({ event }) => event === 'update');
    // Adam's metric is known after ten steps; who needs none is updated from the beginning, or before every batch.
    const perBatch = rule === 'round-robin' || rule === 'random';
    expect(updates.length).toBe(
      perBatch ? 24 : rules[rule]?.needs.gradients === undefined && rules[rule] ? 2 : 3,
    );
    const [{ weights, lossWeights }] = updates.slice(-1);
    expect(weights.a + weights.b).toBeCloseTo(1, 12);
    expect(Number.isFinite(lossWeights.a + lossWeights.b)).toBe(true);
  });

  it('runs balanced for every τ, and says how the spread of losses closes', () => {
    const { status, stdout } = demo('--rule', 'balanced', '--tau', '1,3', '--steps', '24', ...texts);
    expect(status).toBe(0);
    for (const tau of [1, 3])
      expect(stdout).toMatch(
        new RegExp(
          `balanced τ=${tau}: highest − lowest task loss \\d\\.\\d{3} at first, \\d\\.\\d{3} at most, \\d\\.\\d{3} in the end`,
        ),
      );
  });

  it('averages over seeds', () => {
    const { status, stdout } = demo('--steps', '12', '--seeds', '2', '--task', 'a=A.txt', '--task', 'b=B');
    expect(status).toBe(0);
    expect(stdout).toContain('Mean ± standard error over 2 seeds');
    expect(stdout).toMatch(/│ mean +│ \d\.\d{3} ± \d\.\d{3}/);
  });

  it.each([
    [
      'a file that is not there',
      ['--task', 'a=A.txt', '--task', 'b=nowhere.txt'],
      /task b: there is no file or folder nowhere\.txt/,
    ],
    ['one task', ['--task', 'a=A.txt'], /--task was given once: mixing needs two tasks or more/],
    ['the same task twice', ['--task', 'a=A.txt', '--task', 'a=B'], /--task a was given twice/],
    ['too little text', ['--task', 'a=A.txt', '--task', 'b=short.txt'], /task b: 10 bytes are too few/],
    ['a rule that there is not', ['--rule', 'nonsense'], /--rule must be one of pike.*'nonsense'/],
    [
      'a backend that there is not',
      ['--backend', 'tpu'],
      /--backend must be one of auto, cpu, cuda, reference/,
    ],
    ['a backend that cannot be had', ['--backend', 'cuda'], /backend 'cuda' cannot be had: ./],
    ['a number of steps that is none', ['--steps', '1.5'], /--steps must be a whole number/],
    ['a flag that there is not', ['--step', '3'], /--step.*--help/],
    [
      'a log that cannot be opened',
      ['--steps', '1', '--log', 'no/such/folder/run.jsonl', '--task', 'a=A.txt', '--task', 'b=B'],
      /run log .* cannot be opened/,
    ],
  ])('%s is one clear line and a non-zero exit code', (_, args, message) => {
    const { status, stderr } = demo(...args);
    expect(status).toBeGreaterThan(0);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n').length).toBe(1);
  });

  it('explains itself', () => {
    const { status, stdout } = demo('--help');
    expect(status).toBe(0);
    for (const flag of [
      '--stack',
      '--steps',
      '--seed',
      '--seeds',
      '--rule',
      '--tau',
      '--temperature',
      '--smoothness',
      '--backend',
      '--log',
      '--task',
      '--mixture',
    ])
      expect(stdout).toContain(`${flag} `);
  });
});

describe('npm run demo -- --stack jax', () => {
  it('trains a transformer, measures in its Adam’s metric, and says what mixing costs', () => {
    const { status, stdout, stderr } = demo(
      ...['--stack', 'jax', '--steps', '12', '--log', 'jax.jsonl'],
      ...['--task', 'a=A.txt', '--task', 'b=B'],
    );
    expect(status, stderr).toBe(0);
    expect(stderr).toMatch(/pike, seed 1: step 12\/12, loss \d/);
    expect(stdout).toContain('132416 parameters, a transformer of 2 layers');
    expect(stdout).toMatch(
      /pike: mixing itself took \d+\.\d\d % of the time \(next .*, the extra passes of measuring/,
    );
    const lines = readFileSync(join(folder, 'jax.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const of = (run: string, event: string) =>
      lines.filter((line) => line.run === `${run}, seed 1` && line.event === event);
    for (const run of ['uniform', 'pike', 'static']) {
      const evaluations = of(run, 'evaluation');
      // The initial outputs are small: ln 256 = 5.55 nats. Then it learns.
      expect(evaluations[0].losses.a).toBeGreaterThan(5.4);
      expect(evaluations[0].losses.a).toBeLessThan(5.7);
      expect(evaluations.at(-1).losses.a).toBeLessThan(0.85 * evaluations[0].losses.a);
      for (const { counts } of of(run, 'step')) expect(counts.a + counts.b).toBe(96);
      expect(of(run, 'update').length).toBe(run === 'pike' ? 1 : 0);
    }
    expect(of('uniform', 'step')[0].loss).toBe(of('pike', 'step')[0].loss);
    const [{ missed, statistics }] = of('pike', 'update');
    expect(missed).toEqual([]);
    expect(statistics.samples).toEqual([48, 48]);
    expect(statistics.microBatches).toEqual([4, 4]);
    expect(statistics.standardError).not.toBeNull();
    const [{ mixingSeconds, extraPassSeconds, trainingSeconds }] = of('pike', 'end');
    expect(mixingSeconds).toBeGreaterThan(0);
    // Of few steps, on any machine: minutes taken for seconds would be seen.
    expect(mixingSeconds + extraPassSeconds).toBeLessThan(10 * trainingSeconds);
  }, 300_000);
});
