import { HostModel } from './host-model.js';
import type { Model } from './model.js';
import { type DataSet, pick, randomNumbers } from './sources.js';
import { batchSize, rowsNeeded } from './train.js';

const steps = 200;
const learningRate = 0.5;
/** float32 sums of a few hundred terms, and steps on parameters that drift apart by as much. */
const tolerance = 1e-4;

/**
 * Trains `model` and the same classifier in TypeScript on the same batches.
 *
 * @returns the largest error of a gradient as a share of its norm, or of a loss, and whether that is rounding
 */
export function check(model: Model, data: DataSet, seed: number): { error: number; passed: boolean } {
  const host = new HostModel(data, rowsNeeded);
  const random = randomNumbers(seed);
  let error = 0;
  const notice = (difference: number) => {
    error = Number.isNaN(difference) ? Infinity : Math.max(error, difference);
  };
  for (let step = 0; step < steps; step++) {
    const row = step % rowsNeeded;
    const samples = pick(data.train[step % data.train.length]!, 1 + Math.floor(batchSize * random()), random);
    for (const each of [model, host]) each.gradient(row, samples);
    const [actual, expected] = [model.read(row), host.read(row)];
    notice(norm(actual.map((x, i) => x - expected[i]!)) / norm(expected));
    notice(Math.abs(model.losses(row + 1)[row]! - host.losses(row + 1)[row]!));
    for (const each of [model, host]) each.step(row, learningRate);
  }
  return { error, passed: error < tolerance };
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
}
