/**
 * What training needs of a model: gradients in numbered rows, so that all of a measurement can exist at the same time.
 * DeviceModel keeps them on a GPU; HostModel computes the same in TypeScript, to check it.
 */
import type { Gradient } from 'pike-mixer';
import { classes, width } from './sources.js';

/** Weights [classes][width], then a bias per class. */
export const parameters = classes * (width + 1);

export interface Model {
  /** Row `row` becomes the gradient of the mean loss over these samples, `parameters` long. */
  gradient(row: number, samples: Uint32Array): Gradient;
  /** The mean losses that came with the gradients in rows 0 … rows − 1. */
  losses(rows: number): Float32Array;
  /** Plain gradient descent: parameters −= learningRate · row. */
  step(row: number, learningRate: number): void;
  /** A copy of a row. */
  read(row: number): Float32Array;
  dispose(): void;
}
