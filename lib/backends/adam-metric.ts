/** The diagonal of Adam's metric, natively where the addon is there: in JavaScript it takes as long as all the sums. */
import { loadAddon } from './load-addon.js';

/**
 * into ← 1/(√v · rootCorrection + ε), as float32, within a few units in the last place. A parameter that has never had a
 * gradient has no scale yet: its D is 0, not 1/ε; nor has one whose moment is no number.
 *
 * @param second v, d elements, not yet corrected
 * @param rootCorrection 1/√(1 − β2^steps)
 * @param into d elements; may be the same array
 */
export function writeAdamDiagonal(
  second: Float32Array,
  rootCorrection: number,
  epsilon: number,
  into: Float32Array,
): void {
  const { addon } = loadAddon();
  // A status means arrays that are of no use to it, such as ones of another realm: here they are read one by one.
  if (addon && addon.adamMetric(second, rootCorrection, epsilon, into) === undefined) return;
  for (let i = 0; i < second.length; i++) {
    const v = second[i];
    into[i] = v > 0 ? 1 / (Math.sqrt(v) * rootCorrection + epsilon) : 0;
  }
}
