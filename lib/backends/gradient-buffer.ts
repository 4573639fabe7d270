/**
 * Memory for gradients that is read where it is, off the event loop: the addon owns it, the caller fills it.
 */
import { PikeError } from '../errors.js';
import type { BufferedTensor } from '../gradients/host-gradient.js';
import type { Dtype } from '../gradients/layout.js';
import { requirePositiveInteger, show } from '../validate.js';
import { loadAddon, type NativeAddon } from './load-addon.js';
import { isStatus } from './native-call.js';

/** The array of a `GradientBuffer` of this element type; 16-bit floats are their bits. */
export type GradientBufferArray<D extends Dtype = Dtype> = {
  /** Four bytes each. */
  float32: Float32Array;
  /** Eight bytes each. */
  float64: Float64Array;
  /** Bits: a sign, 8 of the exponent, 7 of the fraction. */
  bfloat16: Uint16Array;
  /** Bits: a sign, 5 of the exponent, 10 of the fraction. */
  float16: Uint16Array;
}[D];

const ARRAY_TYPES = {
  float32: Float32Array,
  float64: Float64Array,
  bfloat16: Uint16Array,
  float16: Uint16Array,
};

/** Bytes: a cache line, and the widest vector of any instruction set. */
const ALIGNMENT = 64;

/** What of the addon it calls. */
export type MemoryAddon = Pick<NativeAddon, 'allocateMemory' | 'releaseMemory' | 'misalignment'>;

/**
 * One tensor of zeros in memory of the addon: aligned to 64 bytes, on huge pages where the system offers them. Fill
 * `array` and pass the buffer itself as a gradient, as a preconditioner or in a list of tensors; `array`, or a part of
 * it, does as well. It is read in place: nothing is copied, and the event loop turns meanwhile. So do not write to it
 * until the promise of the call has settled.
 *
 * The memory is given back by `dispose`, or some time after the last reference to `array` has gone, which takes two
 * collections; a measurement that has begun keeps it for as long as it reads. To transfer the array elsewhere is refused by most of Node.js and copies
 * on Node 20; a worker that fills gradients of this thread needs a SharedArrayBuffer, which is read in place, too.
 *
 * Where there is no addon, or Node.js takes no memory of it, the array lies in a SharedArrayBuffer: all the same but
 * for huge pages, and `dispose` gives the memory back only once nobody refers to an array that was taken before.
 */
export class GradientBuffer<D extends Dtype = Dtype> implements BufferedTensor {
  readonly #dtype: D;
  readonly #length: number;
  #array: GradientBufferArray<D>;
  readonly #release: () => GradientBufferArray<D>;

  private constructor(dtype: D, length: number, { array, release }: Memory<D>) {
    this.#dtype = dtype;
    this.#length = length;
    this.#array = array;
    this.#release = release;
  }

  /**
   * @param length elements, at least 1
   * @param dtype element type (default 'float32')
   * @throws PikeError `ERR_INVALID_OPTION`, `ERR_DTYPE`, `ERR_MEMORY`
   */
  static allocate<D extends Dtype = 'float32'>(length: number, dtype?: D): GradientBuffer<D> {
    requirePositiveInteger('length', length);
    const type = dtype === undefined ? 'float32' : dtype;
    if (typeof type !== 'string' || !Object.hasOwn(ARRAY_TYPES, type))
      throw new PikeError(
        'ERR_DTYPE',
        `dtype must be one of ${Object.keys(ARRAY_TYPES).join(', ')}, but is ${show(type)}.`,
      );
    return new GradientBuffer(type as D, length, allocateMemory(loadAddon().addon, type as D, length));
  }

  /** Its elements, to be filled; of a detached buffer, so without any, once disposed of or transferred. */
  get array(): GradientBufferArray<D> {
    return this.#array;
  }

  /** Type of its elements. */
  get dtype(): D {
    return this.#dtype;
  }

  /** Elements allocated. */
  get length(): number {
    return this.#length;
  }

  /**
   * Gives the memory back, once a measurement that reads it by now has done so. Passing it then is `ERR_DETACHED`; so do
   * calls end that still wait for their turn, as they may until their promises settle.
   */
  dispose(): void {
    this.#array = this.#release();
  }

  /** As `dispose`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Keeps what it is told of an array until some time after the array has gone: its buffer. So nothing is collected while a
 * worker ends whose script has just been terminated, and the addon sees of each buffer whether it still lies where it
 * lay; of one that was collected it could not tell whether script had moved the memory to another thread.
 */
const keeper = new FinalizationRegistry<ArrayBuffer>(() => {});

interface Memory<D extends Dtype> {
  readonly array: GradientBufferArray<D>;
  /** Gives back the memory and returns what is left: an array of a detached buffer. */
  readonly release: () => GradientBufferArray<D>;
}

/** @throws PikeError `ERR_MEMORY` */
export function allocateMemory<D extends Dtype>(
  addon: MemoryAddon | null,
  dtype: D,
  length: number,
): Memory<D> {
  const ArrayType = ARRAY_TYPES[dtype] as unknown as new (
    buffer: ArrayBufferLike,
    byteOffset: number,
    length: number,
  ) => GradientBufferArray<D>;
  const bytes = length * ARRAY_TYPES[dtype].BYTES_PER_ELEMENT;
  const buffer = addon ? addon.allocateMemory(bytes) : null;
  if (isStatus(buffer)) throw outOfMemory(length, dtype, buffer.message);
  try {
    if (buffer) {
      const array = new ArrayType(buffer, 0, length);
      keeper.register(array, buffer);
      return {
        array,
        release: () => {
          addon!.releaseMemory(buffer);
          return array;
        },
      };
    }
    const shared = new SharedArrayBuffer(bytes + ALIGNMENT);
    const array = new ArrayType(shared, aligned(addon, shared), length);
    return { array, release: () => detached(new ArrayType(new ArrayBuffer(0), 0, 0)) };
  } catch (error) {
    if (buffer) addon!.releaseMemory(buffer);
    throw outOfMemory(length, dtype, error instanceof Error ? error.message : String(error), error);
  }
}

/** Where in a SharedArrayBuffer with room to spare an aligned array begins; only the addon can tell. */
function aligned(addon: MemoryAddon | null, buffer: SharedArrayBuffer): number {
  const behind = addon?.misalignment(new Uint8Array(buffer, 0, 1));
  return typeof behind === 'number' ? (ALIGNMENT - behind) % ALIGNMENT : 0;
}

function detached<A extends { readonly buffer: ArrayBufferLike }>(array: A): A {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

function outOfMemory(length: number, dtype: Dtype, why: string, cause?: unknown): PikeError {
  return new PikeError('ERR_MEMORY', `There is no memory for ${length} elements of ${dtype}: ${why}.`, {
    cause,
  });
}
