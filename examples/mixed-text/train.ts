import { Mixer, type MixerOptions, RunLog } from 'pike-mixer';
import type { RunResult } from './comparison.js';
import { CostAccount } from './cost-account.js';
import type { Progress } from './progress.js';
import type { Source } from './sources.js';
import type { TextStack } from './stack.js';

export interface RunOptions {
  stack: TextStack;
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
  const { stack, mixing, sources, seed, steps, adaptive } = options;
  const { batchSize } = stack;
  const tasks = sources.map((source) => source.name);
  using mixer = new Mixer({ tasks, batchSize, backend: options.backend, ...options.options });
  const learner = stack.create({ mixer, sources, seed, adaptive });
  const log = options.log && openLog(options.log, mixer, options, learner.parameters);

  const evaluations: RunResult['evaluations'] = [];
  const evaluate = async () => {
    const losses = await learner.evaluate();
    evaluations.push({ samples: mixer.step * batchSize, losses });
    log?.evaluation(losses);
  };
  const costs = new CostAccount();
  await evaluate();
  for (let i = 1; i <= steps; i++) {
    const { counts, weights, loss, report, cost } = await learner.step();
    costs.add(cost, report !== null);
    const { tensors } = learner;
    log?.step(counts, weights, { loss, ...(tensors === undefined ? {} : { tensors }) });
    progress.step({ run: `${mixing}, seed ${seed}`, loss, tasks, weights: mixer.weights });
    if (i % Math.max(1, Math.floor(steps / stack.evaluations)) === 0 || i === steps) await evaluate();
  }
  const weights = Array.from(mixer.weights);
  const cost = costs.total();
  log?.end({ trainingSeconds: cost.seconds, mixingSeconds: cost.mixing, extraPassSeconds: cost.extraPasses });
  learner.dispose();
  return { mixing, seed, evaluations, cost, weights };
}

function openLog(
  { path, append }: { path: string; append: boolean },
  mixer: Mixer,
  { stack, mixing, seed, adaptive }: RunOptions,
  parameters: number,
): RunLog {
  const { learningRate } = stack;
  const about = { mixing, seed, adaptive, parameters, learningRate, optimizer: 'adam' };
  return new RunLog(path, mixer, { run: `${mixing}, seed ${seed}`, about, append });
}
