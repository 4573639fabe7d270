/** Gradients of jax-js in memory of the host. */
import type * as jaxjs from '@jax-js/jax';
import type { Write } from '../common/collector.js';
import { disposeLeft, type Jax, requireFloat32Leaves, requireJax, type Tree } from './trees.js';

/**
 * The elements of a tree of gradients, an array for every leaf, for `mixer.observe` and `mixer.measure` in a loop of one's own.
 *
 * @param gradients float32; consumed
 * @throws PikeError `ERR_INVALID_OPTION`, `ERR_DTYPE`, `ERR_DISPOSED`; nothing is consumed then
 */
export async function readGradient(jax: Jax, gradients: Tree): Promise<Float32Array[]> {
  requireJax(jax);
  const leaves = requireFloat32Leaves(jax, 'gradients', gradients);
  try {
    // What is still pending is computed by the first read for all.
    return (await Promise.all(leaves.map((leaf) => leaf.data()))) as Float32Array[];
  } catch (error) {
    disposeLeft(jax, leaves);
    throw error;
  }
}

/** Writes a tree of gradients leaf after leaf, and consumes it. */
export function writeGradients(jax: Jax, gradients: Tree): Write {
  return async (into) => {
    for (const [i, values] of (await readGradient(jax, gradients)).entries()) into[i].set(values);
  };
}

/** The elements of one array, consumed. */
export async function readArray(array: jaxjs.Array): Promise<Float32Array> {
  return (await array.data()) as Float32Array;
}
