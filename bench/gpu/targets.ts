/** Speeds that are aimed for on a GPU, as shares of the rate of a copy within its memory. */
import type { DeviceDtype } from '../../dist/verification/inputs.js';

/** By the number of rows; computed from the operations that each takes, before any GPU was at hand. */
const SHARES: Readonly<Record<'float32' | 'half', Readonly<Record<number, number>>>> = {
  float32: { 2: 0.96, 4: 0.96, 8: 0.95, 16: 0.94, 32: 0.92, 64: 0.88, 128: 0.78 },
  half: { 2: 0.95, 4: 0.95, 8: 0.94, 16: 0.93, 32: 0.92, 64: 0.9, 128: 0.88 },
};

export const targetShare = (dtype: DeviceDtype, rows: number): number =>
  SHARES[dtype === 'float32' ? 'float32' : 'half'][rows];

/** Rows up to which a share that is missed is a broken promise. Beyond, it is told and no more. */
export const MOST_PROMISED_ROWS = 16;

/** The launch that also solves for weights takes at most so much longer than the one that does not. */
export const MOST_FUSED_COST = 1.05;

/** How many times faster than every way in PyTorch. */
export const LEAST_SPEEDUP = 1.3;
