/** Trees of jax-js arrays, and who owns them. */
import type * as jaxjs from '@jax-js/jax';
import { PikeError } from '../../errors.js';
import { show } from '../../validate.js';

export type Jax = typeof jaxjs;

/** Nested objects and lists of arrays: parameters, gradients, the state of an optimiser. */
export type Tree = jaxjs.JsTree<jaxjs.Array>;

/**
 * An optimiser with the interface of optax (`@jax-js/optax`): pure functions, which consume what they are given. A
 * method, not a property, so that optax's generic functions fit.
 */
export interface Optimizer {
  /** The state before the first step, of parameters like these. */
  // biome-ignore lint/suspicious/noExplicitAny: optax types its state as any tree, and its functions as generic
  init(params: any): any;
  /** Gradients and state in, updates to add to the parameters and the next state out. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  update(gradients: any, state: any, params?: any): [any, any];
}

/**
 * The leaves of a tree of float32 arrays, not consumed.
 *
 * @throws PikeError `ERR_INVALID_OPTION` when it has none or holds anything but arrays, `ERR_DTYPE` when one is not float32
 */
export function requireFloat32Leaves(jax: Jax, name: string, tree: unknown): jaxjs.Array[] {
  const leaves = jax.tree.leaves(tree as Tree);
  if (leaves.length === 0)
    throw new PikeError('ERR_INVALID_OPTION', `${name} must hold at least one array, but it is empty.`);
  for (const leaf of leaves) {
    if (!(leaf instanceof jax.Array))
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `${name} must be an array of jax-js, or nested objects and lists of them, but holds ${show(leaf)}.`,
      );
    if (leaf.dtype !== 'float32')
      throw new PikeError('ERR_DTYPE', `${name} must be float32, but holds an array of ${leaf.dtype}.`);
  }
  return leaves;
}

/**
 * Runs a call that consumes every array in `owned`. When it throws, they are consumed all the same: jax-js' own functions
 * leave them behind when tracing fails.
 */
export function consuming<T>(jax: Jax, owned: readonly unknown[], call: () => T): T {
  const references = new Map<jaxjs.Array, number>();
  for (const tree of owned)
    for (const leaf of jax.tree.leaves(tree as Tree))
      if (leaf instanceof jax.Array) references.set(leaf, (references.get(leaf) ?? 0) + 1);
  const left = new Map([...references].map(([array, count]) => [array, array.refCount - count]));
  try {
    return call();
  } catch (error) {
    for (const [array, count] of left) while (array.refCount > count) array.dispose();
    throw error;
  }
}

/** Frees the arrays of trees that may have been consumed, or freed, already. */
export function disposeLeft(jax: Jax, ...trees: readonly unknown[]): void {
  for (const tree of trees)
    for (const leaf of jax.tree.leaves(tree as Tree))
      if (leaf instanceof jax.Array && leaf.refCount > 0) leaf.dispose();
}
