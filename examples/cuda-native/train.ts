import { Mixer } from 'pike-mixer';
import type { Model } from './model.js';
import { type DataSet, pick, randomNumbers, sources } from './sources.js';

export const batchSize = 192;
const learningRate = 0.05;
/** Mixer's default: micro-batch gradients per source and measurement. */
const microBatches = 4;
/** Rows that a model needs: those of a measurement, and one for the training batch. */
export const rowsNeeded = sources.length * microBatches + 1;

/** How often a run is looked at, evenly spaced, beside its beginning. */
const looks = 5;

export interface Look {
  readonly step: number;
  readonly weights: Float64Array;
  /** Held-out losses, by source. */
  readonly losses: readonly number[];
}

export interface TrainOptions {
  readonly data: DataSet;
  readonly steps: number;
  readonly seed: number;
  /** Whether gradients are measured and move the weights; without, the mixture stays uniform. */
  readonly adaptive: boolean;
  readonly backend: 'cuda' | 'auto';
}

/** Trains a model from its initial weights. */
export async function train(model: Model, options: TrainOptions): Promise<Look[]> {
  const { data, steps, seed, adaptive, backend } = options;
  using mixer = new Mixer({ tasks: sources.map((source) => source.name), batchSize, microBatches, backend });
  const random = randomNumbers(seed);
  const batchRow = rowsNeeded - 1;
  const evaluate = (): Look => {
    const losses = data.heldOut.map((samples) => {
      model.gradient(0, samples);
      return model.losses(1)[0]!;
    });
    return { step: mixer.step, weights: mixer.weights, losses };
  };

  const seen = [evaluate()];
  for (let step = 1; step <= steps; step++) {
    if (adaptive && mixer.due) {
      const samples = sources.map(() => new Array<number>(microBatches).fill(mixer.microBatchSize));
      const rows = samples.map((sizes, k) =>
        sizes.map((size, i) => model.gradient(k * microBatches + i, pick(data.train[k]!, size, random))),
      );
      // Waits for the GPU, for a few numbers. The default rule does without losses; 'balanced' needs them.
      const losses = model.losses(sources.length * microBatches);
      await mixer.measure(rows, {
        samples,
        losses: samples.map((_, k) => Array.from(losses.subarray(k * microBatches, (k + 1) * microBatches))),
      });
    }
    const counts = mixer.next();
    const batch = sources.flatMap((_, k) => Array.from(pick(data.train[k]!, counts[k]!, random)));
    model.gradient(batchRow, Uint32Array.from(batch));
    model.step(batchRow, learningRate);
    if (step % Math.max(1, Math.floor(steps / looks)) === 0 || step === steps) seen.push(evaluate());
  }
  return seen;
}
