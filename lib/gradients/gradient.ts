/**
 * What comes in: gradients in host memory, checked once and described for the backends.
 */
import { types } from 'node:util';
import { PikeError } from '../errors.js';
import { show } from '../validate.js';

/** Element types that the backends read. Products and sums are formed in wider precision. */
export type Dtype = 'float32' | 'float64' | 'bfloat16' | 'float16';

/** A tensor of 16-bit floats: JavaScript has no such array type everywhere, so its bits come as a Uint16Array. */
export interface HalfTensor {
  readonly data: Uint16Array;
  readonly dtype: 'bfloat16' | 'float16';
}

/** One tensor, flattened: `float32` or `float64` by its array type, 16-bit floats by name. */
export type HostTensor = Float32Array | Float64Array | HalfTensor;

/** A gradient in host memory: one flat tensor, or a list of them (one per parameter tensor). */
export type HostGradient = HostTensor | readonly HostTensor[];

/** A gradient of d parameters in any kind of memory that this version reads. */
export type Gradient = HostGradient;

/** The memory of one tensor as a backend reads it; 16-bit floats are their bits. */
export type TensorMemory = Float32Array | Float64Array | Uint16Array;

/** Shape of a gradient: the lengths and element types of its tensors, in order. */
export interface GradientLayout {
  readonly dtypes: readonly Dtype[];
  readonly lengths: readonly number[];
  /** d: the number of parameters, the sum of `lengths`. */
  readonly length: number;
}

/** A checked gradient: a layout and the memory that holds it. No element has been read. */
export interface GradientView extends GradientLayout {
  readonly tensors: readonly TensorMemory[];
}

/**
 * Checks a gradient without reading its elements.
 *
 * @param gradient what the caller handed in
 * @param name how a message calls it, such as "rows[0][1]"
 * @throws PikeError `ERR_DTYPE` for memory of another kind, `ERR_SHAPE` when it has no elements,
 *   `ERR_DETACHED` when its buffer is detached or resizable
 */
export function viewGradient(gradient: unknown, name: string): GradientView {
  const list = Array.isArray(gradient) ? (gradient as unknown[]) : [gradient];
  if (list.length === 0) throw new PikeError('ERR_SHAPE', `${name} is an empty list; expected its tensors.`);
  const tensors: TensorMemory[] = [];
  const dtypes: Dtype[] = [];
  const lengths: number[] = [];
  let length = 0;
  for (let t = 0; t < list.length; t++) {
    const where = Array.isArray(gradient) ? `${name}[${t}]` : name;
    const [memory, dtype] = tensorMemory(list[t], where);
    assertReadable(memory, where);
    tensors.push(memory);
    dtypes.push(dtype);
    lengths.push(memory.length);
    length += memory.length;
  }
  if (length === 0)
    throw new PikeError('ERR_SHAPE', `${name} has no elements; expected one number per model parameter.`);
  return { tensors, dtypes, lengths, length };
}

/**
 * @throws PikeError `ERR_DETACHED` when the memory cannot be relied on to stay. Called again when the work
 *   begins: between the call and its turn in the queue the caller may have transferred the buffer.
 */
export function assertReadable(memory: TensorMemory, name: string): void {
  const buffer = memory.buffer as ArrayBufferLike & { resizable?: boolean; growable?: boolean };
  if (buffer.resizable === true || buffer.growable === true)
    throw new PikeError(
      'ERR_DETACHED',
      `${name} lies in a resizable buffer, which could shrink while it is read; use one of fixed length.`,
    );
  if (buffer.byteLength === 0 && isDetached(buffer))
    throw new PikeError(
      'ERR_DETACHED',
      `${name} lies in a detached buffer (it was transferred elsewhere); pass memory that stays until the promise resolves.`,
    );
}

/** @throws PikeError `ERR_SHAPE` or `ERR_DTYPE` when `view` is not laid out like `expected`. */
export function assertSameLayout(
  view: GradientLayout,
  expected: GradientLayout,
  name: string,
  expectedName: string,
): void {
  assertSameLengths(view, expected, name, expectedName);
  for (let t = 0; t < view.dtypes.length; t++)
    if (view.dtypes[t] !== expected.dtypes[t])
      throw new PikeError(
        'ERR_DTYPE',
        `${name} is ${view.dtypes[t]} where ${expectedName} is ${expected.dtypes[t]} (tensor ${t}); all rows must have the same element types.`,
      );
}

/** @throws PikeError `ERR_SHAPE` when the tensors of `view` have other lengths than those of `expected`. */
export function assertSameLengths(
  view: GradientLayout,
  expected: GradientLayout,
  name: string,
  expectedName: string,
): void {
  if (view.lengths.length !== expected.lengths.length)
    throw new PikeError(
      'ERR_SHAPE',
      `${name} has ${view.lengths.length} tensors where ${expectedName} has ${expected.lengths.length}; all must have the same layout.`,
    );
  for (let t = 0; t < view.lengths.length; t++)
    if (view.lengths[t] !== expected.lengths[t])
      throw new PikeError(
        'ERR_SHAPE',
        `${name} has ${view.lengths[t]} elements where ${expectedName} has ${expected.lengths[t]} (tensor ${t}); all must have the same layout.`,
      );
}

function tensorMemory(tensor: unknown, name: string): [TensorMemory, Dtype] {
  if (types.isFloat32Array(tensor)) return [tensor, 'float32'];
  if (types.isFloat64Array(tensor)) return [tensor, 'float64'];
  if (typeof tensor === 'object' && tensor !== null && 'data' in tensor && 'dtype' in tensor) {
    const { data, dtype } = tensor as Partial<HalfTensor>;
    if (types.isUint16Array(data) && (dtype === 'bfloat16' || dtype === 'float16')) return [data, dtype];
  }
  throw new PikeError(
    'ERR_DTYPE',
    `${name} is ${show(tensor)}; expected a Float32Array, a Float64Array, ` +
      `{ data: Uint16Array, dtype: 'bfloat16' | 'float16' }, or a list of these.`,
  );
}

/** Node 20 has no ArrayBuffer.prototype.detached; a view on a detached buffer cannot be made on any version. */
function isDetached(buffer: ArrayBufferLike): boolean {
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
