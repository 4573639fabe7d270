/** Data made to round badly, to overflow and to vanish. */
import type { Dtype } from '../gradients/layout.js';

/** An element of a row, by its column, the row's number from 1 on and a random number below 1. */
export type Fill = (column: number, row: number, random: number) => number;

const POWERS = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];

export const HOSTILE = {
  'constant gradients': (_, row) => 0.1 + row,
  'constant gradients that are the same': () => 0.1,
  'elements twelve orders of magnitude apart': (j, _, x) => (x - 0.3) * POWERS[j % 13],
  'one element of 1e18 among ones': (j) => (j === 700 ? 1e18 : 1),
  'one element of 1e30 among ones': (j, row) => (j === 100 * row ? 1e30 : 1),
  'nothing but 1e-25': (_, row, x) => (x - row) * 1e-25,
  'nothing but 1e-30': (_, row, x) => (x - row) * 1e-30,
  'one tiny element among zeros': (j, row) => (j === 600 * row ? 1e-25 : 0),
  'nothing but 1e25': (_, row, x) => (x - row) * 1e25,
  'signs that alternate': (j, row) => (j % 2 ? row : -row) + 0.001,
  'zeros of either sign': (j, row) => (j % (row + 1) ? -0 : 0),
  'a sum in which every term rounds up': (j) => (j % 2048 === 0 ? 1 : 1.001 * 2 ** -12),
} as const satisfies Record<string, Fill>;

export type HostileValues = keyof typeof HOSTILE;

/** The largest and the smallest number, other than zero, that is taken of a dtype. */
const RANGE: Readonly<Record<Dtype, readonly [most: number, least: number]>> = {
  float32: [3e38, 1e-37],
  bfloat16: [3e38, 1e-37],
  float16: [65504, 6.2e-5],
  float64: [1e300, 1e-300],
};

/** The number itself where a dtype can hold it, else the largest of that sign, or zero. */
export function held(x: number, dtype: Dtype): number {
  const [most, least] = RANGE[dtype];
  const size = Math.min(Math.abs(x), most);
  return size < least ? 0 * x : Math.sign(x) * size;
}
