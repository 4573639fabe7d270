/** The tensors of a batch: found, checked to be as many samples as were asked for, and disposed of. */
import type * as tfjs from '@tensorflow/tfjs';
import { PikeError } from '../../errors.js';
import { show } from '../../validate.js';
import type { DrawBatch } from '../common/micro-batches.js';

export type Tf = typeof tfjs;

/**
 * A batch as the user's functions know it: any object. A tensor, or the tensors among its values, also in lists and plain
 * objects there, have the samples along the first axis, or are scalars, and are disposed after use.
 */
export type Batch = object;

/**
 * The batch that `draw` returns for these counts. When it is none, the tensors in it are disposed.
 *
 * @throws PikeError `ERR_DTYPE`, `ERR_SHAPE`, `ERR_DISPOSED`; or what `draw` throws
 */
export async function drawBatch<B extends Batch>(tf: Tf, draw: DrawBatch<B>, counts: Int32Array): Promise<B> {
  const samples = counts.reduce((sum, count) => sum + count, 0);
  const batch = await draw(counts);
  if (typeof batch !== 'object' || batch === null)
    throw new PikeError('ERR_DTYPE', `draw must return a batch, an object, but returned ${show(batch)}.`);
  try {
    requireSamples(tf, 'draw', batch, samples);
  } catch (error) {
    disposeBatch(tf, batch);
    throw error;
  }
  return batch;
}

/**
 * @param what returned the batch
 * @throws PikeError `ERR_SHAPE`, `ERR_DISPOSED`
 */
export function requireSamples(tf: Tf, what: string, batch: Batch, samples: number): void {
  for (const [name, tensor] of tensorsOf(tf, batch)) {
    const which = name === '' ? 'a tensor' : `a tensor '${name}'`;
    if (tensor.isDisposed)
      throw new PikeError(
        'ERR_DISPOSED',
        `${what} returned ${which} that was disposed. Batches are disposed after use: return a clone of what you keep.`,
      );
    const { shape } = tensor;
    if (shape.length > 0 && shape[0] !== samples)
      throw new PikeError(
        'ERR_SHAPE',
        `${what} was asked for ${samples} samples, but returned ${which} of shape [${shape.join(', ')}]: the first axis must be that of the samples.`,
      );
  }
}

/** Not `tf.dispose`: it would walk every element of a typed array. */
export function disposeBatch(tf: Tf, batch: Batch): void {
  for (const [, tensor] of tensorsOf(tf, batch)) tensor.dispose();
}

/** Tensors with their paths, such as 'xs.1': the batch itself, its values, and what lists and plain objects among these hold. */
function* tensorsOf(
  tf: Tf,
  batch: object,
  path = '',
  seen: Set<object> = new Set(),
): Generator<[string, tfjs.Tensor]> {
  if (seen.has(batch)) return;
  seen.add(batch);
  if (batch instanceof tf.Tensor) yield [path, batch];
  else if (!ArrayBuffer.isView(batch))
    for (const [name, value] of Object.entries<unknown>(batch as Record<string, unknown>))
      if (value instanceof tf.Tensor || isContainer(value))
        yield* tensorsOf(tf, value, path === '' ? name : `${path}.${name}`, seen);
}

/** What is walked into. An object of a class, such as a model, keeps its tensors. */
function isContainer(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
