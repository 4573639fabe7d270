/**
 * The step of a training loop that measures on the training batches themselves, without a stack: when the mixer is
 * due, the batch is taken in task-pure micro-batches, whose gradients are measured and together make the step.
 */
import type { Mixer } from '../../mixer/mixer.js';
import type { UpdateReport } from '../../mixer/report.js';
import type { RowCollector } from './collector.js';
import { type StepCost, Stopwatch } from './cost.js';
import { type MicroBatch, microBatchesOf } from './micro-batches.js';

/** What one training step did. */
export interface TrainStep {
  /** Samples of every task in this batch, length K. */
  readonly counts: Int32Array;
  /** The weights that these counts were drawn by, length K. */
  readonly weights: Float64Array;
  /** Mean loss of the batch. */
  readonly loss: number;
  /** What the mixer did, when this step was a measuring one. */
  readonly report: UpdateReport | null;
  /** What it took, and how much of that was mixing. */
  readonly cost: StepCost;
}

/** How a trainer takes its steps. */
export interface StepOptions {
  /** false trains on the mixer's weights as they are, for comparison (default true). */
  measure?: boolean;
  /**
   * true takes every step in task-pure micro-batches whose gradients are accumulated, not only those that measure: least
   * memory for activations, and measuring then adds no passes at all (default false).
   */
  accumulate?: boolean;
}

/** What a stack does. An error leaves its parameters where they were. */
export interface Stack {
  /** Whether gradients can be measured by now: not while the metric is unknown. */
  ready(): boolean | Promise<boolean>;
  /** How many samples each of the micro-batches has that `count` samples of a task are cut into. */
  cut(count: number, measure: boolean): readonly number[];
  /** Whether `whole` tells the tasks' losses apart, and multiplies them by the mixer's loss weights. */
  readonly wholeKnowsTasks: boolean;
  /** A step by one pass over the whole batch. */
  whole(counts: Int32Array, watch: Stopwatch): Promise<BatchLosses>;
  /**
   * A pass for each micro-batch, of which the sum of `factors[i]` times the gradient of its mean loss makes a step; each
   * gradient goes to the collector, too, if there is one.
   */
  byTask(
    batches: readonly MicroBatch[],
    factors: readonly number[],
    collector: RowCollector | null,
    watch: Stopwatch,
  ): Promise<Passes>;
}

export interface Passes {
  /** The mean loss of each micro-batch. */
  readonly losses: readonly number[];
  /** Takes the step; to be called once. */
  step(): void | Promise<void>;
}

export interface BatchLosses {
  readonly mean: number;
  /** By task, where a stack knows them; without those that have no samples. */
  readonly tasks: Record<string, number> | null;
}

/** One step: draws a batch, moves the parameters, and updates the weights if due. */
export async function takeStep(
  mixer: Mixer,
  stack: Stack,
  collector: RowCollector,
  { measure: mayMeasure = true, accumulate = false }: StepOptions,
): Promise<TrainStep> {
  const watch = new Stopwatch();
  const { needs } = mixer;
  const update = mayMeasure && mixer.due && (!needs.gradients || (await stack.ready()));
  const measure = update && needs.gradients;
  const { weights, counts } = watch.timeNext(() => ({ weights: mixer.weights, counts: mixer.next() }));
  const tasksApart = (update && needs.losses) || mixer.lossWeights.some((y) => y !== 1);
  if (!measure && !accumulate && (!tasksApart || stack.wholeKnowsTasks)) {
    const losses = await stack.whole(counts, watch);
    return { counts, weights, loss: losses.mean, report: await afterStep(losses), cost: watch.cost() };
  }
  const { losses, step } = await passes(mixer, stack, counts, measure ? collector : null, watch);
  let report: UpdateReport | null;
  if (measure) report = await measureAlong(collector, step, watch);
  else {
    await step();
    report = await afterStep(losses);
  }
  return { counts, weights, loss: losses.mean, report, cost: watch.cost() };

  /** The update of a rule that needs no gradients. */
  async function afterStep({ tasks }: BatchLosses): Promise<UpdateReport | null> {
    if (!update) return null;
    return watch.time('update', () => mixer.update(needs.losses && tasks ? { losses: tasks } : {}));
  }
}

/**
 * The rows are measured off this thread while the optimiser takes its step on it. Should the optimiser throw, the
 * weights have been updated all the same: the gradients were good.
 */
async function measureAlong(
  collector: RowCollector,
  step: Passes['step'],
  watch: Stopwatch,
): Promise<UpdateReport> {
  const pending = await watch.time('update', async () => {
    const report = collector.end();
    // Looked at below; until then it is nobody's.
    report.catch(() => {});
    // Ticks come when all that was due at once has been done: then the rows are being read.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    return { report };
  });
  try {
    await step();
  } catch (error) {
    await pending.report.catch(() => {});
    throw error;
  }
  return watch.time('update', () => pending.report);
}

/** The passes of a batch by task: the step is by the sum over tasks of y_k b_k/b times the gradient of task k. */
async function passes(
  mixer: Mixer,
  stack: Stack,
  counts: Int32Array,
  collector: RowCollector | null,
  watch: Stopwatch,
): Promise<{ losses: BatchLosses; step: Passes['step'] }> {
  const { lossWeights, batchSize } = mixer;
  const batches = microBatchesOf(counts, (count) => stack.cut(count, collector !== null));
  const factors = batches.map(({ task, samples }) => (samples / batchSize) * lossWeights[task]);
  let taken: Passes;
  try {
    taken = await stack.byTask(batches, factors, collector, watch);
  } catch (error) {
    await collector?.abandon();
    throw error;
  }
  let mean = 0;
  const tasks: Record<string, number> = {};
  for (const [i, { task, samples }] of batches.entries()) {
    const name = mixer.tasks[task];
    mean += (samples / batchSize) * taken.losses[i];
    tasks[name] = (tasks[name] ?? 0) + (samples / counts[task]) * taken.losses[i];
  }
  return { losses: { mean, tasks }, step: () => taken.step() };
}
