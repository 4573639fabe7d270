/**
 * The diagonal D = 1/(√v̂ + ε) of Adam's metric: under Adam the step is D·g, and sum_i a_i D_i b_i are the inner
 * products that belong to it (derived; ours, not the paper's, whose bound is for SGD).
 */
import { writeAdamDiagonal } from '../../backends/adam-metric.js';

/**
 * Steps after which Adam's second moments are taken for a metric. Those of the first steps are a handful of
 * squared gradients; wherever these happen to be small, D is large, and one such measurement outweighs hundreds.
 */
export const ADAM_WARM_UP = 10;

export interface AdamConstants {
  /** Decay of the second moments. */
  readonly beta2: number;
  /** ε, added to the root. */
  readonly epsilon: number;
}

/**
 * Writes D. A parameter that has never had a gradient has no scale yet: its D is 0, not 1/ε; nor has one whose moment is
 * no number, of which its gradients will tell.
 *
 * @param second v, as the optimiser keeps it, not yet corrected
 * @param steps that the optimiser has taken, at least one
 * @param into as long as `second`; may be the same array
 */
export function writeAdamMetric(
  second: Float32Array,
  steps: number,
  { beta2, epsilon }: AdamConstants,
  into: Float32Array,
): void {
  writeAdamDiagonal(second, Math.sqrt(1 / (1 - beta2 ** steps)), epsilon, into);
}
