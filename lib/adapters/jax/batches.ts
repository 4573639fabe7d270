/**
 * Batches from the host to the device, in a constant shape: `jit` compiles anew for every shape that it meets, and the
 * counts of a mixture differ from batch to batch.
 */
import type * as jaxjs from '@jax-js/jax';
import { PikeError } from '../../errors.js';
import { show } from '../../validate.js';
import type { Jax } from './trees.js';

/** Whole numbers of up to 16 bits become int32 on the device. */
export type HostArray =
  | Float32Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** n samples as named arrays, sample after sample: each of n times as many elements as one sample has of it. */
export type HostBatch = { readonly [name: string]: HostArray };

/** The same on the device: [n] where a sample has one element, [n, width] where it has more. */
export type DeviceBatch<B extends HostBatch> = { [name in keyof B]: jaxjs.Array };

type Direct = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** Takes batches of one kind, and holds them to the widths of the first. */
export class Uploader<B extends HostBatch> {
  readonly #jax: Jax;
  #widths: Map<string, number> | null = null;

  constructor(jax: Jax) {
    this.#jax = jax;
  }

  /**
   * Copies `samples` samples to the device, followed by copies of the first up to `size`: those are to be weighted
   * by 0, and being real samples give no NaN.
   *
   * @returns arrays that the caller owns
   * @throws PikeError `ERR_DTYPE`, `ERR_SHAPE` for a batch that is not `samples` samples, or not of the kind before
   */
  upload(batch: B, samples: number, size: number): DeviceBatch<B> {
    const widths = this.#checked(batch, samples);
    const placed: Record<string, jaxjs.Array> = {};
    for (const [name, width] of widths) {
      const values = padded(batch[name], samples, size, width);
      const shape = width === 1 ? [size] : [size, width];
      placed[name] = this.#jax.numpy.array(values, { shape });
    }
    this.#widths = widths;
    return placed as DeviceBatch<B>;
  }

  #checked(batch: B, samples: number): Map<string, number> {
    if (typeof batch !== 'object' || batch === null || ArrayBuffer.isView(batch))
      throw new PikeError(
        'ERR_DTYPE',
        `draw must return an object of typed arrays by name, but returned ${show(batch)}.`,
      );
    const widths = new Map<string, number>();
    for (const [name, values] of Object.entries<unknown>(batch)) {
      if (!isHostArray(values))
        throw new PikeError(
          'ERR_DTYPE',
          `draw must return typed arrays (Float32Array, or integers of up to 32 bits), but '${name}' is ${show(values)}.`,
        );
      const width = values.length / samples;
      if (!Number.isInteger(width) || width === 0)
        throw new PikeError(
          'ERR_SHAPE',
          `draw was asked for ${samples} samples, but '${name}' has ${values.length} elements, which is no multiple of that.`,
        );
      widths.set(name, width);
    }
    if (widths.size === 0) throw new PikeError('ERR_SHAPE', 'draw returned an object without arrays.');
    const { describe } = Uploader;
    if (this.#widths && describe(widths) !== describe(this.#widths))
      throw new PikeError(
        'ERR_SHAPE',
        `draw returned ${describe(widths)} elements per sample, but ${describe(this.#widths)} before: every shape must stay as it is.`,
      );
    return widths;
  }

  static describe(widths: ReadonlyMap<string, number>): string {
    return [...widths].map(([name, width]) => `${name}: ${width}`).join(', ');
  }
}

function isHostArray(value: unknown): value is HostArray {
  return (
    value instanceof Float32Array ||
    value instanceof Int32Array ||
    value instanceof Uint32Array ||
    value instanceof Int16Array ||
    value instanceof Uint16Array ||
    value instanceof Int8Array ||
    value instanceof Uint8Array
  );
}

function padded(values: HostArray, samples: number, size: number, width: number): Direct {
  const length = size * width;
  const into =
    values instanceof Float32Array
      ? new Float32Array(length)
      : values instanceof Uint32Array
        ? new Uint32Array(length)
        : new Int32Array(length);
  into.set(values);
  for (let i = samples; i < size; i++) into.copyWithin(i * width, 0, width);
  return into;
}
