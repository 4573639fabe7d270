/**
 * TensorFlow.js: batches by the mixer's counts, per-task gradients from `tf.variableGrads`, and Adam's metric.
 *
 * `tf` is handed in, never imported: a second copy of TensorFlow.js would have an engine, variables and a
 * backend of its own. Nothing here leaks tensors: what a function makes, it disposes.
 */
import type * as tfjs from '@tensorflow/tfjs';
import { PikeError } from '../errors.js';
import type { Mixer } from '../mixer/mixer.js';
import type { UpdateReport } from '../mixer/report.js';
import { requireOneOf, show } from '../validate.js';

type Tf = typeof tfjs;

/** A batch as the user's functions know it: any object; tensors among its values are disposed after use. */
export type Batch = object;

/** Draws a batch with `counts[k]` samples of task k, tasks in order. */
export type DrawBatch<B extends Batch> = (counts: Int32Array) => B | Promise<B>;

/** Mean loss of a batch over its samples, as a scalar tensor on which gradients can be taken. */
export type BatchLoss<B extends Batch> = (batch: B) => tfjs.Scalar;

/** What `fitDataset` takes. */
export type LabeledBatch = { xs: tfjs.Tensor; ys: tfjs.Tensor };

/**
 * Joins one source per task into a `DrawBatch`: each returns `n` samples, joined along the first axis.
 *
 * @param sources by task; `n` >= 1. The tensors returned are disposed after use: clone what you keep.
 * @throws PikeError `ERR_INVALID_OPTION` when a task has no source; the drawing, `ERR_SHAPE` when a source returns
 *   another number of samples
 */
export function drawFrom(
  tf: Tf,
  mixer: Mixer,
  sources: Readonly<Record<string, (n: number) => LabeledBatch | Promise<LabeledBatch>>>,
): DrawBatch<LabeledBatch> {
  const ordered = mixer.tasks.map((task) => {
    if (typeof sources[task] === 'function') return sources[task];
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `sources['${task}'] must be a function that returns samples, but is ${show(sources[task])}.`,
    );
  });
  return async (counts) => {
    const parts: LabeledBatch[] = [];
    try {
      for (const [k, source] of ordered.entries()) {
        if (counts[k] === 0) continue;
        const part = await source(counts[k]);
        parts.push(part);
        if (part.xs.shape[0] !== counts[k] || part.ys.shape[0] !== counts[k])
          throw new PikeError(
            'ERR_SHAPE',
            `sources['${mixer.tasks[k]}'] was asked for ${counts[k]} samples, but returned ${part.xs.shape[0]} xs and ${part.ys.shape[0]} ys.`,
          );
      }
      // A copy also of a single part, so that all parts can be disposed alike.
      return {
        xs: tf.concat(parts.map((part) => part.xs)),
        ys: tf.concat(parts.map((part) => part.ys)),
      };
    } finally {
      for (const part of parts) disposeBatch(tf, part);
    }
  };
}

/**
 * A dataset of mixed batches for `model.fitDataset`. Each batch takes the mixer one step on, so a change of
 * weights acts on the very next one: do not put `shuffle` or `prefetch` behind it, which would delay it. Loss weights
 * of a rule (`mixer.lossWeights`) have no way into `fitDataset`; `createTrainer` applies them.
 *
 * @param options.batches batches per pass through the dataset (an epoch); without end when left out
 */
export function mixedDataset<B extends Batch>(
  tf: Tf,
  mixer: Mixer,
  options: { draw: DrawBatch<B>; batches?: number },
): tfjs.data.Dataset<tfjs.TensorContainer> {
  const { draw, batches = Infinity } = options;
  async function* mixed() {
    for (let i = 0; i < batches; i++) yield (await draw(mixer.next())) as unknown as tfjs.TensorContainer;
  }
  // tf.data's types know of plain generators only; it runs asynchronous ones.
  return tf.data.generator(mixed as unknown as () => Generator<tfjs.TensorContainer>);
}

export interface GradientOptions<B extends Batch> {
  draw: DrawBatch<B>;
  loss: BatchLoss<B>;
  /** The model's trainable variables. */
  variables: tfjs.Variable[];
  /** When it is Adam, gradients are measured in its metric, once it has taken ten steps; otherwise in the plain one. */
  optimizer?: tfjs.Optimizer;
  /** 'optimizer' (default): as told there. 'plain': gradients as they are, whatever the optimiser, from the first step on. */
  metric?: 'optimizer' | 'plain';
}

/**
 * Steps after which Adam's second moments are taken for a metric. Those of the first steps are a handful of
 * squared gradients; wherever these happen to be small, D is large, and one such measurement outweighs hundreds.
 */
const ADAM_WARM_UP = 10;

/**
 * A probe: draws `mixer.microBatches` micro-batches of every task, measures their gradients and updates the
 * weights. It costs samples and passes of its own; `createTrainer` measures on the training batch instead.
 *
 * Gradients are observed one by one, of which standard errors cannot be had: `significance` has nothing to go by here.
 *
 * @returns a function that resolves to the report, or to null while Adam's metric is not known yet
 */
export function createProbe<B extends Batch>(
  tf: Tf,
  mixer: Mixer,
  options: GradientOptions<B>,
): () => Promise<UpdateReport | null> {
  checkMetric(options);
  return async () => {
    const { gradients, losses } = mixer.needs;
    if (!gradients) return mixer.update(losses ? { losses: await probeLosses(tf, mixer, options) } : {});
    if (!isWarm(options)) return null;
    try {
      const metric = await metricOf(options);
      for (const k of activeTasks(mixer))
        for (let i = 0; i < mixer.microBatches; i++) {
          const pass = await gradientsOf(tf, options, onlyTask(mixer, k, mixer.microBatchSize), true);
          tf.dispose(pass.gradients);
          await observe(mixer, k, mixer.microBatchSize, pass, metric);
        }
    } catch (error) {
      // Half a measurement must not stand in the way of the next one.
      await mixer.discard();
      throw error;
    }
    return mixer.update();
  };
}

/**
 * The losses of every task on as many samples as its gradients would be measured with, for rules that need no more.
 */
async function probeLosses<B extends Batch>(
  tf: Tf,
  mixer: Mixer,
  { draw, loss }: GradientOptions<B>,
): Promise<Record<string, number>> {
  const losses: Record<string, number> = {};
  for (const k of activeTasks(mixer)) {
    let sum = 0;
    for (let i = 0; i < mixer.microBatches; i++) {
      const batch = await draw(onlyTask(mixer, k, mixer.microBatchSize));
      try {
        const value = tf.tidy(() => loss(batch));
        sum += (await value.data())[0];
        value.dispose();
      } finally {
        disposeBatch(tf, batch);
      }
    }
    losses[mixer.tasks[k]] = sum / mixer.microBatches;
  }
  return losses;
}

/**
 * A callback for `model.fit` and `model.fitDataset`: probes when the mixer is due, and puts the weights into
 * the history as `weight_<task>`.
 */
export function mixerCallback(mixer: Mixer, probe: () => Promise<unknown>): tfjs.CustomCallbackArgs {
  return {
    onBatchBegin: async () => {
      if (mixer.due) await probe();
    },
    onEpochEnd: async (_epoch, logs) => {
      const { weights } = mixer;
      if (logs) for (const [k, task] of mixer.tasks.entries()) logs[`weight_${task}`] = weights[k];
    },
  };
}

export interface TrainerOptions<B extends Batch> extends GradientOptions<B> {
  optimizer: tfjs.Optimizer;
  /** false trains on the mixer's weights as they are, for comparison (default true). */
  measure?: boolean;
}

export interface TrainStep {
  /** Samples of every task in this batch, length K. */
  readonly counts: Int32Array;
  /** The weights that these counts were drawn by, length K. */
  readonly weights: Float64Array;
  /** Mean loss of the batch. */
  readonly loss: number;
  /** What the mixer did, when this step was a measuring one. */
  readonly report: UpdateReport | null;
}

/**
 * A training loop that measures on the training batches themselves: when the mixer is due, the batch is taken
 * in task-pure micro-batches, whose gradients are measured and together make the step. No sample is spent on
 * measuring; such a step costs more passes, each over fewer samples. A rule that needs only losses takes one pass per
 * task, and one that needs nothing none.
 *
 * @returns a function that takes one step: draws a batch, moves the variables, and updates the weights if due
 */
export function createTrainer<B extends Batch>(
  tf: Tf,
  mixer: Mixer,
  options: TrainerOptions<B>,
): () => Promise<TrainStep> {
  checkMetric(options);
  const { optimizer, variables, draw, loss, measure: mayMeasure = true } = options;

  async function plainStep(counts: Int32Array): Promise<number> {
    const batch = await draw(counts);
    try {
      const value = optimizer.minimize(() => loss(batch), true, variables)!;
      const [mean] = await value.data();
      value.dispose();
      return mean;
    } finally {
      disposeBatch(tf, batch);
    }
  }

  /** The same step by the sum over tasks of y_k b_k/b times the gradient of task k; `losses` gathers theirs. */
  async function stepByTask(
    counts: Int32Array,
    measure: boolean,
    losses: Record<string, number>,
  ): Promise<number> {
    const metric = measure ? await metricOf(options) : undefined;
    const { lossWeights, batchSize } = mixer;
    let sum: tfjs.NamedTensorMap = {};
    let mean = 0;
    try {
      for (const [k, task] of mixer.tasks.entries())
        for (const samples of cut(counts[k], measure ? mixer.microBatches : 1)) {
          const pass = await gradientsOf(tf, options, onlyTask(mixer, k, samples), measure);
          const share = samples / batchSize;
          mean += share * pass.loss;
          losses[task] = (losses[task] ?? 0) + (samples / counts[k]) * pass.loss;
          sum = addScaled(tf, sum, pass.gradients, share * lossWeights[k]);
          if (measure) await observe(mixer, k, samples, pass, metric);
        }
      // In the order of the variables, since optimisers keep their moments by position, and with nothing for a
      // variable that no gradient reached, which they leave alone: just as `minimize` does it.
      optimizer.applyGradients(variables.map(({ name }) => ({ name, tensor: sum[name] })));
    } catch (error) {
      if (measure) await mixer.discard();
      throw error;
    } finally {
      tf.dispose(sum);
    }
    return mean;
  }

  return async () => {
    const { weights, needs } = mixer;
    const update = mayMeasure && mixer.due && (!needs.gradients || isWarm(options));
    const measure = update && needs.gradients;
    const counts = mixer.next();
    const byTask = measure || (update && needs.losses) || mixer.lossWeights.some((y) => y !== 1);
    const losses: Record<string, number> = {};
    const mean = byTask ? await stepByTask(counts, measure, losses) : await plainStep(counts);
    if (!update) return { counts, weights, loss: mean, report: null };
    const report = await mixer.update(measure || !needs.losses ? {} : { losses });
    return { counts, weights, loss: mean, report };
  };
}

/**
 * The diagonal D = 1/(√v̂ + ε) of Adam's metric, from the state of the optimiser before its next step: under Adam
 * the step is D·g, and sum_i a_i D_i b_i are the inner products that belong to it (derived; ours, not the paper's, whose bound
 * is for SGD). A parameter that has never had a gradient has no scale yet: its D is 0, not 1/ε.
 *
 * @returns one array per variable, in their order; null when the optimiser is not Adam or has taken no step
 */
export async function adamPreconditioner(
  optimizer: tfjs.Optimizer,
  variables: readonly tfjs.Variable[],
): Promise<Float32Array[] | null> {
  if (!isAdam(optimizer) || optimizer.iterations === 0) return null;
  const { beta2, epsilon } = optimizer.getConfig() as { beta2: number; epsilon: number };
  const correction = 1 - beta2 ** optimizer.iterations;
  const [iterations, ...moments] = await optimizer.getWeights();
  iterations.tensor.dispose();
  const byName = new Map(moments.map(({ name, tensor }) => [name, tensor]));
  const diagonal: Float32Array[] = [];
  for (const variable of variables) {
    const second = await byName.get(`${variable.name}/v`)?.data<'float32'>();
    if (!second) return null;
    diagonal.push(second.map((v) => (v === 0 ? 0 : 1 / (Math.sqrt(v / correction) + epsilon))));
  }
  return diagonal;
}

interface GradientPass {
  readonly loss: number;
  /** In host memory if asked for, one array per variable; a variable that the loss does not reach has a gradient of 0. */
  readonly host: Float32Array[];
  /** The same as tensors, by name; the receiver disposes them. */
  readonly gradients: tfjs.NamedTensorMap;
}

async function gradientsOf<B extends Batch>(
  tf: Tf,
  options: GradientOptions<B>,
  counts: Int32Array,
  host: boolean,
): Promise<GradientPass> {
  const batch = await options.draw(counts);
  let pass: { value: tfjs.Scalar; grads: tfjs.NamedTensorMap };
  try {
    pass = tf.variableGrads(() => options.loss(batch), options.variables);
  } finally {
    disposeBatch(tf, batch);
  }
  const { value, grads } = pass;
  const [loss] = await value.data();
  value.dispose();
  const inHost = await Promise.all(
    (host ? options.variables : []).map(async (variable) => {
      const gradient = grads[variable.name];
      return gradient ? await gradient.data<'float32'>() : new Float32Array(variable.size);
    }),
  );
  return { loss, host: inHost, gradients: grads };
}

async function observe(
  mixer: Mixer,
  task: number,
  samples: number,
  { host, loss }: GradientPass,
  metric: Float32Array[] | undefined,
): Promise<void> {
  const preconditioner = metric ? { preconditioner: metric } : {};
  await mixer.observe(mixer.tasks[task], host, { samples, loss, ...preconditioner });
}

async function metricOf<B extends Batch>({
  optimizer,
  variables,
  metric,
}: GradientOptions<B>): Promise<Float32Array[] | undefined> {
  if (metric === 'plain') return undefined;
  return (optimizer && (await adamPreconditioner(optimizer, variables))) ?? undefined;
}

/** sum + factor · gradients, by name; a name that neither has stays out. Disposes what it is given. */
function addScaled(
  tf: Tf,
  sum: tfjs.NamedTensorMap,
  gradients: tfjs.NamedTensorMap,
  factor: number,
): tfjs.NamedTensorMap {
  const next = tf.tidy(() => {
    const added: tfjs.NamedTensorMap = {};
    for (const [name, gradient] of Object.entries(gradients)) {
      const scaled = gradient.mul(factor);
      added[name] = sum[name] ? sum[name].add(scaled) : scaled;
    }
    for (const [name, before] of Object.entries(sum)) if (!gradients[name]) added[name] = before.clone();
    return added;
  });
  tf.dispose(sum);
  tf.dispose(gradients);
  return next;
}

/** `count` samples in at most `parts` micro-batches of sizes that differ by at most one. */
function cut(count: number, parts: number): number[] {
  const pieces = Math.min(count, parts);
  return Array.from({ length: pieces }, (_, i) => Math.floor((count + i) / pieces));
}

/** Numbers of the tasks that are to be measured. */
function activeTasks(mixer: Mixer): number[] {
  return mixer.activeTasks.map((task) => mixer.tasks.indexOf(task));
}

function onlyTask(mixer: Mixer, task: number, samples: number): Int32Array {
  const counts = new Int32Array(mixer.tasks.length);
  counts[task] = samples;
  return counts;
}

function isAdam(optimizer: tfjs.Optimizer): boolean {
  return optimizer.getClassName() === 'Adam';
}

function isWarm<B extends Batch>({ optimizer, metric }: GradientOptions<B>): boolean {
  return metric === 'plain' || !optimizer || !isAdam(optimizer) || optimizer.iterations >= ADAM_WARM_UP;
}

function checkMetric<B extends Batch>({ metric }: GradientOptions<B>): void {
  if (metric !== undefined) requireOneOf('metric', metric, ['optimizer', 'plain']);
}

/** Disposes the tensors among a batch's values. Not `tf.dispose`: it would walk every element of a typed array. */
function disposeBatch(tf: Tf, batch: Batch): void {
  for (const value of Object.values(batch)) if (value instanceof tf.Tensor) value.dispose();
}
