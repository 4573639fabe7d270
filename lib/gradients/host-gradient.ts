/**
 * Gradients in host memory, checked without reading an element.
 */
import { types } from 'node:util';
import { PikeError } from '../errors.js';
import { show } from '../validate.js';
import type { Dtype, GradientLayout } from './layout.js';

/** A tensor of 16-bit floats: JavaScript has no such array type everywhere, so its bits come as a Uint16Array. */
export interface HalfTensor {
  /** The bits of its elements. */
  readonly data: Uint16Array;
  /** What they are bits of. */
  readonly dtype: 'bfloat16' | 'float16';
}

/** A tensor that brings its memory along, as a `GradientBuffer` does. */
export interface BufferedTensor {
  /** Its elements; 16-bit floats are their bits. */
  readonly array: TensorMemory;
  /** Type of its elements, which the array must fit. */
  readonly dtype: Dtype;
}

/** One tensor, flattened: `float32` or `float64` by its array type, 16-bit floats by name; or a `GradientBuffer`. */
export type HostTensor = Float32Array | Float64Array | HalfTensor | BufferedTensor;

/** A gradient in host memory: one flat tensor, or a list of them (one per parameter tensor). */
export type HostGradient = HostTensor | readonly HostTensor[];

/** The memory of one tensor as a backend reads it; 16-bit floats are their bits. */
export type TensorMemory = Float32Array | Float64Array | Uint16Array;

/** A checked gradient of host memory. No element has been read. */
export interface HostView extends GradientLayout {
  /** Which kind of memory it is. */
  readonly memory: 'host';
  /** The memory of each tensor. */
  readonly tensors: readonly TensorMemory[];
}

/**
 * @param list its tensors
 * @param nameOf how a message calls tensor t
 * @throws PikeError `ERR_DTYPE` for memory of another kind, `ERR_DETACHED` when a buffer is detached or resizable
 */
export function viewHostTensors(list: readonly unknown[], nameOf: (t: number) => string): HostView {
  const tensors: TensorMemory[] = [];
  const dtypes: Dtype[] = [];
  const lengths: number[] = [];
  let length = 0;
  for (let t = 0; t < list.length; t++) {
    const [memory, dtype] = tensorMemory(list[t], nameOf(t));
    assertReadable(memory, nameOf(t));
    tensors.push(memory);
    dtypes.push(dtype);
    lengths.push(memory.length);
    length += memory.length;
  }
  return { memory: 'host', tensors, dtypes, lengths, length };
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
      `${name} lies in a detached buffer (it was transferred elsewhere or disposed of); pass memory that stays until the promise resolves.`,
    );
}

function tensorMemory(tensor: unknown, name: string): [TensorMemory, Dtype] {
  // One that was robbed of its prototype has none of what is read of it later.
  if (types.isFloat32Array(tensor) && 'buffer' in tensor) return [tensor, 'float32'];
  if (types.isFloat64Array(tensor) && 'buffer' in tensor) return [tensor, 'float64'];
  if (typeof tensor === 'object' && tensor !== null && 'data' in tensor && 'dtype' in tensor) {
    const { data, dtype } = tensor as Partial<HalfTensor>;
    if (types.isUint16Array(data) && 'buffer' in data && (dtype === 'bfloat16' || dtype === 'float16'))
      return [data, dtype];
  }
  if (typeof tensor === 'object' && tensor !== null && 'array' in tensor && 'dtype' in tensor) {
    const { array, dtype } = tensor as Partial<BufferedTensor>;
    const halves = dtype === 'bfloat16' || dtype === 'float16';
    if (dtype === 'float32' && types.isFloat32Array(array) && 'buffer' in array) return [array, dtype];
    if (dtype === 'float64' && types.isFloat64Array(array) && 'buffer' in array) return [array, dtype];
    if (halves && types.isUint16Array(array) && 'buffer' in array) return [array, dtype];
  }
  throw new PikeError(
    'ERR_DTYPE',
    `${name} is ${show(tensor)}; expected a Float32Array, a Float64Array, ` +
      `{ data: Uint16Array, dtype: 'bfloat16' | 'float16' }, a GradientBuffer, { pointer, length, dtype } for memory of a GPU, or a list of these.`,
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
