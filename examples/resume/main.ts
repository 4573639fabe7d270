#!/usr/bin/env node
/**
 * A training run that can be killed at any time and goes on where it was. After `npm run build:ts`:
 *
 *     node dist-examples/resume/main.js              # kill it (kill -9, Ctrl-C, power), start it again
 *     node dist-examples/resume/main.js --check      # does so ten times, and compares with a run that was left alone
 */
import { mkdirSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PikeError } from 'pike-mixer';
import { check } from './check.js';
import { run, type Trace } from './train.js';

const usage = `Trains a classifier on three sources, saving its state, so that it can be killed at any time.

  --folder DIR      where state and data lie (default: pike-mixer-resume in the system's temporary folder)
  --steps N         training steps in all (default 20000; 200 in a check)
  --save-every N    steps from one save to the next, 0 for none (default 100; 7 in a check)
  --trace           print every step as JSON: numbers of its samples, weights, loss
  --check           kill runs at random steps, resume them, and compare with a run that was left alone
  --trials N        runs to kill in a check (default 10)
  --seed N          of the steps at which they are killed (default 1)
  --help            this text`;

/** What the user has to see to; told without a stack. */
class UsageError extends Error {}

async function main(): Promise<void> {
  const { values } = readArguments();
  if (values.help) {
    console.log(usage);
    return;
  }
  const checking = values.check === true;
  const steps = wholeNumber('--steps', values.steps ?? (checking ? '200' : '20000'), 1);
  const saveEvery = wholeNumber('--save-every', values['save-every'] ?? (checking ? '7' : '100'), 0);
  const trials = wholeNumber('--trials', values.trials ?? '10', 1);
  const seed = wholeNumber('--seed', values.seed ?? '1', 0);
  if (checking) {
    await report({ steps, saveEvery, trials, seed });
    return;
  }
  const folder = values.folder ?? join(tmpdir(), 'pike-mixer-resume');
  mkdirSync(folder, { recursive: true });
  if (values.trace) {
    // At once and whole, so that a kill takes nothing along that was told.
    await run({
      folder,
      steps,
      saveEvery,
      onStep: (trace) => void writeSync(1, `${JSON.stringify(trace)}\n`),
    });
    return;
  }
  await run({
    folder,
    steps,
    saveEvery,
    onResume: (step) => console.log(`goes on from step ${step}, as saved in ${folder}`),
    onStep: (trace) => (trace.step + 1) % 1000 === 0 && console.log(describe(trace)),
  });
  console.log(`done: ${steps} steps. Remove ${folder} to begin anew.`);
}

function describe({ step, weights, loss }: Trace): string {
  return `step ${step + 1}: weights ${weights.map((w) => w.toFixed(3)).join(', ')}, loss ${loss.toFixed(3)}`;
}

async function report(options: Parameters<typeof check>[0]): Promise<void> {
  const started = performance.now();
  const { killed, resumed, saving, compared, differences } = await check(options);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(
    `${options.trials} runs of ${options.steps} steps: ${killed} killed before their end, ${resumed} of them after the first save, ${saving} in the middle of a save`,
  );
  console.log(
    `${compared} steps compared with a run that was left alone (samples, weights, loss): ${differences.length === 0 ? 'all identical' : `${differences.length} RUNS DIFFER`} (${seconds} s)`,
  );
  for (const difference of differences) console.log(difference);
  if (differences.length > 0) process.exitCode = 1;
}

function readArguments() {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    folder: text,
    steps: text,
    'save-every': text,
    trace: flag,
    check: flag,
    trials: text,
    seed: text,
    help: flag,
  };
  try {
    return parseArgs({ options });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(/\.\s|\n/)[0]}; see --help`);
  }
}

function wholeNumber(name: string, text: string, least: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new UsageError(`${name} must be a whole number of at least ${least}, but is '${text}'`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError || error instanceof PikeError)) throw error;
  console.error(`resume: ${error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
