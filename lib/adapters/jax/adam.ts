/** Adam's metric, from the state that optax keeps: `{ count, mu, nu }`, alone or in the list of a chain. */
import type * as jaxjs from '@jax-js/jax';
import { PikeError } from '../../errors.js';
import { requireNumberIn, requireOptions, show } from '../../validate.js';
import { writeAdamMetric } from '../common/adam.js';
import type { Write } from '../common/collector.js';
import { type Jax, requireFloat32Leaves, requireJax, requireState, type Tree } from './trees.js';

/** What the state of an optimiser does not tell; as they were given to optax, whose defaults are these. */
export interface AdamOptions {
  /** Decay of the second moments (default 0.999). */
  b2?: number;
  /** ε, added to the root (default 1e-8). */
  eps?: number;
}

interface AdamState {
  readonly count: jaxjs.Array;
  readonly nu: Tree;
}

/**
 * The diagonal D = 1/(√v̂ + ε) of Adam's metric, from the state of an optax optimiser: under Adam the step is D·g, and
 * sum_i a_i D_i b_i are the inner products that belong to it (derived; ours, not the paper's, whose bound is for SGD). A
 * parameter that has never had a gradient has no scale yet: its D is 0, not 1/ε.
 *
 * @param state borrowed, not consumed: it may hold an array more than once by one reference
 * @returns an array for every leaf of the parameters; null when there is no Adam in it or it has taken no step
 * @throws PikeError `ERR_INVALID_OPTION`; `ERR_DTYPE`, `ERR_DISPOSED` for the arrays in the state
 */
export async function adamPreconditioner(
  jax: Jax,
  state: unknown,
  options: AdamOptions = {},
): Promise<Float32Array[] | null> {
  requireJax(jax);
  checkAdamOptions(options);
  if (!['object', 'number', 'boolean'].includes(typeof state))
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `state must be the state of an optimiser, such as trainer.optimizerState(), but is ${show(state)}.`,
    );
  requireState(jax, 'state', state, false, 'theirs');
  const adam = findAdam(jax, state);
  if (adam) requireFloat32Leaves(jax, 'nu of the state', adam.nu, 'theirs');
  if (!adam || (await stepsOf(adam)) === 0) return null;
  const diagonal = jax.tree.leaves(adam.nu).map((leaf) => new Float32Array(leaf.size));
  await adamMetric(jax, adam, options)(diagonal);
  return diagonal;
}

/** Writes the diagonal for a state that has taken a step. */
export function adamMetric(jax: Jax, adam: AdamState, options: AdamOptions): Write {
  const { b2: beta2 = 0.999, eps: epsilon = 1e-8 } = options;
  return async (into) => {
    const steps = await stepsOf(adam);
    const leaves = jax.tree.leaves(adam.nu);
    for (const [i, leaf] of leaves.entries())
      writeAdamMetric((await leaf.ref.data()) as Float32Array, steps, { beta2, epsilon }, into[i]);
  };
}

export async function stepsOf({ count }: AdamState): Promise<number> {
  return (await count.ref.data())[0];
}

/** The first state of an Adam in the state of an optimiser, borrowed; null when there is none. */
export function findAdam(jax: Jax, state: unknown): AdamState | null {
  if (typeof state !== 'object' || state === null || state instanceof jax.Array) return null;
  const { count, nu } = state as { count?: unknown; nu?: unknown };
  if (count instanceof jax.Array && nu !== undefined) return { count, nu: nu as Tree };
  for (const child of Object.values(state)) {
    const found = findAdam(jax, child);
    if (found) return found;
  }
  return null;
}

/** @throws PikeError `ERR_SHAPE` when its second moments are not those of these parameters */
export function requireMomentsOf(jax: Jax, { nu }: AdamState, leaves: readonly jaxjs.Array[]): void {
  const sizes = (all: readonly jaxjs.Array[]) => all.map((leaf) => leaf.size).join(', ');
  const moments = jax.tree.leaves(nu);
  if (sizes(moments) !== sizes(leaves))
    throw new PikeError(
      'ERR_SHAPE',
      `The second moments of the optimiser have ${sizes(moments)} elements, but the parameters ${sizes(leaves)}; metric: 'plain' does without them.`,
    );
}

/** @throws PikeError `ERR_INVALID_OPTION` */
export function checkAdamOptions(options: AdamOptions): void {
  requireOptions('adam', options, ['b2', 'eps']);
  if (options.b2 !== undefined) requireNumberIn('adam.b2', options.b2, 0, 1 - Number.EPSILON);
  if (options.eps !== undefined) requireNumberIn('adam.eps', options.eps, 0, Infinity);
}
