import * as jax from '@jax-js/jax';
import { Random } from './random.js';

const { numpy: np, nn } = jax;

export interface TransformerShape {
  /** Bytes the model sees. */
  context: number;
  width: number;
  heads: number;
  layers: number;
}

/** 132 k parameters. */
export const defaultShape: TransformerShape = { context: 16, width: 64, heads: 4, layers: 2 };

const bytes = 256;

type Layer = {
  query: jax.Array;
  key: jax.Array;
  value: jax.Array;
  joined: jax.Array;
  up: jax.Array;
  down: jax.Array;
  attentionGain: jax.Array;
  feedForwardGain: jax.Array;
};

export type Params = {
  embedding: jax.Array;
  position: jax.Array;
  layers: Layer[];
  gain: jax.Array;
  output: jax.Array;
};

/** The bytes of n windows, [n, context], and at each place the byte that follows it. */
export type Bytes<T> = {
  tokens: T;
  following: T;
};

/** The initial weights depend on `seed` and `shape` alone: all runs that are compared start from the same point. */
export function initialParams(seed: number, { context, width, layers }: TransformerShape): Params {
  const uniform = (name: string, rows: number, columns: number, scale = 1) => {
    const random = Random.named(seed, 'initial weights', name);
    const limit = scale * Math.sqrt(3 / rows);
    const values = Float32Array.from({ length: rows * columns }, () => (2 * random.uniform() - 1) * limit);
    return np.array(values, { shape: [rows, columns] });
  };
  return {
    embedding: uniform('embedding', bytes, width, 8),
    position: uniform('position', context, width),
    layers: Array.from({ length: layers }, (_, i) => ({
      query: uniform(`query ${i}`, width, width),
      key: uniform(`key ${i}`, width, width),
      value: uniform(`value ${i}`, width, width),
      joined: uniform(`joined ${i}`, width, width, 0.5),
      up: uniform(`up ${i}`, width, 4 * width),
      down: uniform(`down ${i}`, 4 * width, width, 0.5),
      attentionGain: np.ones([width]),
      feedForwardGain: np.ones([width]),
    })),
    gain: np.ones([width]),
    // Small first outputs: whatever a larger start makes of random bytes has to be unlearned again.
    output: uniform('output', width, bytes, 0.1),
  };
}

/**
 * A transformer over bytes, pre-norm and causal: the mean cross-entropy of the next byte over the places of each window, in
 * nats, [n]. Consumes its arguments.
 *
 * Gradients of `np.take` throw under `jit`, and einsum, on which `nn.dotProductAttention` is built, wants Node 22: so the
 * embedding is a product with one-hot rows, and attention is written out.
 */
export function losses(
  params: Params,
  { tokens, following }: Bytes<jax.Array>,
  { context, width, heads }: TransformerShape,
): jax.Array {
  const [n] = tokens.shape as [number];
  const { embedding, position, layers, gain, output } = params;
  let x = np.matmul(nn.oneHot(tokens, bytes), embedding).add(position) as jax.Array;
  for (const layer of layers) {
    const seen = normalized(x.ref, layer.attentionGain);
    const split = (weights: jax.Array) =>
      np
        .matmul(seen.ref, weights)
        .reshape([n, context, heads, width / heads])
        .transpose([0, 2, 1, 3]);
    const [query, key, value] = [split(layer.query), split(layer.key), split(layer.value)];
    seen.dispose();
    const later = np.triu(np.full([context, context], -1e9), 1);
    const scores = np.matmul(query, key.transpose([0, 1, 3, 2])).mul(Math.sqrt(heads / width));
    const attended = np
      .matmul(nn.softmax(scores.add(later), -1), value)
      .transpose([0, 2, 1, 3])
      .reshape([n, context, width]);
    x = x.add(np.matmul(attended, layer.joined)) as jax.Array;
    const inner = nn.relu(np.matmul(normalized(x.ref, layer.feedForwardGain), layer.up));
    x = x.add(np.matmul(inner, layer.down)) as jax.Array;
  }
  const logits = np.matmul(normalized(x, gain), output);
  const likelihoods = nn.logSoftmax(logits, -1).mul(nn.oneHot(following, bytes)).sum(-1);
  return likelihoods.mean(-1).mul(-1) as jax.Array;
}

/** Divided by its root mean square along the last axis, times a gain. */
function normalized(x: jax.Array, gain: jax.Array): jax.Array {
  const square = np.square(x.ref).mean(-1, { keepdims: true }).add(1e-5);
  return x.div(np.sqrt(square)).mul(gain) as jax.Array;
}
