/** Gradients in memory that the addon reads where it is. */
import { freemem } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { GradientBuffer } from '../backends/gradient-buffer.js';
import type { HostTensor } from '../gradients/host-gradient.js';
import type { Dtype } from '../gradients/layout.js';
import { randomNumbers } from '../verification/random.js';
import type { Size } from './size.js';

export const ELEMENT_BYTES: Readonly<Record<Dtype, number>> = {
  float32: 4,
  float64: 8,
  bfloat16: 2,
  float16: 2,
};

/** 16-bit floats are their bits. */
export type RowArray = Float32Array | Float64Array | Uint16Array;

export interface Row {
  readonly dtype: Dtype;
  /** What is handed in. */
  readonly gradient: GradientBuffer;
  readonly array: RowArray;
}

/** The one place where the memory of gradients comes from. */
export function allocateRow(length: number, dtype: Dtype = 'float32'): Row {
  const gradient = GradientBuffer.allocate(length, dtype);
  return { dtype, gradient, array: gradient.array };
}

/** Some elements of a row, as a tensor of their own. */
export function tensorOf({ dtype, array }: Row, begin: number, length: number): HostTensor {
  const part = array.subarray(begin, begin + length);
  return part instanceof Uint16Array ? { data: part, dtype: dtype as 'bfloat16' | 'float16' } : part;
}

const BLOCK = 1 << 16;

/** Writes numbers between -1 and 1, other ones for every seed. */
export function fillRow({ dtype, array }: Row, seed: number): void {
  const random = randomNumbers(seed);
  const block = array.slice(0, Math.min(BLOCK, array.length));
  const draw = drawers[dtype];
  for (let j = 0; j < block.length; j++) block[j] = draw(random);
  for (let at = 0; at < array.length; at += BLOCK)
    array.set(block.length > array.length - at ? block.subarray(0, array.length - at) : block, at);
}

const bits = new DataView(new ArrayBuffer(4));
const drawers: Readonly<Record<Dtype, (random: () => number) => number>> = {
  float32: (random) => 2 * random() - 1,
  float64: (random) => 2 * random() - 1,
  bfloat16: (random) => {
    bits.setFloat32(0, 2 * random() - 1);
    return bits.getUint16(0);
  },
  // A sign, an exponent of 2^-7 to 2^-1, and any fraction.
  float16: (random) =>
    (random() < 0.5 ? 0x8000 : 0) | ((8 + Math.floor(7 * random())) << 10) | Math.floor(1024 * random()),
};

/** Rows of one kind, which as many shapes as possible share: writing them takes longer than measuring. */
export class RowPool {
  #rows: Row[] = [];

  constructor(readonly dtype: Dtype) {}

  take(count: number, length: number): Row[] {
    if (this.#rows[0]?.array.length !== length) this.release();
    while (this.#rows.length < count) {
      const row = allocateRow(length, this.dtype);
      fillRow(row, this.#rows.length + 1);
      this.#rows.push(row);
    }
    return this.#rows.slice(0, count);
  }

  release(): void {
    for (const { gradient } of this.#rows) gradient.dispose();
    this.#rows = [];
    collectGarbage();
  }
}

/** Bytes that all rows together may take. */
export function memoryBudget(size: Size): number {
  const most = { full: 11e9, quick: 3e9, tiny: 1e7 }[size];
  const free = 'availableMemory' in process ? (process.availableMemory as () => number)() : freemem();
  return Math.min(most, 0.6 * free);
}

/** The elements of a row that are wanted, or as many as there is memory for. */
export function longestRow(wanted: number, rows: number, dtype: Dtype, budget: number): number {
  const most = Math.floor(budget / rows / ELEMENT_BYTES[dtype] / 1024) * 1024;
  return Math.max(1024, Math.min(wanted, most));
}

export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
