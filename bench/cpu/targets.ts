/** What is aimed for on a CPU. */
import type { Dtype } from '../../dist/gradients/layout.js';

/** Least shares of the read probe by the largest number of rows that they are for: two per task, with products. */
const READ_SHARES: Readonly<Partial<Record<Dtype, readonly (readonly [rows: number, share: number])[]>>> = {
  float32: [
    [8, 0.85],
    [16, 0.7],
    [32, 0.45],
  ],
  bfloat16: [[8, 0.7]],
};

/** Null where nothing is promised. */
export function targetShare(dtype: Dtype, rows: number): number | null {
  return READ_SHARES[dtype]?.find(([most]) => rows <= most)?.[1] ?? null;
}

/** Of the update probe, for streaming in float32. */
export const LEAST_STREAMING_SHARE = 0.85;

/** How many times faster than ssyrk of OpenBLAS; null where nothing is promised. */
export function leastOverSsyrk(rows: number): number | null {
  if (rows <= 8) return 3;
  return rows === 32 ? 2 : null;
}

/** How many times faster than plain JavaScript. */
export const LEAST_OVER_JAVASCRIPT = 10;

/** Milliseconds that one section on the JS thread takes at most, by that thread's own clock. */
export const LONGEST_SECTION = 1;

/** Milliseconds by which the 99th percentile of a timer's delay grows at most, next to as many foreign threads. */
export const MOST_ADDED_DELAY = 2;

/** Bytes by which the process grows at most during a measurement. */
export const MOST_GROWTH = 1 << 20;
