/**
 * jax-js under watch. Its own check is that a freed array cannot be used; what is never freed it does not tell, so the
 * table of live buffers of its wasm backend is found by the form of its entries. Compilations are those of WebAssembly.
 */
import * as jax from '@jax-js/jax';

export { adam } from '../../examples/mixed-text/jax-adam.js';

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

type Params = jax.JsTree<jax.Array>;

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
