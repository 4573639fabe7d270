/** The smallest things that tests of details need: rows of a few elements, and a mixer of two tasks. */
import { vi } from 'vitest';
import { createReferenceBackend } from '../../lib/backends/reference.js';
import { viewGradient } from '../../lib/gradients/gradient.js';
import { Mixer, type MixerOptions } from '../../lib/index.js';

export const row = (...x: number[]) => Float32Array.from(x);

/** Sizes for two tasks of two micro-batches each. */
export const samples = [
  [1, 1],
  [1, 1],
];

export const mixerOf = (options: Partial<MixerOptions> = {}) =>
  new Mixer({ tasks: ['a', 'b'], batchSize: 8, backend: 'reference', ...options });

/** Watches every reference stream being disposed. */
export function spyOnDispose() {
  const layout = viewGradient(row(1), 'g');
  const stream = createReferenceBackend().stream({ tasks: 1, layout, inner: false });
  return vi.spyOn(Object.getPrototypeOf(stream), 'dispose');
}
