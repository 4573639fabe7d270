/** Batches by the mixer's counts, for loops of one's own and for `model.fitDataset`. */
import type * as tfjs from '@tensorflow/tfjs';
import { PikeError } from '../../errors.js';
import type { Mixer } from '../../mixer/mixer.js';
import {
  hasMethods,
  refuseUnknownTasks,
  requireFunction,
  requireOptions,
  requirePositiveInteger,
  show,
} from '../../validate.js';
import { requireMixer } from '../common/checks.js';
import type { DrawBatch } from '../common/micro-batches.js';
import { requireTf } from './checks.js';
import {
  type Batch,
  disposeAll,
  drawBatch,
  type NamedTensor,
  requireAlive,
  type Tf,
  tensorsOf,
} from './tensors.js';

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
 * @throws PikeError `ERR_INVALID_OPTION` when a task has no source, or a source no task; the drawing, `ERR_SHAPE` when a
 *   source returns another number of samples, or samples of another shape than the others, `ERR_DTYPE` when they are of
 *   another type, and `ERR_DISPOSED`
 */
export function drawFrom(
  tf: Tf,
  mixer: Mixer,
  sources: Readonly<Record<string, (n: number) => LabeledBatch | Promise<LabeledBatch>>>,
): DrawBatch<LabeledBatch> {
  requireTf(tf);
  requireMixer(mixer);
  const { tasks } = mixer;
  if (typeof sources !== 'object' || sources === null)
    throw new PikeError('ERR_INVALID_OPTION', `sources must be an object by task, but is ${show(sources)}.`);
  refuseUnknownTasks('sources', sources, tasks);
  const ordered = tasks.map((task) => {
    const source: unknown = Object.hasOwn(sources, task) ? sources[task] : undefined;
    if (typeof source === 'function') return sources[task];
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `sources['${task}'] must be a function that returns samples, but is ${show(source)}.`,
    );
  });
  return async (counts) => {
    requireCounts(counts, tasks);
    const parts: LabeledBatch[] = [];
    const tensors: tfjs.Tensor[] = [];
    try {
      for (const [k, source] of ordered.entries()) {
        if (counts[k] === 0) continue;
        const part = await source(counts[k]);
        const found = typeof part === 'object' && part !== null ? tensorsOf(tf, part) : [];
        for (const [, tensor] of found) tensors.push(tensor);
        parts.push(part);
        checkPart(tf, `sources['${tasks[k]}']`, part, found, counts[k], parts[0]);
      }
      // A copy also of a single part, so that all parts can be disposed alike.
      return tf.tidy(() => ({
        xs: tf.concat(parts.map((part) => part.xs)),
        ys: tf.concat(parts.map((part) => part.ys)),
      }));
    } finally {
      disposeAll(tensors);
    }
  };
}

function requireCounts(counts: ArrayLike<number>, tasks: readonly string[]): void {
  const { length } = tasks;
  const list: readonly unknown[] = Array.from(counts ?? []);
  if (list.length !== length || list.some((n) => !Number.isSafeInteger(n) || (n as number) < 0))
    throw new PikeError(
      'ERR_SHAPE',
      `counts must be ${length} numbers of samples, one per task, as mixer.next() returns them, but is ${show(counts)}.`,
    );
  if (list.every((n) => n === 0))
    throw new PikeError('ERR_SHAPE', 'counts must ask for at least one sample, but all are 0.');
}

/** @param first part of the same batch, which the others must fit */
function checkPart(
  tf: Tf,
  what: string,
  part: LabeledBatch,
  tensors: readonly NamedTensor[],
  samples: number,
  first: LabeledBatch,
): void {
  for (const name of ['xs', 'ys'] as const)
    if (!(part?.[name] instanceof tf.Tensor) || part[name].rank === 0)
      throw new PikeError(
        'ERR_SHAPE',
        `${what} must return { xs, ys }, two tensors of samples along the first axis, but returned ${show(part)}.`,
      );
  requireAlive(what, tensors);
  for (const name of ['xs', 'ys'] as const) {
    const { shape } = part[name];
    if (shape[0] !== samples)
      throw new PikeError(
        'ERR_SHAPE',
        `${what} was asked for ${samples} samples, but returned a tensor '${name}' of shape [${shape.join(', ')}]: the first axis must be that of the samples.`,
      );
    if (kindOf(part[name]) !== kindOf(first[name]))
      throw new PikeError(
        part[name].dtype === first[name].dtype ? 'ERR_SHAPE' : 'ERR_DTYPE',
        `${what} returned ${name} of ${kindOf(part[name])}, but a source before it ${kindOf(first[name])}: they cannot be joined.`,
      );
  }
}

function kindOf({ dtype, shape }: tfjs.Tensor): string {
  return `${dtype} [n${shape
    .slice(1)
    .map((size) => `, ${size}`)
    .join('')}]`;
}

/**
 * A dataset of mixed batches for `model.fitDataset`. Each batch takes the mixer one step on, so a change of
 * weights acts on the very next one: do not put `shuffle` or `prefetch` behind it, which would delay it. Loss weights
 * of a rule (`mixer.lossWeights`) have no way into `fitDataset`; `createTrainer` applies them.
 *
 * @param options.batches batches per pass through the dataset (an epoch); without end when left out
 * @throws PikeError `ERR_INVALID_OPTION`; the dataset, `ERR_SHAPE`, `ERR_DTYPE` or `ERR_DISPOSED` for what `draw` returns
 */
export function mixedDataset<B extends Batch>(
  tf: Tf,
  mixer: Mixer,
  options: { draw: DrawBatch<B>; batches?: number },
): tfjs.data.Dataset<tfjs.TensorContainer> {
  requireTf(tf);
  if (!hasMethods(tf.data, ['generator']))
    throw new PikeError(
      'ERR_INVALID_OPTION',
      'The first argument must be all of TensorFlow.js: this one has no tf.data, which is in @tensorflow/tfjs.',
    );
  requireMixer(mixer);
  requireOptions('mixedDataset', options, ['draw', 'batches']);
  const { draw, batches = Infinity } = options;
  requireFunction('draw', draw);
  if (batches !== Infinity) requirePositiveInteger('batches', batches);
  async function* mixed() {
    for (let i = 0; i < batches; i++)
      yield (await drawBatch(tf, draw, mixer.next())).batch as unknown as tfjs.TensorContainer;
  }
  // tf.data's types know of plain generators only; it runs asynchronous ones.
  return tf.data.generator(mixed as unknown as () => Generator<tfjs.TensorContainer>);
}
