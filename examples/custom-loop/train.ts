import { GradientBuffer, MixedSource, Mixer } from 'pike-mixer';
import { Network } from './model.js';
import { classes, type Data, inputs, randomNumbers, type Sample, tasks } from './sources.js';

const hidden = 256;
const batchSize = 192;
const learningRate = 0.1;

export interface Run {
  /** Held-out losses at the end, by task. */
  readonly losses: Record<string, number>;
  readonly weights: Float64Array;
  /** Of the training steps, without evaluation. */
  readonly seconds: number;
  /** The share of them that is not the model's: next and measure. */
  readonly mixingShare: number;
  /** The same in the second half alone, when Node has compiled what it runs often. */
  readonly mixingShareLater: number;
}

export interface TrainOptions {
  readonly data: Data;
  readonly steps: number;
  readonly seed: number;
  /** Whether gradients move the weights; otherwise the mixture stays uniform. */
  readonly adaptive: boolean;
}

export async function train({ data, steps, seed, adaptive }: TrainOptions): Promise<Run> {
  const model = new Network(inputs, hidden, classes, randomNumbers(seed));
  using mixer = new Mixer({ tasks, batchSize });
  await using mixed = new MixedSource<Sample>({ mixer, sources: data.train, seed });

  const d = model.parameters.length;
  // A gradient for every micro-batch, in memory that the addon reads where it is.
  const rows = tasks.map(() => Array.from({ length: mixer.microBatches }, () => GradientBuffer.allocate(d)));
  const total = new Float32Array(d);
  const clock = new Clock();
  let half = clock.read();
  for await (const { tasks: parts } of mixed) {
    // Measured on the training batch itself, every source's share of it in `microBatches` parts: no sample and no backward
    // pass is spent on measuring.
    const measuring = adaptive && mixer.due;
    const microBatches = tasks.map((task) => split(parts[task]!.samples, measuring ? mixer.microBatches : 1));
    const losses = clock.ofModel(() => {
      total.fill(0);
      const means = microBatches.map((list, k) =>
        list.map((samples, i) => {
          const gradient = rows[k]![i]!.array as Float32Array;
          const loss = model.gradient(samples, gradient);
          for (let j = 0; j < d; j++) total[j]! += (samples.length / batchSize) * gradient[j]!;
          return loss;
        }),
      );
      model.step(total, learningRate);
      return means;
    });
    if (measuring)
      await mixer.measure(
        microBatches.map((list, k) => rows[k]!.slice(0, list.length)),
        { samples: microBatches.map((list) => list.map(({ length }) => length)), losses },
      );
    if (mixer.step === Math.floor(steps / 2)) half = clock.read();
    if (mixer.step === steps) break;
  }
  const end = clock.read();
  const losses = Object.fromEntries(tasks.map((task) => [task, model.gradient(data.heldOut[task]!, total)]));
  return {
    losses,
    weights: mixer.weights,
    seconds: end.total / 1000,
    mixingShare: 1 - end.model / end.total,
    mixingShareLater: 1 - (end.model - half.model) / (end.total - half.total),
  };
}

/** Milliseconds since it was made, and those of them that the model took. */
class Clock {
  private readonly started = performance.now();
  private model = 0;

  ofModel<T>(work: () => T): T {
    const began = performance.now();
    const result = work();
    this.model += performance.now() - began;
    return result;
  }

  read() {
    return { total: performance.now() - this.started, model: this.model };
  }
}

/** `list` in so many parts of nearly the same length, none of them empty. */
export function split<T>(list: readonly T[], parts: number): T[][] {
  const at = (i: number) => Math.round((i * list.length) / parts);
  return Array.from({ length: parts }, (_, i) => list.slice(at(i), at(i + 1))).filter(
    ({ length }) => length > 0,
  );
}
