/** Gradients by `tf.variableGrads`, as a probe and a trainer take them alike. */
import type * as tfjs from '@tensorflow/tfjs';
import { PikeError } from '../../errors.js';
import type { Mixer } from '../../mixer/mixer.js';
import { show } from '../../validate.js';
import { ADAM_WARM_UP } from '../common/adam.js';
import { RowCollector, type Write } from '../common/collector.js';
import type { Stopwatch } from '../common/cost.js';
import { type MicroBatch, onlyTask } from '../common/micro-batches.js';
import { adamMetric, isAdam } from './adam.js';
import { elementsOf } from './memory.js';
import type { GradientOptions } from './options.js';
import { type Batch, disposeAll, drawBatch, type Tf } from './tensors.js';

export function collectorOf<B extends Batch>(
  mixer: Mixer,
  { variables, rows }: GradientOptions<B>,
): RowCollector {
  return new RowCollector(
    mixer,
    variables.map((variable) => variable.size),
    mixer.tasks.length * mixer.microBatches,
    rows,
  );
}

/** Whether gradients can be measured by now. */
export function isWarm<B extends Batch>({ optimizer, metric }: GradientOptions<B>): boolean {
  return metric === 'plain' || !optimizer || !isAdam(optimizer) || optimizer.iterations >= ADAM_WARM_UP;
}

export async function metricOf<B extends Batch>(
  tf: Tf,
  { optimizer, variables, metric }: GradientOptions<B>,
): Promise<Write | null> {
  if (metric === 'plain' || !optimizer) return null;
  return adamMetric(tf, optimizer, variables);
}

/**
 * The mean loss of a batch.
 *
 * @throws PikeError `ERR_SHAPE` when it is no scalar; or what `loss` throws
 */
export function lossOf<B extends Batch>(tf: Tf, { loss }: GradientOptions<B>, batch: B): tfjs.Scalar {
  const value: unknown = loss(batch);
  if (value instanceof tf.Tensor && value.rank === 0) return value as tfjs.Scalar;
  // Nobody waits for it any more: neither its tensor nor its error may be left over.
  if (value instanceof Promise)
    value.then(
      (late: unknown) => late instanceof tf.Tensor && !(late instanceof tf.Variable) && late.dispose(),
      () => {},
    );
  throw new PikeError(
    'ERR_SHAPE',
    `loss must return the mean over the samples, a scalar tensor, but returned ${
      value instanceof tf.Tensor ? `one of shape [${value.shape.join(', ')}]` : show(value)
    }.`,
  );
}

/**
 * The mean loss of a batch and its gradients, by name, as `optimizer.minimize` takes them. To be called in a `tf.tidy`.
 *
 * @throws PikeError as `lossOf`
 */
export function lossAndGradients<B extends Batch>(
  tf: Tf,
  options: GradientOptions<B>,
  batch: B,
): { value: tfjs.Scalar; grads: tfjs.NamedTensorMap } {
  try {
    return tf.variableGrads(() => lossOf(tf, options, batch), options.variables);
  } catch (error) {
    freeTape(tf);
    throw error;
  }
}

/** TensorFlow.js keeps what operations save for the backward pass, and frees it only at the end of one that succeeds. */
function freeTape(tf: Tf): void {
  const { activeTape, gradientDepth } = tf.engine().state;
  if (gradientDepth === 0) for (const { saved } of activeTape ?? []) tf.dispose(saved);
}

/**
 * In the order of the variables, since optimisers keep their moments by position, and with nothing for a variable that no
 * gradient reached, which they leave alone: just as `minimize` does it.
 */
export function applyGradients(
  optimizer: tfjs.Optimizer,
  variables: readonly tfjs.Variable[],
  gradients: tfjs.NamedTensorMap,
): void {
  optimizer.applyGradients(variables.map(({ name }) => ({ name, tensor: gradients[name] })));
}

export interface GradientPass {
  readonly loss: number;
  /** By name, without those of variables that the loss does not reach; the receiver disposes them. */
  readonly gradients: tfjs.NamedTensorMap;
}

/**
 * The gradient of the mean loss of a freshly drawn micro-batch.
 *
 * @throws PikeError as `drawBatch` and `lossOf`
 */
export async function gradientsOf<B extends Batch>(
  tf: Tf,
  mixer: Mixer,
  options: GradientOptions<B>,
  microBatch: MicroBatch,
  watch: Stopwatch,
): Promise<GradientPass> {
  const counts = onlyTask(mixer.tasks.length, microBatch);
  const { batch, tensors } = await watch.time('draw', () => drawBatch(tf, options.draw, counts));
  let pass: { value: tfjs.Scalar; grads: tfjs.NamedTensorMap };
  try {
    pass = tf.tidy(() => lossAndGradients(tf, options, batch));
  } finally {
    disposeAll(tensors);
  }
  const { value, grads } = pass;
  try {
    const [loss] = await value.data();
    return { loss, gradients: grads };
  } catch (error) {
    tf.dispose(grads);
    throw error;
  } finally {
    value.dispose();
  }
}

/** Writes gradients in the order of the variables; zeros for a variable that the loss does not reach. */
export function writeGradients(
  tf: Tf,
  variables: readonly tfjs.Variable[],
  gradients: tfjs.NamedTensorMap,
): Write {
  return async (into) => {
    for (const [i, { name }] of variables.entries()) {
      if (gradients[name]) into[i].set(await elementsOf(tf, gradients[name]));
      else into[i].fill(0);
    }
  };
}

/** sum + factor · gradients, by name; a name that neither has stays out. Disposes what it is given. */
export function addScaled(
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
