import * as tf from '@tensorflow/tfjs';
import { describe, expect, it, vi } from 'vitest';
import { createProbe, createTrainer, drawFrom, mixedDataset } from '../../lib/adapters/tfjs.js';
import type { MixerOptions } from '../../lib/index.js';
import { expectError, largestDifference } from '../support/expect.js';
import { recordRows } from '../support/measured.js';
import { mixerOf } from '../support/small.js';

describe('tfjs', () => {
  const setup = async (o: Partial<MixerOptions>) => {
    tf.env().set('PROD', true);
    await tf.setBackend('cpu');
    const v = tf.variable(tf.tensor1d([0.5, -0.5]));
    const mixer = mixerOf({ batchSize: 12, microBatches: 3, updateInterval: 1, minWeight: 0, ...o });
    const loss = ({ scale }: { scale: tf.Tensor }) => scale.mul(v.sum()).mean() as tf.Scalar;
    const draw = (counts: Int32Array) => ({
      scale: tf.tensor1d([...new Array(counts[0]).fill(1), ...new Array(counts[1]).fill(5)]),
    });
    return { v, mixer, options: { draw, loss, variables: [v] } };
  };
  it('shares of an uneven mixture, in micro-batches of unequal size', async () => {
    const { v, mixer, options } = await setup({ initialWeights: [10 / 12, 2 / 12], microBatchSize: 7 });
    const before = v.dataSync().slice();
    const { report } = await createTrainer(tf, mixer, { ...options, optimizer: tf.train.sgd(1) })();
    // Gradient of the mean over 10 samples of slope 1 and 2 of slope 5.
    expect(before[0] - v.dataSync()[0]).toBeCloseTo(20 / 12, 5);
    expect(Array.from(report!.statistics.samples)).toEqual([10, 2]);
    expect(Array.from(report!.statistics.microBatches)).toEqual([3, 2]);
  });
  it('a probe measures in Adam’s metric', async () => {
    const { mixer, options } = await setup({});
    const optimizer = tf.train.adam(0.01);
    for (let i = 0; i < 10; i++)
      optimizer.minimize(() => options.loss(options.draw(Int32Array.of(2, 2))), false, options.variables);
    const rows = recordRows(mixer);
    await createProbe(tf, mixer, { ...options, optimizer })();
    expect(rows.map(({ metric }) => metric?.length)).toEqual(new Array(6).fill(2));
  });
  it.each(['pike', 'odm'])('probes and trains on without a task that was retired, rule %s', async (rule) => {
    const { mixer, options } = await setup({ rule });
    const drawn: number[][] = [];
    const draw = (counts: Int32Array) => {
      drawn.push(Array.from(counts));
      return options.draw(counts);
    };
    const probe = createProbe(tf, mixer, { ...options, draw });
    const train = createTrainer(tf, mixer, { ...options, draw, optimizer: tf.train.sgd(0.1) });
    await probe();
    expect(drawn.some(([, b]) => b > 0)).toBe(true);
    mixer.next();
    mixer.retire('b');
    drawn.length = 0;
    const report = await probe();
    expect(report!.missed).toEqual([]);
    mixer.next();
    const step = await train();
    expect(Array.from(step.counts)).toEqual([12, 0]);
    expect(step.report!.missed).toEqual([]);
    expect(drawn.every(([, b]) => b === 0)).toBe(true);
  });
  it('measure: false leaves the weights alone', async () => {
    const { mixer, options } = await setup({});
    expect(
      (await createTrainer(tf, mixer, { ...options, optimizer: tf.train.sgd(0.1), measure: false })()).report,
    ).toBeNull();
  });
  it('asks a source for nothing when its count is 0', async () => {
    const { mixer } = await setup({});
    const none = vi.fn();
    const one = (n: number) => ({ xs: tf.ones([n, 1]), ys: tf.ones([n, 1]) });
    await drawFrom(tf, mixer, { a: one, b: none })(Int32Array.of(3, 0));
    expect(none).not.toHaveBeenCalled();
  });
  it('takes the very step of minimize under Adam, also where a task does not reach a variable', async () => {
    const trained: number[][] = [];
    for (const measure of [false, true]) {
      const { mixer } = await setup({ updateInterval: 1 });
      const heads = [tf.variable(tf.scalar(1)), tf.variable(tf.scalar(1))];
      const optimizer = tf.train.adam(0.1);
      // Both heads get momentum; then the second task, which alone reaches the second head, has no samples.
      for (let i = 0; i < 10; i++)
        optimizer.minimize(() => heads[0].square().add(heads[1].square()) as tf.Scalar, false, heads);
      vi.spyOn(mixer, 'next').mockImplementation(() => Int32Array.of(12, 0));
      const train = createTrainer(tf, mixer, {
        draw: (counts) => ({ counts }),
        loss: ({ counts }: { counts: Int32Array }) =>
          (counts[1] > 0 ? heads[1] : heads[0]).square() as tf.Scalar,
        variables: heads,
        optimizer,
        measure,
      });
      mixer.on('warning', () => {});
      for (let i = 0; i < 3; i++) await train();
      trained.push(heads.map((head) => head.dataSync()[0]));
    }
    expect(largestDifference(trained[0], trained[1])).toBeLessThan(1e-6);
  });
  it('leaks nothing and stands in nobody’s way when a loss throws', async () => {
    const { v, mixer, options } = await setup({});
    let passes = 0;
    const loss = (batch: { scale: tf.Tensor }) => {
      if (++passes === 5) throw new Error('out of luck');
      return options.loss(batch);
    };
    const probe = createProbe(tf, mixer, { ...options, loss });
    const train = createTrainer(tf, mixer, { ...options, loss, optimizer: tf.train.sgd(0.1) });
    await probe().catch(() => {});
    for (const failing of [probe, train]) {
      passes = 0;
      const before = tf.memory().numTensors;
      await expect(failing()).rejects.toThrow('out of luck');
      expect(tf.memory().numTensors).toBe(before);
    }
    expect((await probe())!.missed).toEqual([]);
    v.dispose();
  });
  it('a source that returns another number of samples is an error, and its tensors are freed', async () => {
    const { mixer } = await setup({});
    const before = tf.memory().numTensors;
    const draw = drawFrom(tf, mixer, {
      a: (n) => ({ xs: tf.ones([n, 1]), ys: tf.ones([n, 1]) }),
      b: () => ({ xs: tf.ones([1, 1]), ys: tf.ones([1, 1]) }),
    });
    await expectError(
      'ERR_SHAPE',
      /sources\['b'\] was asked for 4 samples, but returned a tensor 'xs' of shape \[1, 1\]/,
      () => draw(Int32Array.of(2, 4)),
    );
    expect(tf.memory().numTensors).toBe(before);
  });
  it('tells the weights that a batch was drawn by', async () => {
    const { mixer, options } = await setup({ initialWeights: [10 / 12, 2 / 12] });
    const before = mixer.weights;
    const step = await createTrainer(tf, mixer, { ...options, optimizer: tf.train.sgd(0.1) })();
    expect(step.weights).toEqual(before);
    expect(mixer.weights).not.toEqual(before);
  });
  it('a dataset without a number of batches goes on', async () => {
    const { mixer, options } = await setup({});
    const iterator = await mixedDataset(tf, mixer, { draw: options.draw }).iterator();
    for (let i = 0; i < 11; i++) {
      const { done, value } = await iterator.next();
      expect(done).toBe(false);
      tf.dispose(value);
    }
    expect(mixer.step).toBe(11);
  });
  it('cuts an unmeasured step into tasks, not into micro-batches', async () => {
    const { mixer, options } = await setup({
      updateInterval: 100,
      rule: {
        name: 'weighted',
        needs: {},
        init: (K) => ({ logWeights: new Array<number>(K).fill(-Math.log(K)) }),
        update: (state) => ({ state, lossWeights: Float64Array.of(2, 1) }),
      },
    });
    const draw = vi.fn(options.draw);
    const train = createTrainer(tf, mixer, { ...options, draw, optimizer: tf.train.sgd(0.1) });
    await train();
    expect(draw).toHaveBeenCalledTimes(6);
    await train();
    expect(draw).toHaveBeenCalledTimes(8);
  });
});

it('a variable that the loss does not reach is trained and measured as 0', async () => {
  await tf.setBackend('cpu');
  const [used, unused] = [tf.variable(tf.tensor1d([1])), tf.variable(tf.tensor1d([1, 2]))];
  const mixer = mixerOf({ updateInterval: 1 });
  const train = createTrainer(tf, mixer, {
    draw: (counts) => ({ counts }),
    loss: () => used.square().sum() as tf.Scalar,
    variables: [unused, used],
    optimizer: tf.train.sgd(0.1),
  });
  const { report } = await train();
  expect(report!.missed).toEqual([]);
  expect(Array.from(unused.dataSync())).toEqual([1, 2]);
});

describe('rows', () => {
  it('must be handed over in a way that there is', async () => {
    const v = tf.variable(tf.scalar(1));
    const options = { draw: () => ({}), loss: () => v.square() as tf.Scalar, variables: [v] };
    for (const create of [createProbe, createTrainer] as (typeof createProbe)[])
      await expectError('ERR_INVALID_OPTION', /rows must be one of 'together', 'streamed'/, () =>
        create(tf, mixerOf(), { ...options, optimizer: tf.train.sgd(1), rows: 'all' as never }),
      );
  });

  it('of one micro-batch per task are a miss, not an error', async () => {
    await tf.setBackend('cpu');
    const v = tf.variable(tf.scalar(1));
    const mixer = mixerOf({ batchSize: 2, microBatchSize: 1 });
    mixer.on('warning', () => {});
    const { report } = await createTrainer(tf, mixer, {
      draw: () => ({}),
      loss: () => v.square() as tf.Scalar,
      variables: [v],
      optimizer: tf.train.sgd(0.1),
    })();
    expect(report!.missed.map(({ task }) => task)).toEqual(['a', 'b']);
    expect(Array.from(report!.statistics.microBatches)).toEqual([1, 1]);
  });
});

describe('what a step costs', () => {
  it('is told by part, and adds up', async () => {
    await tf.setBackend('cpu');
    const v = tf.variable(tf.zeros([1000]));
    const mixer = mixerOf({ updateInterval: 2 });
    const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    const train = createTrainer(tf, mixer, {
      draw: async (counts) => {
        await pause(20);
        return { counts };
      },
      loss: () => v.square().sum() as tf.Scalar,
      variables: [v],
      optimizer: tf.train.sgd(0.1),
    });
    for (const draws of [8, 1]) {
      const started = performance.now();
      const { cost, report } = await train();
      const seconds = (performance.now() - started) / 1000;
      expect(report === null).toBe(draws === 1);
      // Timers may fire a millisecond early.
      expect(cost.draw).toBeGreaterThan(draws * 0.018);
      expect(cost.observe > 0).toBe(draws === 8);
      expect(cost.update > 0).toBe(draws === 8);
      expect(cost.next).toBeGreaterThan(0);
      expect(cost.mixing).toBe(cost.next + cost.draw + cost.observe + cost.update);
      expect(cost.passes).toBeGreaterThan(0);
      expect(cost.mixing + cost.passes).toBeLessThanOrEqual(seconds);
      expect(cost.mixing + cost.passes).toBeGreaterThan(0.9 * seconds);
    }
  });
});

it('accumulates every step by task-pure micro-batches if told to, and measuring adds none', async () => {
  await tf.setBackend('cpu');
  const v = tf.variable(tf.tensor1d([0.5]));
  const drawn: number[][] = [];
  const mixer = mixerOf({ updateInterval: 2, batchSize: 12, microBatches: 3 });
  const train = createTrainer(tf, mixer, {
    draw: (counts) => {
      drawn.push(Array.from(counts));
      return { counts };
    },
    loss: ({ counts }: { counts: Int32Array }) =>
      v
        .square()
        .sum()
        .mul(counts[0] > 0 ? 1 : 2) as tf.Scalar,
    variables: [v],
    optimizer: tf.train.sgd(0.1),
    accumulate: true,
  });
  for (const measured of [true, false]) {
    drawn.length = 0;
    const [before] = v.dataSync();
    expect((await train()).report !== null).toBe(measured);
    expect(drawn).toEqual([...new Array(3).fill([2, 0]), ...new Array(3).fill([0, 2])]);
    // The gradient of the mean over the whole batch: (1 · 6 + 2 · 6)/12 · 2v.
    expect(v.dataSync()[0]).toBeCloseTo(before - 0.1 * 3 * before, 5);
  }
  await expectError('ERR_INVALID_OPTION', /accumulate must be true or false/, () =>
    createTrainer(tf, mixer, {
      draw: () => ({}),
      loss: () => v.square().sum() as tf.Scalar,
      variables: [v],
      optimizer: tf.train.sgd(0.1),
      accumulate: 1 as never,
    }),
  );
});

describe('a plain step', () => {
  const optimizers: Record<string, () => tf.Optimizer> = {
    sgd: () => tf.train.sgd(0.1),
    momentum: () => tf.train.momentum(0.1, 0.9),
    adam: () => tf.train.adam(0.1),
    rmsprop: () => tf.train.rmsprop(0.01, 0.9, 0.5, 1e-7, true),
    adagrad: () => tf.train.adagrad(0.1),
  };

  it.each(Object.keys(optimizers))('is that of minimize, bit for bit: %s', async (name) => {
    await tf.setBackend('cpu');
    const runs = [true, false].map((ours) => ({ ours, optimizer: optimizers[name](), all: [] as number[] }));
    for (const { ours, optimizer, all } of runs) {
      const variables = [
        tf.variable(tf.tensor1d([5])), // not reached
        tf.variable(tf.tensor1d([0.3, -0.7, 1.1])),
        tf.variable(tf.scalar(0.2), false), // not trained
        tf.variable(tf.scalar(0.9)),
      ];
      const [, w, frozen, b] = variables;
      const loss = (xs: tf.Tensor) =>
        xs.mul(w).sum(1).add(b).mul(frozen).sigmoid().square().mean() as tf.Scalar;
      let step = 0;
      const batchOf = () => tf.randomNormal([8, 3], 0, 1, 'float32', ++step);
      const train = createTrainer(tf, mixerOf(), {
        draw: batchOf,
        loss,
        variables,
        optimizer,
        measure: false,
      });
      for (let i = 0; i < 12; i++) {
        if (ours) all.push((await train()).loss);
        else {
          const xs = batchOf();
          const value = optimizer.minimize(() => loss(xs), true, variables)!;
          all.push(value.dataSync()[0]);
          tf.dispose([xs, value]);
        }
        for (const variable of variables) all.push(...variable.dataSync());
      }
    }
    const [ours, theirs] = runs.map(({ all }) => all);
    expect(ours).toEqual(theirs);
    expect(new Set(ours).size).toBeGreaterThan(12 * 4);
  });
});
