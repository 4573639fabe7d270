import * as jax from '@jax-js/jax';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  adamPreconditioner,
  createTrainer,
  readGradient,
  type Trainer,
  type TrainerOptions,
} from '../../lib/adapters/jax.js';
import { Mixer, type MixerOptions } from '../../lib/index.js';
import { largestDifference } from '../support/expect.js';
import { gaussian, mulberry32 } from '../support/gradients.js';
import { adam, countCompilations, liveBuffers, sgd } from '../support/jax.js';
import { recordRows } from '../support/measured.js';

const { numpy: np, tree } = jax;
const inputs = 4;
const tasks = ['near', 'far'];

type Params = { layer: { weights: jax.Array; bias: jax.Array } };
type Samples = { xs: Float32Array; ys: Float32Array };

const mixerOf = (options: Partial<MixerOptions> = {}) =>
  new Mixer({ tasks, batchSize: 12, updateInterval: 3, microBatches: 3, ...options });

/** Linear regression with another target for each task, drawn from generators of its own. */
function regression(seed = 1) {
  const random = tasks.map((_, k) => mulberry32(seed + k));
  return (counts: Int32Array): Samples => {
    const xs: number[] = [];
    const ys: number[] = [];
    for (const [k, scale] of [0.5, 5].entries())
      for (let i = 0; i < counts[k]; i++) {
        const x = Array.from({ length: inputs }, () => gaussian(random[k]));
        xs.push(...x);
        ys.push(scale * x[k] + 0.1 * gaussian(random[k]));
      }
    return { xs: Float32Array.from(xs), ys: Float32Array.from(ys) };
  };
}

const initial = (): Params => ({
  layer: { weights: np.array(Float32Array.of(0.1, -0.2, 0.3, 0)), bias: np.array(Float32Array.of(0.5)) },
});

const losses = ({ layer }: Params, { xs, ys }: { xs: jax.Array; ys: jax.Array }) =>
  np.square(np.matmul(xs, layer.weights).add(layer.bias).sub(ys)) as jax.Array;

type Options = Partial<TrainerOptions<Params, Samples>>;

const trainerOf = (mixer: Mixer, options: Options = {}): Trainer<Params> =>
  createTrainer<Params, Samples>(jax, mixer, {
    params: options.params ?? initial(),
    optimizer: sgd(0.05),
    draw: regression(),
    losses,
    ...options,
  });

async function valuesOf(trainer: Trainer<Params>): Promise<number[]> {
  return (await readGradient(jax, trainer.params())).flatMap((part) => Array.from(part));
}

/** Loss, and gradient of the mean loss over the samples of one draw, by hand. */
function byHand(values: readonly number[], { xs, ys }: Samples): { loss: number; gradient: number[] } {
  const gradient = new Array<number>(inputs + 1).fill(0);
  let loss = 0;
  for (let i = 0; i < ys.length; i++) {
    const x = xs.subarray(i * inputs, (i + 1) * inputs);
    const error = x.reduce((sum, v, j) => sum + v * values[j], values[inputs]) - ys[i];
    loss += error ** 2 / ys.length;
    for (let j = 0; j < inputs; j++) gradient[j] += (2 * error * x[j]) / ys.length;
    gradient[inputs] += (2 * error) / ys.length;
  }
  return { loss, gradient };
}

let before: number;
beforeEach(() => {
  before = liveBuffers();
});
afterEach(() => {
  expect(liveBuffers(), 'buffers left behind').toBe(before);
});

describe('createTrainer for jax-js', () => {
  it('takes the step that plain gradient descent would, measuring or not', async () => {
    for (const rows of ['together', 'streamed'] as const)
      for (const accumulate of [false, true]) {
        const mixer = mixerOf({ updateInterval: 2, zeta1: 0 });
        const draw = regression();
        const own = regression();
        using trainer = trainerOf(mixer, { draw, rows, accumulate });
        let values = await valuesOf(trainer);
        for (let step = 0; step < 4; step++) {
          const { counts, loss, report } = await trainer.step();
          expect(report !== null).toBe(step % 2 === 0);
          const expected = byHand(values, own(counts));
          expect(loss).toBeCloseTo(expected.loss, 4);
          values = values.map((value, i) => value - 0.05 * expected.gradient[i]);
          expect(largestDifference(await valuesOf(trainer), values)).toBeLessThan(1e-5);
        }
      }
  });

  it('measures the gradients of the training samples themselves', async () => {
    const mixer = mixerOf({ initialWeights: [9 / 12, 3 / 12], microBatchSize: 4, minWeight: 0 });
    const drawn: Samples[] = [];
    const source = regression();
    const draw = (counts: Int32Array) => {
      drawn.push(source(counts));
      return drawn.at(-1)!;
    };
    using trainer = trainerOf(mixer, { draw });
    const values = await valuesOf(trainer);
    const seen = recordRows(mixer);
    const { report } = await trainer.step();
    // Nine samples by four at a time are three micro-batches; three would fit one, of which nothing could be told.
    expect(seen.map(({ task, samples }) => [task, samples])).toEqual([
      [0, 3],
      [0, 3],
      [0, 3],
      [1, 1],
      [1, 2],
    ]);
    for (const [i, row] of seen.entries()) {
      const expected = byHand(values, drawn[i]);
      expect(row.loss).toBeCloseTo(expected.loss, 4);
      expect(largestDifference(row.gradient, expected.gradient)).toBeLessThan(1e-5);
      expect(row.metric).toBeNull();
    }
    expect(Array.from(report!.statistics.samples)).toEqual([9, 3]);
    expect(report!.statistics.standardError).not.toBeNull();
    expect(drawn.length).toBe(5);
  });

  it('compiles nothing more once every kind of step has been taken, however the counts change', async () => {
    // Sizes that no other test here has compiled kernels for.
    const mixer = mixerOf({ batchSize: 66, microBatchSize: 11, updateInterval: 2 });
    const { next } = mixer;
    let near = 33;
    vi.spyOn(mixer, 'next').mockImplementation(() => {
      next.call(mixer);
      return Int32Array.of(near, 66 - near);
    });
    mixer.on('skip', () => {}).on('warning', () => {});
    using trainer = trainerOf(mixer, { optimizer: adam(0.05), metric: 'plain' });
    for (let step = 0; step < 2; step++) await trainer.step();
    const compilations = countCompilations();
    try {
      for (near = 0; near <= 66; near += 3) await trainer.step();
      expect(compilations.count).toBe(0);
      // The count does count.
      const params = trainer.params();
      await params.layer.bias.ref.add(Math.PI).data();
      await np.exp(params.layer.weights.ref).data();
      tree.dispose(params);
      expect(compilations.count).toBeGreaterThan(0);
    } finally {
      compilations.stop();
    }
  });

  it('compiles a single pass where every step is accumulated', async () => {
    const count = async (accumulate: boolean) => {
      const compilations = countCompilations();
      try {
        const size = accumulate ? 7 : 5;
        const mixer = mixerOf({ batchSize: 6 * size, microBatchSize: size, updateInterval: 2 });
        using trainer = trainerOf(mixer, { accumulate });
        for (let step = 0; step < 4; step++) await trainer.step();
        return compilations.count;
      } finally {
        compilations.stop();
      }
    };
    const [apart, accumulated] = [await count(false), await count(true)];
    expect(accumulated).toBeGreaterThan(0);
    expect(accumulated).toBeLessThan(apart);
  });

  it('holds no more buffers after many steps than after a few', async () => {
    const mixer = mixerOf({ updateInterval: 2 });
    using trainer = trainerOf(mixer, { optimizer: adam(0.01) });
    const held: number[] = [];
    let measured = 0;
    for (let step = 0; step < 30; step++) {
      if ((await trainer.step()).report) measured++;
      held.push(liveBuffers());
    }
    expect(measured).toBeGreaterThanOrEqual(8);
    expect(new Set(held.slice(1)).size).toBe(1);
  });

  it('gives out parameters that stay usable while training goes on', async () => {
    using trainer = trainerOf(mixerOf());
    const early = trainer.params();
    const [first] = await early.layer.weights.ref.data();
    await trainer.step();
    expect((await early.layer.weights.ref.data())[0]).toBe(first);
    const late = trainer.params();
    expect((await late.layer.weights.ref.data())[0]).not.toBe(first);
    tree.dispose([early, late] as never);
    await trainer.step();
  });

  it('goes on from the state of an optimiser', async () => {
    const run = async (parts: number[]) => {
      const mixer = mixerOf({ updateInterval: 100 });
      const draw = regression();
      let trainer = trainerOf(mixer, { optimizer: adam(0.05), draw });
      for (const [i, steps] of parts.entries()) {
        if (i > 0) {
          const [params, optimizerState] = [trainer.params(), trainer.optimizerState()];
          trainer.dispose();
          trainer = trainerOf(mixer, { optimizer: adam(0.05), draw, params, optimizerState });
        }
        for (let step = 0; step < steps; step++) await trainer.step();
      }
      const values = await valuesOf(trainer);
      trainer.dispose();
      return values;
    };
    expect(await run([2, 3])).toEqual(await run([5]));
  });
});

describe('Adam’s metric', () => {
  it('is 1/(√v̂ + ε) of the second moments, and does not touch the state', async () => {
    const { init, update } = adam(0.1, { b2: 0.95, eps: 1e-3 });
    const params = { w: np.array(Float32Array.of(0, 0, 0)) };
    let state = init(tree.ref(params));
    expect(await adamPreconditioner(jax, state)).toBeNull();
    let v = [0, 0, 0];
    for (const gradient of [
      [1, -2, 0],
      [3, 0.5, 0],
    ]) {
      const [updates, next] = update({ w: np.array(Float32Array.from(gradient)) }, state, tree.ref(params));
      tree.dispose(updates);
      state = next;
      v = v.map((x, i) => 0.95 * x + 0.05 * gradient[i] ** 2);
    }
    const [diagonal] = (await adamPreconditioner(jax, state, { b2: 0.95, eps: 1e-3 }))!;
    const expected = v.slice(0, 2).map((x) => 1 / (Math.sqrt(x / (1 - 0.95 ** 2)) + 1e-3));
    expect(
      largestDifference(
        diagonal.subarray(0, 2).map((x, i) => x / expected[i]),
        [1, 1],
      ),
    ).toBeLessThan(1e-5);
    expect(diagonal[2]).toBe(0);
    tree.dispose([params, state] as never);
  });

  it('is what a trainer measures in, from the tenth step on', async () => {
    const mixer = mixerOf({ updateInterval: 1 });
    using trainer = trainerOf(mixer, {
      optimizer: adam(0.01, { b2: 0.99, eps: 1e-7 }),
      adam: { b2: 0.99, eps: 1e-7 },
    });
    const rows = recordRows(mixer);
    for (let step = 0; step < 13; step++) {
      const state = trainer.optimizerState();
      const metric = await adamPreconditioner(jax, state, { b2: 0.99, eps: 1e-7 });
      tree.dispose(state as never);
      rows.length = 0;
      const { report } = await trainer.step();
      expect(report !== null).toBe(step >= 10);
      expect(rows.length > 0).toBe(step >= 10);
      for (const row of rows) expect(row.metric).toEqual(metric!.flatMap((part) => Array.from(part)));
    }
  });

  it("is left out by metric: 'plain', and where the optimiser is no Adam", async () => {
    for (const options of [{ optimizer: adam(0.01), metric: 'plain' as const }, { optimizer: sgd(0.01) }]) {
      const mixer = mixerOf();
      using trainer = trainerOf(mixer, options);
      const rows = recordRows(mixer);
      expect((await trainer.step()).report).not.toBeNull();
      expect(rows.map(({ metric }) => metric)).toEqual(new Array(6).fill(null));
    }
  });
});

describe('rules without gradients', () => {
  it('get the losses of a single pass', async () => {
    const mixer = mixerOf({ rule: 'odm' });
    const drawn: number[][] = [];
    const [source, own] = [regression(), regression()];
    const draw = (counts: Int32Array) => {
      drawn.push(Array.from(counts));
      return source(counts);
    };
    using trainer = trainerOf(mixer, { draw });
    const values = await valuesOf(trainer);
    const { report } = await trainer.step();
    expect(drawn).toEqual([[6, 6]]);
    const batch = own(Int32Array.of(6, 6));
    const apart = [0, 1].map(
      (k) =>
        byHand(values, {
          xs: batch.xs.slice(6 * k * inputs, 6 * (k + 1) * inputs),
          ys: batch.ys.slice(6 * k, 6 * (k + 1)),
        }).loss,
    );
    expect(largestDifference(report!.losses!, apart)).toBeLessThan(1e-4);
  });

  it('have their loss weights in the step', async () => {
    const mixer = mixerOf({
      rule: {
        name: 'only near',
        needs: {},
        init: (K) => ({ logWeights: new Array<number>(K).fill(-Math.log(K)) }),
        update: (state) => ({ state, lossWeights: Float64Array.of(2, 0) }),
      },
    });
    const [source, own] = [regression(), regression()];
    using trainer = trainerOf(mixer, { draw: source });
    own((await trainer.step()).counts);
    const values = await valuesOf(trainer);
    await trainer.step();
    const batch = own(Int32Array.of(6, 6));
    const near = byHand(values, { xs: batch.xs.slice(0, 6 * inputs), ys: batch.ys.slice(0, 6) });
    // Twice the gradient of half the batch.
    const expected = values.map((value, i) => value - 0.05 * near.gradient[i]);
    expect(largestDifference(await valuesOf(trainer), expected)).toBeLessThan(1e-5);
  });
});
