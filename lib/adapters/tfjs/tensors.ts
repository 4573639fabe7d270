/** The tensors of a batch: found, checked to be as many samples as were asked for, and disposed of. */
import type * as tfjs from '@tensorflow/tfjs';
import { PikeError } from '../../errors.js';
import { show } from '../../validate.js';
import type { DrawBatch } from '../common/micro-batches.js';

export type Tf = typeof tfjs;

/**
 * A batch as the user's functions know it: any object. A tensor, or the tensors among its values, also in lists and plain
 * objects there, have the samples along the first axis, or are scalars, and are disposed after use. A list inside that
 * begins with a number, a string or the like is plain data: it is not looked through, so it must hold no tensor.
 */
export type Batch = object;

export interface Drawn<B extends Batch> {
  readonly batch: B;
  /** Those in the batch, to be disposed after use. */
  readonly tensors: readonly tfjs.Tensor[];
}

/**
 * The batch that `draw` returns for these counts. When it is none, the tensors in it are disposed.
 *
 * @throws PikeError `ERR_DTYPE`, `ERR_SHAPE`, `ERR_DISPOSED`; or what `draw` throws
 */
export async function drawBatch<B extends Batch>(
  tf: Tf,
  draw: DrawBatch<B>,
  counts: Int32Array,
): Promise<Drawn<B>> {
  const samples = counts.reduce((sum, count) => sum + count, 0);
  const batch = await draw(counts);
  if (typeof batch !== 'object' || batch === null)
    throw new PikeError('ERR_DTYPE', `draw must return a batch, an object, but returned ${show(batch)}.`);
  const found = tensorsOf(tf, batch);
  const tensors = found.map(([, tensor]) => tensor);
  try {
    requireSamples('draw', found, samples);
  } catch (error) {
    disposeAll(tensors);
    throw error;
  }
  return { batch, tensors };
}

/**
 * @param what returned the tensors
 * @throws PikeError `ERR_SHAPE`, `ERR_DISPOSED`
 */
export function requireSamples(what: string, tensors: readonly NamedTensor[], samples: number): void {
  for (const [name, tensor] of tensors) {
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

export function disposeAll(tensors: readonly tfjs.Tensor[]): void {
  for (const tensor of tensors) tensor.dispose();
}

/** A tensor with its path, such as 'xs.1'. */
export type NamedTensor = readonly [path: string, tensor: tfjs.Tensor];

/**
 * The batch itself, its values, and what lists and plain objects among these hold. A batch may hold millions of numbers, so
 * what can be no tensor is told by the cheapest look, and of a list of plain data only the first element is looked at.
 */
export function tensorsOf(tf: Tf, batch: object): NamedTensor[] {
  const found: NamedTensor[] = [];
  const seen = new Set<object>();
  const look = (value: unknown, path: string, name: string | number): void => {
    if (typeof value !== 'object' || value === null) return;
    if (value instanceof tf.Tensor) found.push([below(path, name), value]);
    else if (Array.isArray(value) ? !isPlainData(value) : isRecord(value)) walk(value, below(path, name));
  };
  const walk = (container: object, path: string): void => {
    if (seen.has(container)) return;
    seen.add(container);
    if (Array.isArray(container))
      for (let i = 0; i < container.length; i++) look(container[i] as unknown, path, i);
    else
      for (const name of Object.keys(container))
        look((container as Record<string, unknown>)[name], path, name);
  };
  if (batch instanceof tf.Tensor) found.push(['', batch]);
  else if (!ArrayBuffer.isView(batch)) walk(batch, '');
  return found;
}

function below(path: string, name: string | number): string {
  return path === '' ? String(name) : `${path}.${name}`;
}

function isPlainData(list: readonly unknown[]): boolean {
  const first = list[0];
  return typeof first !== 'object' && first !== undefined;
}

/** An object of a class, such as a model, keeps its tensors. */
function isRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
