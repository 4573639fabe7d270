/** The tensors of a batch: found, checked to be as many samples as were asked for, and disposed of. */
import type * as tfjs from '@tensorflow/tfjs';
import { PikeError } from '../../errors.js';
import { show } from '../../validate.js';
import type { DrawBatch } from '../common/micro-batches.js';

export type Tf = typeof tfjs;

/**
 * A batch as the user's functions know it: any object. A tensor, or the tensors among its values, also in lists and plain
 * objects there, are disposed after use. If any of them is not a scalar, at least one must have the samples along its first
 * axis; by it their number is checked, and the others may be laid out otherwise. A list inside that begins with a number, a
 * string or the like is plain data: it is not looked through, so it must hold no tensor.
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
    requireAlive('draw', found);
    requireSomeSamples(found, samples);
  } catch (error) {
    disposeAll(tensors);
    throw error;
  }
  return { batch, tensors };
}

/**
 * @param what returned the tensors
 * @throws PikeError `ERR_DISPOSED`
 */
export function requireAlive(what: string, tensors: readonly NamedTensor[]): void {
  for (const [name, tensor] of tensors)
    if (tensor.isDisposed)
      throw new PikeError(
        'ERR_DISPOSED',
        `${what} returned a tensor${name === '' ? '' : ` '${name}'`} that was disposed. Batches are disposed after use: return a clone of what you keep.`,
      );
}

/** One tensor will do: masks, time-major sequences and edges of graphs have something else along their first axis. */
function requireSomeSamples(tensors: readonly NamedTensor[], samples: number): void {
  const shaped = tensors.filter(([, { rank }]) => rank > 0);
  if (shaped.length === 0 || shaped.some(([, { shape }]) => shape[0] === samples)) return;
  const shapes = shaped.map(
    ([name, { shape }]) => `${name === '' ? '' : `'${name}' of `}[${shape.join(', ')}]`,
  );
  const listed = shapes.length > 8 ? [...shapes.slice(0, 7), `${shapes.length - 7} more`] : shapes;
  throw new PikeError(
    'ERR_SHAPE',
    `draw was asked for ${samples} samples, but of the tensors it returned none has the samples along its first axis: ${listed.join(', ')}.`,
  );
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
    if (Array.isArray(value)) {
      if (!isPlainData(value)) walk(value, below(path, name));
    } else if (value instanceof tf.Tensor) found.push([below(path, name), value]);
    else if (isRecord(value)) walk(value, below(path, name));
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
