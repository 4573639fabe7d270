/**
 * The compiled functions of a trainer. Each is met in one shape only, so each is compiled once: a pass over a whole batch,
 * a pass over a micro-batch that adds its gradient to a sum, and the step of the optimiser.
 */
import type * as jaxjs from '@jax-js/jax';
import { PikeError } from '../../errors.js';
import { show } from '../../validate.js';
import type { Jax, Optimizer, Tree } from './trees.js';

type Losses = (params: Tree, batch: Record<string, jaxjs.Array>) => jaxjs.Array;
type Batch = Record<string, jaxjs.Array>;

export interface Programs {
  /** Per-sample losses, and the gradient of their sum weighted by `weights`, [n]. Consumes its arguments. */
  readonly whole: (params: Tree, batch: Batch, weights: jaxjs.Array) => [jaxjs.Array, Tree];
  /** The same, and `sum` plus `factor` times the gradient. */
  readonly micro: (
    params: Tree,
    batch: Batch,
    weights: jaxjs.Array,
    sum: Tree,
    factor: jaxjs.Array,
  ) => [jaxjs.Array, Tree, Tree];
  /** Parameters and state after a step of the optimiser. */
  readonly apply: (params: Tree, state: Tree, gradients: Tree) => [Tree, Tree];
  /** Frees what compilation keeps. */
  dispose(): void;
}

/** @param jitOptimizer false leaves the optimiser as it is: for one that reads its own state, such as a schedule */
export function compile(jax: Jax, losses: Losses, optimizer: Optimizer, jitOptimizer: boolean): Programs {
  const { tree, jit } = jax;

  function objective(params: Tree, batch: Batch, weights: jaxjs.Array): [jaxjs.Array, jaxjs.Array] {
    const [size] = weights.shape;
    const each = losses(params, batch);
    const shape: unknown = (each as { shape?: unknown } | null)?.shape;
    if (!Array.isArray(shape) || shape.length !== 1 || shape[0] !== size)
      throw new PikeError(
        'ERR_SHAPE',
        `losses must return one loss for each of ${size} samples, an array of shape [${size}], but returned ` +
          `${Array.isArray(shape) ? `one of shape [${shape.join(', ')}]` : show(each)}. Take no mean over the samples.`,
      );
    return [each.ref.mul(weights).sum(), each];
  }

  function passed(params: Tree, batch: Batch, weights: jaxjs.Array): [jaxjs.Array, Tree] {
    const gradient = jax.valueAndGrad(objective as never, { hasAux: true }) as unknown as (
      ...args: [Tree, Batch, jaxjs.Array]
    ) => [[jaxjs.Array, jaxjs.Array], Tree];
    const [[value, each], gradients] = gradient(params, batch, weights);
    value.dispose();
    return [each, gradients];
  }

  const whole = jit(passed as never) as unknown as jaxjs.OwnedFunction<typeof passed>;

  const micro = jit(((
    params: Tree,
    batch: Batch,
    weights: jaxjs.Array,
    sum: Tree,
    factor: jaxjs.Array,
  ): [jaxjs.Array, Tree, Tree] => {
    const [each, gradients] = passed(params, batch, weights);
    const add = (before: jaxjs.Array, gradient: jaxjs.Array) =>
      before.add(gradient.ref.mul(factor.ref)) as jaxjs.Array;
    const next = tree.map(add, sum, gradients) as Tree;
    factor.dispose();
    return [each, gradients, next];
  }) as never) as unknown as jaxjs.OwnedFunction<Programs['micro']>;

  function step(params: Tree, state: Tree, gradients: Tree): [Tree, Tree] {
    const [updates, next] = optimizer.update(gradients, state, tree.ref(params)) as [Tree, Tree];
    const add = (param: jaxjs.Array, update: jaxjs.Array) => param.add(update) as jaxjs.Array;
    return [tree.map(add, params, updates) as Tree, next];
  }
  const compiled = jit(step as never) as unknown as jaxjs.OwnedFunction<typeof step>;

  return {
    whole,
    micro,
    apply: jitOptimizer ? compiled : step,
    dispose() {
      for (const program of [whole, micro, compiled]) program.dispose();
    },
  };
}
