/** Trees of jax-js arrays, and who owns them. */
import type * as jaxjs from '@jax-js/jax';
import { PikeError } from '../../errors.js';
import { hasMethods, show } from '../../validate.js';

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

/** @throws PikeError `ERR_INVALID_OPTION` */
export function requireJax(jax: unknown): void {
  if (
    !hasMethods(jax, ['valueAndGrad', 'jit', 'Array']) ||
    !hasMethods((jax as { tree?: unknown }).tree, ['leaves'])
  )
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `The first argument must be jax-js itself (import * as jax from '@jax-js/jax'), but is ${show(jax)}.`,
    );
}

/**
 * The leaves of a tree of float32 arrays, not consumed.
 *
 * @param owner whether references are handed over with it, or borrowed
 * @throws PikeError `ERR_INVALID_OPTION` when it has none or holds anything but arrays, `ERR_DTYPE` when one is not float32,
 *   `ERR_DISPOSED` when one was freed
 */
export function requireFloat32Leaves(
  jax: Jax,
  name: string,
  tree: unknown,
  owner: 'ours' | 'theirs' = 'ours',
): jaxjs.Array[] {
  const leaves = leavesOf(jax, name, tree);
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
  requireAlive(jax, name, leaves, owner);
  return leaves;
}

/**
 * A tree as `jit` takes it, such as the state of an optimiser.
 *
 * @param compiled false lets leaves of any kind pass
 * @param owner whether references are handed over with it, or borrowed
 * @throws PikeError `ERR_INVALID_OPTION` for a leaf that is neither an array nor a number or a boolean, `ERR_DISPOSED` when
 *   an array was freed
 */
export function requireState(
  jax: Jax,
  name: string,
  state: unknown,
  compiled: boolean,
  owner: 'ours' | 'theirs' = 'ours',
): void {
  const leaves: unknown[] = leavesOf(jax, name, state);
  for (const leaf of leaves)
    if (compiled && !(leaf instanceof jax.Array) && typeof leaf !== 'number' && typeof leaf !== 'boolean')
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `${name} must be arrays of jax-js, numbers or booleans in nested objects and lists, but holds ${show(leaf)}; with jitOptimizer: false it may hold anything.`,
      );
  requireAlive(jax, name, leaves, owner);
}

function leavesOf(jax: Jax, name: string, tree: unknown): jaxjs.Array[] {
  try {
    return jax.tree.leaves(tree as Tree);
  } catch (cause) {
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `${name} must be a tree, but ${show(tree)} cannot be walked: does it hold itself?`,
      { cause },
    );
  }
}

/** A tree that is handed over owns a reference for each time that it holds an array; one that is borrowed need not. */
function requireAlive(jax: Jax, name: string, leaves: readonly unknown[], owner: 'ours' | 'theirs'): void {
  for (const [array, count] of timesHeld(jax, leaves))
    if (array.refCount < (owner === 'ours' ? count : 1))
      throw new PikeError(
        'ERR_DISPOSED',
        array.refCount > 0
          ? `${name} holds an array ${count} times, which has ${array.refCount} references: hand in array.ref.`
          : `${name} holds an array that was disposed or consumed: hand in array.ref where you use one twice.`,
      );
}

function timesHeld(jax: Jax, leaves: readonly unknown[]): Map<jaxjs.Array, number> {
  const times = new Map<jaxjs.Array, number>();
  for (const leaf of leaves) if (leaf instanceof jax.Array) times.set(leaf, (times.get(leaf) ?? 0) + 1);
  return times;
}

/**
 * Runs a call that consumes every array in `owned`. When it throws, they are consumed all the same: jax-js' own functions
 * leave them behind when tracing fails.
 */
export function consuming<T>(jax: Jax, owned: readonly unknown[], call: () => T): T {
  const references = timesHeld(
    jax,
    owned.flatMap((tree) => jax.tree.leaves(tree as Tree)),
  );
  const left = new Map([...references].map(([array, count]) => [array, array.refCount - count]));
  try {
    return call();
  } catch (error) {
    for (const [array, count] of left) while (array.refCount > count) array.dispose();
    throw error;
  }
}

/** Frees the arrays of trees that may have been consumed, or freed, already; also of what holds itself, and so is none. */
export function disposeLeft(jax: Jax, ...trees: readonly unknown[]): void {
  for (const tree of trees)
    for (const leaf of leavesLeft(jax, tree))
      if (leaf instanceof jax.Array && leaf.refCount > 0) leaf.dispose();
}

function leavesLeft(jax: Jax, tree: unknown): unknown[] {
  try {
    return jax.tree.leaves(tree as Tree);
  } catch {
    return reachable(tree);
  }
}

/** What lists and plain objects hold, each looked into once. */
function reachable(value: unknown): unknown[] {
  const leaves: unknown[] = [];
  const seen = new Set<unknown>([value]);
  // A set is walked to its end also while it grows.
  for (const container of seen)
    for (const child of Object.values(container as object))
      if (Array.isArray(child) || child?.constructor === Object) seen.add(child);
      else leaves.push(child);
  return leaves;
}
