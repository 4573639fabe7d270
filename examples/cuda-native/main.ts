#!/usr/bin/env node
/**
 * A classifier whose gradients never leave the GPU, trained on three sources twice: with a uniform mixture, and with
 * one that pike-mixer decides from the gradients where they are. Exit code 2 where that cannot be: without a GPU, or
 * before the addon is built.
 */
import { parseArgs } from 'node:util';
import { Mixer, PikeError } from 'pike-mixer';
import { check } from './check.js';
import { DeviceModel, loadAddon } from './device-model.js';
import { drawData, sources } from './sources.js';
import { batchSize, type Look, rowsNeeded, train } from './train.js';

const usage = `Trains a classifier on a GPU, its gradients in device memory, with a uniform mixture and with PiKE.

  --steps N   training steps of each run (default 2000)
  --seed N    seed of the data and of the batches (default 1)
  --check     compare gradients and losses with those of the same classifier in TypeScript, and train nothing
  --help      this text`;

/** What the user has to see to; told without a stack. */
class Unable extends Error {}

async function main(): Promise<void> {
  const { values } = readArguments();
  if (values.help) {
    console.log(usage);
    return;
  }
  const steps = wholeNumber('--steps', values.steps ?? '2000');
  const seed = wholeNumber('--seed', values.seed ?? '1');
  using tried = new Mixer({ tasks: sources.map(({ name }) => name), batchSize, backend: 'cuda' });
  console.log(`${tried.backend.device}: ${tried.backend.reason}`);
  const addon = loadAddon();
  if (!addon)
    throw new Unable('the addon of this example is not built; run `node examples/cuda-native/build.mjs`');

  const data = drawData(seed);
  const batch = Math.max(batchSize, ...data.heldOut.map((samples) => samples.length));
  const withModel = async <T>(use: (model: DeviceModel) => T | Promise<T>): Promise<T> => {
    const model = new DeviceModel(addon, data, rowsNeeded, batch);
    try {
      return await use(model);
    } finally {
      model.dispose();
    }
  };
  if (values.check) {
    const { error, passed } = await withModel((model) => check(model, data, seed));
    console.log(
      `largest error of a gradient or loss: ${error.toExponential(1)}, ${passed ? 'rounding' : 'WRONG'}`,
    );
    process.exitCode = passed ? 0 : 1;
    return;
  }
  const run = (adaptive: boolean) =>
    withModel((model) => train(model, { data, steps, seed, adaptive, backend: 'cuda' }));
  printRun('uniform', await run(false));
  printRun('PiKE', await run(true));
}

function printRun(name: string, looks: readonly Look[]): void {
  const line = (first: string, cells: readonly string[]) =>
    console.log(first.padStart(6) + cells.map((cell) => cell.padStart(8)).join(''));
  const names = sources.map((source) => source.name);
  console.log(`\n${name}: weights, then held-out losses`);
  line('step', [...names, '', ...names, 'mean']);
  for (const { step, weights, losses } of looks) {
    const mean = losses.reduce((a, b) => a + b, 0) / losses.length;
    line(String(step), [
      ...Array.from(weights, (weight) => weight.toFixed(3)),
      '',
      ...[...losses, mean].map((loss) => loss.toFixed(4)),
    ]);
  }
}

function readArguments() {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({ options: { steps: text, seed: text, check: flag, help: flag } });
  } catch (error) {
    throw new Unable(`${(error as Error).message.split(/\.\s|\n/)[0]}; see --help`);
  }
}

function wholeNumber(name: string, text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Unable(`${name} must be a whole number of at least 1, but is '${text}'`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Unable || error instanceof PikeError)) throw error;
  console.error(`cuda-native: ${error.message}`);
  process.exitCode = error instanceof Unable || error.code === 'ERR_NO_BACKEND' ? 2 : 1;
}
