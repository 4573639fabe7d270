import * as tf from '@tensorflow/tfjs';
import { Mixer, type MixerOptions, RunLog } from 'pike-mixer';
import { createTrainer } from 'pike-mixer/tfjs';
import type { RunResult } from './comparison.js';
import { ByteModel } from './model.js';
import type { Progress } from './progress.js';
import { Random } from './random.js';
import { joinWindows, type Source } from './sources.js';
import { WeightAverage } from './weight-average.js';

/**
 * Large for so small a model: at 96, the noise of one measurement is several hundred times its signal late in a run.
 */
export const batchSize = 384;
export const learningRate = 2e-3;

/** Held-out evaluations of a run, evenly spaced, beside the one before training. */
const evaluations = 20;

export interface RunOptions {
  /** How it is mixed, for tables and logs. */
  mixing: string;
  /** The mixer's, by which it is mixed. */
  options: Partial<MixerOptions>;
  /** Whether its rule measures and moves the weights, which otherwise stay as they are at first. */
  adaptive: boolean;
  sources: readonly Source[];
  seed: number;
  steps: number;
  backend: NonNullable<MixerOptions['backend']>;
  /** Where to log, and whether earlier runs stand there already. */
  log: { path: string; append: boolean } | null;
}

/** Trains one model from the seed's initial weights on `steps` batches. */
export async function train(options: RunOptions, progress: Progress): Promise<RunResult> {
  const { mixing, sources, seed, steps } = options;
  const tasks = sources.map((source) => source.name);
  using mixer = new Mixer({
    tasks,
    batchSize,
    backend: options.backend,
    ...options.options,
  });
  const model = new ByteModel(seed);
  const average = new WeightAverage(model.variables);
  const optimizer = tf.train.adam(learningRate);
  const random = tasks.map((task) => Random.named(seed, 'samples', task));
  const step = createTrainer(tf, mixer, {
    draw: (counts) => joinWindows(sources.map((source, k) => source.sample(random[k]!, counts[k]!))),
    loss: (windows) => model.loss(windows),
    variables: model.variables,
    optimizer,
    measure: options.adaptive,
  });
  const log = options.log && openLog(options.log, mixer, options, model.parameters);

  const result: RunResult = {
    mixing,
    seed,
    evaluations: [],
    seconds: 0,
    mixingSeconds: 0,
    weights: [],
  };
  const evaluate = () => {
    const losses = average.during(() => sources.map((source) => model.evaluate(source.heldOut)));
    result.evaluations.push({ samples: mixer.step * batchSize, losses });
    log?.evaluation(losses);
  };
  const plain: number[] = [];
  const measuring: number[] = [];
  evaluate();
  for (let i = 1; i <= steps; i++) {
    const started = performance.now();
    const { counts, weights, loss, report } = await step();
    (report ? measuring : plain).push((performance.now() - started) / 1000);
    average.update();
    log?.step(counts, weights, { loss, tensors: tf.memory().numTensors });
    progress.step({ run: `${mixing}, seed ${seed}`, loss, tasks, weights: mixer.weights });
    if (i % Math.max(1, Math.floor(steps / evaluations)) === 0 || i === steps) evaluate();
  }
  result.weights = Array.from(mixer.weights);
  result.seconds = sum(plain) + sum(measuring);
  // What measuring steps took beyond the plain steps that they replace.
  result.mixingSeconds = plain.length > 0 ? sum(measuring) - measuring.length * median(plain) : 0;
  log?.end({ trainingSeconds: result.seconds, mixingSeconds: result.mixingSeconds });
  optimizer.dispose();
  average.dispose();
  model.dispose();
  return result;
}

function openLog(
  { path, append }: { path: string; append: boolean },
  mixer: Mixer,
  { mixing, seed, adaptive }: RunOptions,
  parameters: number,
): RunLog {
  const about = { mixing, seed, adaptive, parameters, learningRate, optimizer: 'adam' };
  return new RunLog(path, mixer, { run: `${mixing}, seed ${seed}`, about, append });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
