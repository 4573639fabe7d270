import * as jax from '@jax-js/jax';
import { createTrainer } from 'pike-mixer/jax';
import { adam } from './jax-adam.js';
import { type Bytes, defaultShape, initialParams, losses, type Params } from './jax-model.js';
import { Random } from './random.js';
import { drawWindows, type Windows } from './sources.js';
import type { Learner, LearnerOptions, TextStack } from './stack.js';

const { numpy: np, tree } = jax;

/** Windows of each source that held-out losses are taken over: a jax-js forward pass costs more than all else here. */
const heldOutWindows = 512;

/** Weight of the past in the average of the weights: it reaches back about 50 steps. */
const decay = 0.98;

/** jax-js with a small transformer. */
export async function jaxStack(): Promise<TextStack> {
  // Without a name `init` asks for a navigator, which Node 20 does not have.
  await jax.init('wasm');
  const params = initialParams(0, defaultShape);
  const size = sizeOf(params);
  tree.dispose(params);
  const { context, layers } = defaultShape;
  return {
    model: `${size} parameters, a transformer of ${layers} layers, each next byte from up to ${context}`,
    context,
    batchSize: 96,
    learningRate: 3e-3,
    evaluations: 10,
    create: (options) => createLearner(options, 3e-3),
  };
}

function createLearner({ mixer, sources, seed, adaptive }: LearnerOptions, learningRate: number): Learner {
  const random = sources.map((source) => Random.named(seed, 'samples', source.name));
  const trainer = createTrainer(jax, mixer, {
    params: initialParams(seed, defaultShape),
    optimizer: adam(learningRate),
    draw: (counts) => bytesOf(drawWindows(sources, random, counts)),
    losses: (params: Params, batch) => losses(params, batch, defaultShape),
    measure: adaptive,
  });
  const average = new TreeAverage(trainer.params());
  const evaluated = jax.jit((params: Params, batch: Bytes<jax.Array>) => losses(params, batch, defaultShape));
  const heldOut = sources.map((source) => ({
    count: Math.min(source.heldOut.count, heldOutWindows),
    bytes: bytesOf(spread(source.heldOut, heldOutWindows)),
  }));
  return {
    parameters: sizeOf(average.params),
    async step() {
      const taken = await trainer.step();
      await average.update(trainer.params());
      return taken;
    },
    async evaluate() {
      const means: number[] = [];
      for (const { count, bytes } of heldOut) {
        const shape = [heldOutWindows, defaultShape.context];
        const batch = {
          tokens: np.array(bytes.tokens, { shape }),
          following: np.array(bytes.following, { shape }),
        };
        const each = (await evaluated(tree.ref(average.params), batch).data()) as Float32Array;
        means.push(each.subarray(0, count).reduce((sum, loss) => sum + loss, 0) / count);
      }
      return means;
    },
    dispose() {
      trainer.dispose();
      average.dispose();
      evaluated.dispose();
    },
  };
}

/** A running average of a tree of parameters: see `WeightAverage`, which is the same for TensorFlow.js. */
class TreeAverage {
  private steps = 0;
  private readonly step = jax.jit((average: Params, current: Params, share: jax.Array): Params => {
    const move = (a: jax.Array, c: jax.Array) => a.ref.add(c.sub(a).mul(share.ref)) as jax.Array;
    const next = tree.map(move, average, current) as Params;
    share.dispose();
    return next;
  });

  /** @param params consumed; borrow it, by reference, at any time */
  constructor(public params: Params) {}

  /** Call after every training step; consumes its argument. */
  async update(current: Params): Promise<void> {
    this.steps++;
    const share = np.array(Float32Array.of(Math.max(1 - decay, 1 / this.steps)), { shape: [] });
    this.params = await jax.blockUntilReady(this.step(this.params, current, share));
  }

  dispose(): void {
    tree.dispose(this.params);
    this.step.dispose();
  }
}

/** Every byte of a window has a next one: the last the target, each other the one after it. */
function bytesOf({ count, contexts, targets }: Windows): Bytes<Int32Array<ArrayBuffer>> {
  const context = contexts.length / count;
  const tokens = Int32Array.from(contexts);
  const following = new Int32Array(tokens.length);
  for (let i = 0; i < count; i++) {
    following.set(tokens.subarray(i * context + 1, (i + 1) * context), i * context);
    following[(i + 1) * context - 1] = targets[i]!;
  }
  return { tokens, following };
}

/** `size` windows, evenly spaced, or all and then the first again. */
function spread({ count, contexts, targets }: Windows, size: number): Windows {
  const context = contexts.length / count;
  const chosen = Array.from({ length: size }, (_, i) =>
    count >= size ? Math.floor((i * count) / size) : i < count ? i : 0,
  );
  return {
    count: size,
    contexts: Uint8Array.from(chosen.flatMap((i) => [...contexts.subarray(i * context, (i + 1) * context)])),
    targets: Uint8Array.from(chosen, (i) => targets[i]!),
  };
}

function sizeOf(params: Params): number {
  return tree.leaves(params as jax.JsTree<jax.Array>).reduce((sum, leaf) => sum + leaf.size, 0);
}
