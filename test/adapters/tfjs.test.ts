import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import {
  adamPreconditioner,
  createProbe,
  createTrainer,
  drawFrom,
  type LabeledBatch,
  mixedDataset,
  mixerCallback,
} from '../../lib/adapters/tfjs.js';
import { Mixer, type MixerOptions, type UpdateReport } from '../../lib/index.js';
import { expectError, largestDifference } from '../support/expect.js';
import { gaussian, mulberry32 } from '../support/gradients.js';
import { recordRows } from '../support/measured.js';

const inputs = 4;
const tasks = ['near', 'far'];

beforeAll(async () => {
  tf.env().set('PROD', true);
  await tf.setBackend('cpu');
});

const mixerOf = (options: Partial<MixerOptions> = {}) =>
  new Mixer({ tasks, batchSize: 12, updateInterval: 3, microBatches: 3, ...options });

/** Linear regression with another target for each task, drawn from generators of its own. */
function regression(mixer: Mixer, seed = 1) {
  const random = tasks.map((_, k) => mulberry32(seed + k));
  const source = (k: number, scale: number) => (n: number) => {
    const xs = new Float32Array(n * inputs);
    const ys = new Float32Array(n);
    // Sample by sample, so that the stream of a task does not depend on how it is cut into batches.
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < inputs; j++) xs[i * inputs + j] = gaussian(random[k]);
      ys[i] = scale * xs[i * inputs + k] + 0.1 * gaussian(random[k]);
    }
    return { xs: tf.tensor2d(xs, [n, inputs]), ys: tf.tensor2d(ys, [n, 1]) };
  };
  return drawFrom(tf, mixer, { near: source(0, 0.5), far: source(1, 5) });
}

function linearModel() {
  const weights = tf.variable(tf.zeros([inputs, 1]));
  const bias = tf.variable(tf.zeros([1]));
  const loss = ({ xs, ys }: LabeledBatch) =>
    tf.losses.meanSquaredError(ys, tf.matMul(xs, weights as tf.Tensor2D).add(bias)) as tf.Scalar;
  return { variables: [weights, bias], loss };
}

describe('drawFrom', () => {
  it('joins the sources in the order of tasks and disposes the parts', async () => {
    const mixer = mixerOf();
    const constant = (value: number) => (n: number) => ({
      xs: tf.fill([n, 2], value),
      ys: tf.fill([n], -value),
    });
    const draw = drawFrom(tf, mixer, { far: constant(2), near: constant(1) });
    const before = tf.memory().numTensors;
    const batch = await draw(Int32Array.of(1, 2));
    expect(tf.memory().numTensors).toBe(before + 2);
    expect(Array.from(batch.xs.dataSync())).toEqual([1, 1, 2, 2, 2, 2]);
    expect(Array.from(batch.ys.dataSync())).toEqual([-1, -2, -2]);
    expect((await draw(Int32Array.of(0, 3))).xs.shape).toEqual([3, 2]);
  });

  it('refuses a task without a source', async () => {
    await expectError('ERR_INVALID_OPTION', /sources\['far'\] must be a function/, () =>
      drawFrom(tf, mixerOf(), { near: () => ({ xs: tf.zeros([1]), ys: tf.zeros([1]) }) }),
    );
  });
});

describe('createTrainer', () => {
  it('takes the same step whether it measures or not', async () => {
    const rates: number[][] = [];
    for (const updateInterval of [1, 1000]) {
      const mixer = mixerOf({ updateInterval, zeta1: 0 });
      const { variables, loss } = linearModel();
      const train = createTrainer(tf, mixer, {
        draw: regression(mixer),
        loss,
        variables,
        optimizer: tf.train.sgd(0.05),
      });
      const losses: number[] = [];
      for (let step = 0; step < 6; step++) losses.push((await train()).loss);
      rates.push([...losses, ...variables.flatMap((v) => Array.from(v.dataSync()))]);
    }
    expect(largestDifference(rates[0], rates[1])).toBeLessThan(1e-5);
  });

  it('measures what tf.variableGrads gives, on the training samples', async () => {
    const mixer = mixerOf();
    const { variables, loss } = linearModel();
    const draw = regression(mixer);
    const drawn: LabeledBatch[] = [];
    const train = createTrainer(tf, mixer, {
      draw: async (counts) => {
        const batch = await draw(counts);
        drawn.push({ xs: batch.xs.clone(), ys: batch.ys.clone() });
        return batch;
      },
      loss,
      variables,
      optimizer: tf.train.sgd(0),
    });
    const { report, counts } = await train();
    expect(Array.from(counts)).toEqual([6, 6]);
    expect(Array.from(report!.statistics.microBatches)).toEqual([3, 3]);
    expect(Array.from(report!.statistics.samples)).toEqual([6, 6]);
    // Independently: the per-task gradient of the joined micro-batches is their mean, and N + σ²/n its squared norm.
    for (const k of [0, 1]) {
      const parts = drawn.slice(3 * k, 3 * k + 3);
      const joined = { xs: tf.concat(parts.map((p) => p.xs)), ys: tf.concat(parts.map((p) => p.ys)) };
      const { grads } = tf.variableGrads(() => loss(joined), variables);
      const plain = Object.values(grads).reduce((sum, g) => sum + g.square().sum().dataSync()[0], 0);
      const { normSquared, variance } = report!.statistics;
      expect(normSquared[k] + variance[k] / 6).toBeCloseTo(plain, 4);
    }
    expect(report!.losses![1]).toBeGreaterThan(report!.losses![0]);
  });

  it('leaks no tensor, with plain and measuring steps', async () => {
    const mixer = mixerOf();
    const { variables, loss } = linearModel();
    const optimizer = tf.train.adam(0.01);
    const train = createTrainer(tf, mixer, { draw: regression(mixer), loss, variables, optimizer });
    const counts: number[] = [];
    let measured = 0;
    for (let step = 0; step < 30; step++) {
      if ((await train()).report) measured++;
      counts.push(tf.memory().numTensors);
    }
    expect(measured).toBeGreaterThanOrEqual(6);
    // The optimiser makes its own variables in its first step.
    expect(new Set(counts).size).toBe(1);
  });

  it('scales the tasks’ gradients by the rule’s loss weights', async () => {
    const { variables, loss } = linearModel();
    const mixer = mixerOf({
      rule: {
        name: 'only near',
        needs: {},
        init: (K) => ({ logWeights: new Array<number>(K).fill(-Math.log(K)) }),
        update: (state) => ({ state, lossWeights: Float64Array.of(2, 0) }),
      },
    });
    const train = createTrainer(tf, mixer, {
      draw: regression(mixer),
      loss,
      variables,
      optimizer: tf.train.sgd(0.01),
    });
    await train();
    const before = variables[0].dataSync().slice();
    await train();
    const after = variables[0].dataSync();
    // "far" has its target on input 1; with weight 0 its gradient of about −5 must not be felt there.
    expect(Math.abs(after[1] - before[1])).toBeLessThan(Math.abs(before[1]) / 4);
  });

  it('is measured in Adam’s metric, once that is known', async () => {
    const mixer = mixerOf({ updateInterval: 1 });
    const { variables, loss } = linearModel();
    const optimizer = tf.train.adam(0.01, 0.9, 0.99, 1e-7);
    const train = createTrainer(tf, mixer, { draw: regression(mixer), loss, variables, optimizer });
    const reports: (UpdateReport | null)[] = [];
    const rows = recordRows(mixer);
    for (let step = 0; step < 13; step++) {
      const metric = await adamPreconditioner(optimizer, variables);
      rows.length = 0;
      reports.push((await train()).report);
      expect(rows.length).toBe(step < 10 ? 0 : 6);
      for (const row of rows) expect(row.metric).toEqual(metric!.flatMap((part) => Array.from(part)));
    }
    expect(reports.map((report) => report !== null)).toEqual([
      ...new Array(10).fill(false),
      true,
      true,
      true,
    ]);
  });
});

describe('metric', () => {
  it("'plain' measures gradients as they are under Adam too, from the first step on", async () => {
    const mixer = mixerOf({ updateInterval: 1 });
    const { variables, loss } = linearModel();
    const optimizer = tf.train.adam(0.01);
    const options = { draw: regression(mixer), loss, variables, optimizer, metric: 'plain' as const };
    const rows = recordRows(mixer);
    const train = createTrainer(tf, mixer, options);
    for (let step = 0; step < 12; step++) expect((await train()).report).not.toBeNull();
    expect(await createProbe(tf, mixer, options)()).not.toBeNull();
    expect(rows.length).toBe(13 * 6);
    for (const { metric } of rows) expect(metric).toBeNull();
  });

  it.each(['together', 'streamed'] as const)(
    'changes what is measured by D, %s: the statistics are those of the gradients times √D',
    async (mode) => {
      const { variables, loss } = linearModel();
      const warm = mixerOf();
      const optimizer = tf.train.adam(0.05);
      const train = createTrainer(tf, warm, {
        draw: regression(warm),
        loss,
        variables,
        optimizer,
        measure: false,
      });
      for (let step = 0; step < 10; step++) await train();
      const metric = (await adamPreconditioner(optimizer, variables))!.flatMap((part) => Array.from(part));

      const mixer = mixerOf();
      const seen = recordRows(mixer);
      const options = { draw: regression(mixer, 9), loss, variables, optimizer, rows: mode };
      const report = await createProbe(tf, mixer, options)();
      expect(mixer.observe).toHaveBeenCalledTimes(mode === 'streamed' ? 6 : 0);
      // Standard errors can be had of rows that are there at once.
      expect(report!.statistics.standardError !== null).toBe(mode === 'together');
      const rows: number[][][] = tasks.map(() => []);
      for (const { task, gradient } of seen)
        rows[task].push(gradient.map((g, i) => Math.sqrt(metric[i]) * g));
      for (const k of tasks.keys()) {
        const m = rows[k].length;
        const mean = rows[k][0].map((_, i) => rows[k].reduce((sum, row) => sum + row[i] / m, 0));
        const square = (x: number[]) => x.reduce((sum, v) => sum + v * v, 0);
        const away = rows[k].reduce((sum, row) => sum + square(row.map((v, i) => v - mean[i])), 0);
        const variance = (mixer.microBatchSize * away) / (m - 1);
        const norm = square(mean) - variance / (m * mixer.microBatchSize);
        expect(report!.statistics.variance[k] / variance).toBeCloseTo(1, 5);
        expect(Math.abs(report!.statistics.normSquared[k] - norm)).toBeLessThan(1e-5 * square(mean));
      }
    },
  );

  it('must be one that there is', async () => {
    const mixer = mixerOf();
    const { variables, loss } = linearModel();
    const options = {
      draw: regression(mixer),
      loss,
      variables,
      optimizer: tf.train.sgd(1),
      metric: 'adam' as never,
    };
    await expectError('ERR_INVALID_OPTION', /metric must be one of/, () => createTrainer(tf, mixer, options));
    await expectError('ERR_INVALID_OPTION', /metric must be one of/, () => createProbe(tf, mixer, options));
  });
});

describe('adamPreconditioner', () => {
  it('is 1/(√v̂ + ε) of the second moments, against a hand-run Adam', async () => {
    const variable = tf.variable(tf.tensor1d([0, 0, 0]));
    const optimizer = tf.train.adam(0.1, 0.9, 0.95, 1e-3);
    expect(await adamPreconditioner(optimizer, [variable])).toBeNull();
    const gradients = [
      [1, -2, 0],
      [3, 0.5, 0],
    ];
    let v = [0, 0, 0];
    for (const gradient of gradients) {
      optimizer.applyGradients([{ name: variable.name, tensor: tf.tensor1d(gradient) }]);
      v = v.map((x, i) => 0.95 * x + 0.05 * gradient[i] ** 2);
    }
    const before = tf.memory().numTensors;
    const [diagonal] = (await adamPreconditioner(optimizer, [variable]))!;
    expect(tf.memory().numTensors).toBe(before);
    const expected = v.slice(0, 2).map((x) => 1 / (Math.sqrt(x / (1 - 0.95 ** 2)) + 1e-3));
    const ratios = expected.map((x, i) => diagonal[i] / x);
    expect(largestDifference(ratios, [1, 1])).toBeLessThan(1e-5);
    // Never reached by a gradient: no scale yet.
    expect(diagonal[2]).toBe(0);
  });

  it('is nothing for other optimisers', async () => {
    expect(await adamPreconditioner(tf.train.sgd(0.1), [tf.variable(tf.zeros([1]))])).toBeNull();
  });
});

describe('a rule that needs no gradients', () => {
  const variableGrads = vi.fn(tf.variableGrads);
  const watchedTf: typeof tf = { ...tf, variableGrads };

  it('is trained with its losses, one pass per task when due, and Adam need not be warm', async () => {
    const { variables, loss } = linearModel();
    const mixer = mixerOf({ rule: 'odm' });
    const optimizer = tf.train.adam(0.01);
    const seen: number[][] = [];
    const watched = (batch: LabeledBatch) => {
      const value = loss(batch);
      seen.push([batch.xs.shape[0], value.dataSync()[0]]);
      return value;
    };
    const train = createTrainer(tf, mixer, { draw: regression(mixer), loss: watched, variables, optimizer });
    const { counts, loss: mean, report } = await train();
    expect(seen.map(([n]) => n)).toEqual(Array.from(counts));
    expect(Array.from(report!.losses!)).toEqual(seen.map(([, value]) => value));
    expect(mean).toBeCloseTo((6 * seen[0][1] + 6 * seen[1][1]) / 12, 5);
    expect(report!.statistics.microBatches).toEqual(Int32Array.of(0, 0));
    expect(mixer.weights[1]).toBeGreaterThan(mixer.weights[0]);
    const tensors = tf.memory().numTensors;
    for (let i = 0; i < 7; i++) await train();
    expect(tf.memory().numTensors).toBe(tensors);
    // Steps 2 and 3 in one pass, the fourth by task again.
    expect(seen.slice(2, 4).map(([n]) => n)).toEqual([12, 12]);
    expect(seen.slice(4, 6).map(([n]) => n)).not.toContain(12);
  });

  it('takes plain steps where it needs nothing at all', async () => {
    const { variables, loss } = linearModel();
    const mixer = mixerOf({ rule: 'round-robin', updateInterval: 1 });
    const optimizer = tf.train.sgd(0.01);
    const train = createTrainer(watchedTf, mixer, { draw: regression(mixer), loss, variables, optimizer });
    const counts: number[][] = [];
    for (let i = 0; i < 3; i++) counts.push(Array.from((await train()).counts));
    expect(counts).toEqual([
      [12, 0],
      [0, 12],
      [12, 0],
    ]);
    // One pass each, not task by task.
    expect(variableGrads).toHaveBeenCalledTimes(3);
    variableGrads.mockClear();
    await createTrainer(watchedTf, mixerOf(), { draw: regression(mixer), loss, variables, optimizer })();
    expect(variableGrads).toHaveBeenCalledTimes(6);
    variableGrads.mockClear();
  });

  it('weights losses while it leaves samples alone', async () => {
    const { variables, loss } = linearModel();
    const mixer = mixerOf({ rule: 'famo', updateInterval: 1 });
    const optimizer = tf.train.sgd(0.01);
    const train = createTrainer(tf, mixer, { draw: regression(mixer), loss, variables, optimizer });
    for (let i = 0; i < 10; i++) expect(Array.from((await train()).counts)).toEqual([6, 6]);
    // The loss of "near" is the smaller one by far, so its logarithm's gradient is the larger.
    expect(mixer.lossWeights[0]).toBeGreaterThan(1.5);
    expect(mixer.lossWeights[0] + mixer.lossWeights[1]).toBeCloseTo(2, 12);
  });

  it('is probed for losses alone, or not at all', async () => {
    const { variables, loss } = linearModel();
    const mixer = mixerOf({ rule: 'odm' });
    const drawn: number[][] = [];
    const draw = regression(mixer);
    const watched = (counts: Int32Array) => {
      drawn.push(Array.from(counts));
      return draw(counts);
    };
    const before = tf.memory().numTensors;
    const seen: number[] = [];
    const watchedLoss = (batch: LabeledBatch) => {
      const value = loss(batch);
      seen.push(value.dataSync()[0]);
      return value;
    };
    const report = await createProbe(watchedTf, mixer, { draw: watched, loss: watchedLoss, variables })();
    const means = [0, 3].map((first) => (seen[first] + seen[first + 1] + seen[first + 2]) / 3);
    expect(largestDifference(report!.losses!, means)).toBeLessThan(1e-12);
    expect(drawn).toEqual([...new Array(3).fill([2, 0]), ...new Array(3).fill([0, 2])]);
    expect(tf.memory().numTensors).toBe(before);
    const idle = mixerOf({ rule: 'uniform' });
    await createProbe(watchedTf, idle, { draw: watched, loss, variables })();
    expect(drawn.length).toBe(6);
    expect(variableGrads).not.toHaveBeenCalled();
  });
});

describe('fitDataset', () => {
  it('trains on mixed batches, probes when due, and shows the weights in the history', async () => {
    const mixer = mixerOf({ updateInterval: 5 });
    const draw = regression(mixer);
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [inputs] })] });
    const optimizer = tf.train.adam(0.05);
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const variables = model.trainableWeights.map((w) => w.read() as tf.Variable);
    const loss = ({ xs, ys }: LabeledBatch) =>
      tf.losses.meanSquaredError(ys, model.apply(xs, { training: true }) as tf.Tensor) as tf.Scalar;
    const probe = createProbe(tf, mixer, { draw, loss, variables, optimizer });
    const reports: UpdateReport[] = [];
    mixer.on('update', (report) => reports.push(report));
    const { history } = await model.fitDataset(mixedDataset(tf, mixer, { draw, batches: 10 }), {
      epochs: 3,
      verbose: 0,
      callbacks: mixerCallback(mixer, probe),
    });
    expect(mixer.step).toBe(30);
    // Due at steps 0, 5, …, 30 (the last comes true with the last batch); before step 10 Adam has no metric.
    expect(reports.map((report) => report.step)).toEqual([11, 15, 20, 25, 30]);
    expect(reports.map((report) => report.passedOver)).toEqual([2, 0, 0, 0, 0]);
    expect(reports.every((report) => report.missed.length === 0)).toBe(true);
    const losses = history.loss as number[];
    expect(losses[2]).toBeLessThan(losses[0]);
    expect(history.weight_far.length).toBe(3);
    expect(history.weight_far[2]).toBe(mixer.weights[1]);
    const before = tf.memory().numTensors;
    await probe();
    expect(tf.memory().numTensors).toBe(before);
  });
});
