/** Batches by the mixer's counts, for loops of one's own and for `model.fitDataset`. */
import type * as tfjs from '@tensorflow/tfjs';
import { PikeError } from '../../errors.js';
import type { Mixer } from '../../mixer/mixer.js';
import { show } from '../../validate.js';
import type { DrawBatch } from '../common/micro-batches.js';

export type Tf = typeof tfjs;

/** A batch as the user's functions know it: any object; tensors among its values are disposed after use. */
export type Batch = object;

/** What `fitDataset` takes. */
export type LabeledBatch = {
  /** Inputs, samples along the first axis. */
  xs: tfjs.Tensor;
  /** Targets, likewise. */
  ys: tfjs.Tensor;
};

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
        if (!(part?.xs instanceof tf.Tensor) || !(part.ys instanceof tf.Tensor))
          throw new PikeError(
            'ERR_SHAPE',
            `sources['${mixer.tasks[k]}'] must return { xs, ys }, two tensors, but returned ${show(part)}.`,
          );
        parts.push(part);
        if (part.xs.shape[0] !== counts[k] || part.ys.shape[0] !== counts[k])
          throw new PikeError(
            'ERR_SHAPE',
            `sources['${mixer.tasks[k]}'] was asked for ${counts[k]} samples, but returned ${part.xs.shape[0]} xs and ${part.ys.shape[0]} ys.`,
          );
      }
      // A copy also of a single part, so that all parts can be disposed alike.
      return tf.tidy(() => ({
        xs: tf.concat(parts.map((part) => part.xs)),
        ys: tf.concat(parts.map((part) => part.ys)),
      }));
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

/** Disposes the tensors among a batch's values. Not `tf.dispose`: it would walk every element of a typed array. */
export function disposeBatch(tf: Tf, batch: Batch): void {
  for (const value of Object.values(batch)) if (value instanceof tf.Tensor) value.dispose();
}
