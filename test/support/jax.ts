/**
 * jax-js under watch. Its own check is that a freed array cannot be used; what is never freed it does not tell, so the
 * table of live buffers of its wasm backend is found by the form of its entries. Compilations are those of WebAssembly.
 */
import * as jax from '@jax-js/jax';

let buffers: Map<unknown, unknown> | null = null;

/** Buffers of jax-js' wasm backend that are alive. */
export function liveBuffers(): number {
  if (!buffers) {
    const { set } = Map.prototype;
    // biome-ignore lint/suspicious/noExplicitAny: any map
    Map.prototype.set = function (this: Map<any, any>, key: unknown, value: unknown) {
      const entry = value as { ptr?: unknown; size?: unknown; ref?: unknown } | null;
      if (typeof entry === 'object' && entry !== null && 'ptr' in entry && 'size' in entry && 'ref' in entry)
        buffers = this;
      return set.call(this, key, value);
    };
    try {
      jax.numpy.array(Float32Array.of(1, 2)).dispose();
    } finally {
      Map.prototype.set = set;
    }
    if (!buffers) throw new Error('this version of jax-js keeps its buffers otherwise');
  }
  return buffers.size;
}

/** Counts the WebAssembly modules that are compiled from here on. */
export function countCompilations(): { readonly count: number; stop(): void } {
  const { compile, Module } = WebAssembly;
  let count = 0;
  WebAssembly.compile = (...args: Parameters<typeof compile>) => {
    count++;
    return compile(...args);
  };
  WebAssembly.Module = class extends Module {
    constructor(...args: ConstructorParameters<typeof Module>) {
      super(...args);
      count++;
    }
  } as typeof Module;
  return {
    get count() {
      return count;
    },
    stop() {
      WebAssembly.compile = compile;
      WebAssembly.Module = Module;
    },
  };
}

interface AdamState {
  count: jax.Array;
  mu: jax.JsTree<jax.Array>;
  nu: jax.JsTree<jax.Array>;
}

type Params = jax.JsTree<jax.Array>;

/**
 * Adam with the interface and the state of optax's (`chain(scaleByAdam, scale)`), written from its description: the
 * package itself is not a dependency.
 */
export function adam(learningRate: number, { b1 = 0.9, b2 = 0.999, eps = 1e-8 } = {}) {
  const { numpy: np, tree } = jax;
  const zeros = (params: Params) => tree.map((p: jax.Array) => np.zerosLike(p), params) as Params;
  return {
    init(params: Params): [AdamState, never[]] {
      const mu = zeros(tree.ref(params));
      return [{ count: np.array(0, { dtype: np.uint32 }), mu, nu: zeros(params) }, []];
    },
    update(
      gradients: Params,
      [before]: [AdamState, never[]],
      params?: Params,
    ): [Params, [AdamState, never[]]] {
      tree.dispose(params);
      const moment = (decay: number, of: (g: jax.Array) => jax.Array) => (m: jax.Array, g: jax.Array) =>
        m.mul(decay).add(of(g).mul(1 - decay)) as jax.Array;
      const mu = tree.map(
        moment(b1, (g) => g),
        before.mu,
        tree.ref(gradients),
      ) as Params;
      const nu = tree.map(moment(b2, np.square), before.nu, gradients) as Params;
      const count = before.count.add(1) as jax.Array;
      const correction = (decay: number) => np.subtract(1, np.power(decay, count.ref.astype(np.float32)));
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

export function sgd(learningRate: number) {
  return {
    init(params: Params): never[] {
      jax.tree.dispose(params);
      return [];
    },
    update(gradients: Params, state: never[], params?: Params): [Params, never[]] {
      jax.tree.dispose(params);
      return [jax.tree.map((g: jax.Array) => g.mul(-learningRate) as jax.Array, gradients) as Params, state];
    },
  };
}
