import * as jax from '@jax-js/jax';

const { numpy: np, tree } = jax;

type Params = jax.JsTree<jax.Array>;

interface Moments {
  count: jax.Array;
  mu: Params;
  nu: Params;
}

type State = [Moments, never[]];

/**
 * Adam with the interface and the state of `@jax-js/optax`, `chain(scaleByAdam(…), scale(…))`, which does as well: this
 * example just has one dependency less. Like all of jax-js, each function consumes what it is given.
 */
export function adam(learningRate: number, { b1 = 0.9, b2 = 0.999, eps = 1e-8 } = {}) {
  const zeros = (params: Params) => tree.map((p: jax.Array) => np.zerosLike(p), params) as Params;
  const decayed = (decay: number, of: (gradient: jax.Array) => jax.Array) => (m: jax.Array, g: jax.Array) =>
    m.mul(decay).add(of(g).mul(1 - decay)) as jax.Array;

  return {
    init(params: Params): State {
      const mu = zeros(tree.ref(params));
      return [{ count: np.array(0, { dtype: np.uint32 }), mu, nu: zeros(params) }, []];
    },
    update(gradients: Params, [before]: State, params?: Params): [Params, State] {
      tree.dispose(params);
      const mu = tree.map(
        decayed(b1, (g) => g),
        before.mu,
        tree.ref(gradients),
      ) as Params;
      const nu = tree.map(decayed(b2, np.square), before.nu, gradients) as Params;
      const count = before.count.add(1) as jax.Array;
      const correction = (decay: number) =>
        np.subtract(1, np.power(decay, count.ref.astype(np.float32))) as jax.Array;
      const [first, second] = [correction(b1), correction(b2)];
      const step = (m: jax.Array, v: jax.Array) =>
        m
          .div(first.ref)
          .div(np.sqrt(v.div(second.ref)).add(eps))
          .mul(-learningRate) as jax.Array;
      const updates = tree.map(step, tree.ref(mu), tree.ref(nu)) as Params;
      first.dispose();
      second.dispose();
      return [updates, [{ count, mu, nu }, []]];
    },
  };
}
