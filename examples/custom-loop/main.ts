#!/usr/bin/env node
/**
 * A network in plain JavaScript, with gradients by hand and no training stack, on three generated sources: trained with a
 * uniform mixture, and with one that PiKE moves. After `npm run build:ts`:
 *
 *     node dist-examples/custom-loop/main.js
 */
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { PikeError } from 'pike-mixer';
import { drawData, tasks } from './sources.js';
import { type Run, train } from './train.js';

const usage = `Trains a network in plain JavaScript on three generated sources, with a uniform mixture and with PiKE.

  --steps N   training steps of each run (default 600)
  --seed N    first seed, of data, model and batches (default 1)
  --seeds N   how many seeds, for mean ± standard error (default 1)
  --help      this text`;

/** What the user has to see to; told without a stack. */
class UsageError extends Error {}

async function main(): Promise<void> {
  const { values } = readArguments();
  if (values.help) {
    console.log(usage);
    return;
  }
  const steps = wholeNumber('--steps', values.steps ?? '600');
  const seed = wholeNumber('--seed', values.seed ?? '1');
  const seeds = wholeNumber('--seeds', values.seeds ?? '1');
  const runs: { uniform: Run[]; PiKE: Run[] } = { uniform: [], PiKE: [] };
  for (let i = 0; i < seeds; i++) {
    const data = drawData(seed + i);
    for (const [name, list] of Object.entries(runs))
      list.push(await train({ data, steps, seed: seed + i, adaptive: name === 'PiKE' }));
  }
  console.log(format(runs));
  // One seed tells nothing of an error.
  console.log(`${steps} steps; ${seeds > 1 ? `± one standard error over ${seeds} seeds` : `seed ${seed}`}`);
}

function format(runs: Record<string, readonly Run[]>): string {
  const table = new Table({
    head: ['held-out loss', ...Object.keys(runs)],
    colAligns: ['left', 'right', 'right'],
    style: { head: [], border: [] },
  });
  const row = (title: string, value: (run: Run) => number, show: (x: number) => string) =>
    table.push([title, ...Object.values(runs).map((list) => spread(list.map(value), show))]);
  const percent = (x: number) => `${(100 * x).toFixed(2)} %`;
  for (const task of tasks)
    row(
      task,
      ({ losses }) => losses[task]!,
      (x) => x.toFixed(3),
    );
  row(
    'mean',
    ({ losses }) => mean(Object.values(losses)),
    (x) => x.toFixed(3),
  );
  for (const [k, task] of tasks.entries())
    row(
      `weight of ${task} at the end`,
      ({ weights }) => weights[k]!,
      (x) => x.toFixed(2),
    );
  row(
    'seconds',
    ({ seconds }) => seconds,
    (x) => x.toFixed(1),
  );
  row('share of them spent on mixing', ({ mixingShare }) => mixingShare, percent);
  row('… in the second half', ({ mixingShareLater }) => mixingShareLater, percent);
  return table.toString();
}

function spread(values: readonly number[], show: (x: number) => string): string {
  const centre = mean(values);
  if (values.length === 1) return show(centre);
  const variance = values.reduce((sum, x) => sum + (x - centre) ** 2, 0) / (values.length - 1);
  return `${show(centre)} ± ${show(Math.sqrt(variance / values.length))}`;
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

function readArguments() {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({ options: { steps: text, seed: text, seeds: text, help: { type: 'boolean' } } });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(/\.\s|\n/)[0]}; see --help`);
  }
}

function wholeNumber(name: string, text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new UsageError(`${name} must be a whole number of at least 1, but is '${text}'`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError || error instanceof PikeError)) throw error;
  console.error(`custom-loop: ${error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
