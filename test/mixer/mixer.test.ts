import { describe, expect, it } from 'vitest';
import {
  conflict,
  Mixer,
  type MixerOptions,
  pike,
  type UpdateReport,
  type WeightRule,
} from '../../lib/index.js';
import { expectError, largestDifference } from '../support/expect.js';
import { drawGradient, mulberry32 } from '../support/gradients.js';

const tasks = ['en', 'hi', 'de'];
const means = [
  [3, 0, 0, 1, 0],
  [0, 2, 0, 0, 1],
  [0, 0, 0.5, 0, 0],
];
const mixerOf = (options: Partial<MixerOptions> = {}) =>
  new Mixer({ tasks, batchSize: 48, backend: 'reference', ...options });

/** One measurement of every task, by the streaming path. */
async function observeAll(mixer: Mixer, random: () => number, from = means): Promise<UpdateReport> {
  for (const [k, task] of mixer.tasks.entries())
    for (let i = 0; i < mixer.microBatches; i++)
      await mixer.observe(task, drawGradient(from[k], 2, mixer.microBatchSize, random), {
        samples: mixer.microBatchSize,
        loss: k + 1,
      });
  return mixer.update();
}

const rowsOf = (mixer: Mixer, random: () => number) =>
  means.map((mean) =>
    Array.from({ length: mixer.microBatches }, () => drawGradient(mean, 2, mixer.microBatchSize, random)),
  );
const samplesOf = (mixer: Mixer) =>
  mixer.tasks.map(() => new Array<number>(mixer.microBatches).fill(mixer.microBatchSize));

describe('Mixer', () => {
  it('starts uniform, with the documented defaults', () => {
    const mixer = mixerOf();
    expect(largestDifference(mixer.weights, [1 / 3, 1 / 3, 1 / 3])).toBeLessThan(1e-15);
    expect(Array.from(mixer.lossWeights)).toEqual([1, 1, 1]);
    expect([mixer.step, mixer.due, mixer.microBatches, mixer.microBatchSize]).toEqual([0, true, 4, 4]);
    expect(mixer.state().options).toEqual({
      tasks,
      batchSize: 48,
      rule: 'pike',
      initialWeights: [1 / 3, 1 / 3, 1 / 3],
      updateInterval: 10,
      microBatches: 4,
      microBatchSize: 4,
      zeta1: 0.05,
      zeta2: 0.005000000000000001,
      scale: 'relative',
      minWeight: 0.5 / 3,
      maxLogStep: 0.3,
      priorPull: 0.05,
      minPerTask: 0,
      smoothing: 0.9,
      clipNorms: true,
      significance: 0,
      inner: false,
      tau: 1,
      lossScale: 'mean',
      beta: 1,
      gamma: 1,
      backend: 'reference',
      seed: 0,
    });
  });

  it('moves weights towards the task with the largest gradient, and batches follow', async () => {
    const mixer = mixerOf();
    const random = mulberry32(1);
    for (let step = 0; step < 300; step++) {
      if (mixer.due) await observeAll(mixer, random);
      const counts = mixer.next();
      expect(counts.reduce((a, b) => a + b, 0)).toBe(48);
    }
    const [en, hi, de] = mixer.weights;
    expect(en).toBeGreaterThan(hi);
    expect(hi).toBeGreaterThan(de);
    expect(mixer.weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 14);
  });

  it('is the paper to the letter when asked', async () => {
    const mixer = mixerOf({
      scale: 'absolute',
      minWeight: 0,
      maxLogStep: Infinity,
      priorPull: 0,
      smoothing: 0,
      clipNorms: false,
      zeta1: 0.02,
      zeta2: 0.5,
    });
    const random = mulberry32(2);
    let expected = mixer.weights;
    for (let i = 0; i < 5; i++) {
      const { statistics, weights } = await observeAll(mixer, random);
      expected = pike(expected, statistics, { batchSize: 48, zeta1: 0.02, zeta2: 0.5 });
      expect(largestDifference(weights, expected)).toBeLessThan(1e-13);
    }
  });

  it('measure and observe … update agree', async () => {
    for (const inner of [false, true]) {
      const [streaming, batch] = [mixerOf({ inner }), mixerOf({ inner })];
      const [random, same] = [mulberry32(3), mulberry32(3)];
      for (let i = 0; i < 4; i++) {
        const a = await observeAll(streaming, random);
        const b = await batch.measure(rowsOf(batch, same), {
          samples: samplesOf(batch),
          losses: samplesOf(batch).map((task, k) => task.map(() => k + 1)),
        });
        const { seconds: _a, ...told } = a;
        const { seconds: _b, ...expected } = b;
        expect(Object.keys(told)).toEqual(Object.keys(expected));
        expect(largestDifference(a.weights, b.weights)).toBeLessThan(1e-12);
        expect(largestDifference(a.statistics.normSquared, b.statistics.normSquared)).toBeLessThan(1e-12);
        expect(largestDifference(a.statistics.variance, b.statistics.variance)).toBeLessThan(1e-12);
        expect(a.losses).toEqual(Float64Array.of(1, 2, 3));
        expect(b.losses).toEqual(a.losses);
        if (inner) {
          expect(largestDifference(a.statistics.inner!, b.statistics.inner!)).toBeLessThan(1e-12);
          expect(a.conflict!.boundHolds).toBe(b.conflict!.boundHolds);
        } else expect(a.conflict).toBeNull();
      }
    }
  });

  it('measures in a metric by both paths', async () => {
    const preconditioner = Float32Array.of(4, 0.25, 1, 0, 9);
    const [streaming, batch] = [mixerOf(), mixerOf()];
    const rows = rowsOf(batch, mulberry32(4));
    for (const [k, task] of tasks.entries())
      for (const row of rows[k]) await streaming.observe(task, row, { samples: 4, preconditioner });
    const a = await streaming.update();
    const b = await batch.measure(rows, { samples: samplesOf(batch), preconditioner });
    expect(largestDifference(a.statistics.normSquared, b.statistics.normSquared)).toBeLessThan(1e-10);
    const plain = await mixerOf().measure(rows, { samples: samplesOf(batch) });
    expect(largestDifference(plain.statistics.variance, b.statistics.variance)).toBeGreaterThan(1);
  });

  it('reports everything about an update', async () => {
    const mixer = mixerOf({ inner: true });
    const told: UpdateReport[] = [];
    mixer.on('update', (report) => told.push(report));
    const previous = mixer.weights;
    const report = await observeAll(mixer, mulberry32(5));
    expect(told).toEqual([report]);
    expect(report.previous).toEqual(previous);
    expect(report.weights).toEqual(mixer.weights);
    expect(report.step).toBe(0);
    expect(report.missed).toEqual([]);
    expect(report.seconds).toBeGreaterThan(0);
    expect(Array.from(report.statistics.microBatches)).toEqual([4, 4, 4]);
    expect(Array.from(report.statistics.samples)).toEqual([16, 16, 16]);
    expect(report.conflict).toEqual(conflict(report.smoothed, { weights: report.weights }));
    // The caller's copies are copies.
    report.weights.fill(0);
    expect(mixer.weights[0]).toBeGreaterThan(0);
  });

  it('says when a norm was clipped, a floor acted and a step was limited', async () => {
    const mixer = mixerOf({ maxLogStep: 0.001, minWeight: 0.333 });
    const still = [Float32Array.of(1), Float32Array.of(1)];
    const noisy = [Float32Array.of(10), Float32Array.of(-10)];
    const report = await mixer.measure([still, noisy, still], {
      samples: [
        [1, 1],
        [1, 1],
        [1, 1],
      ],
    });
    expect(report.statistics.normSquared[1]).toBeLessThan(0);
    expect(report.smoothed.normSquared[1]).toBe(0);
    expect(report.clipped).toEqual(['hi']);
    expect(report.limited).toBe(true);
    const again = await mixer.measure([still, noisy, still], {
      samples: [
        [1, 1],
        [1, 1],
        [1, 1],
      ],
    });
    expect(again.floored).toEqual(['hi']);
    expect(again.weights[1]).toBeGreaterThanOrEqual(0.333);
  });

  it('takes initial weights by task', () => {
    const mixer = mixerOf({ initialWeights: { hi: 0.2, de: 0.2, en: 0.6 } });
    expect(largestDifference(mixer.weights, [0.6, 0.2, 0.2])).toBeLessThan(1e-15);
  });

  it('runs a rule of the user’s own', async () => {
    const seen: unknown[] = [];
    const rule: WeightRule = {
      name: 'by-loss',
      needs: { losses: true },
      init: (K) => ({ logWeights: new Array<number>(K).fill(-Math.log(K)), updates: 0 }),
      update(state, _statistics, { losses, options }) {
        seen.push(options.learningRate);
        const sum = losses!.reduce((a, b) => a + b, 0);
        return {
          state: {
            logWeights: Array.from(losses!, (loss) => Math.log(loss / sum)),
            updates: (state.updates as number) + 1,
          },
          lossWeights: Float64Array.of(2, 1, 0),
        };
      },
    };
    const mixer = mixerOf({ rule, learningRate: 0.5 });
    await observeAll(mixer, mulberry32(6));
    expect(largestDifference(mixer.weights, [1 / 6, 2 / 6, 3 / 6])).toBeLessThan(1e-15);
    expect(Array.from(mixer.lossWeights)).toEqual([2, 1, 0]);
    expect(mixer.state().rule.updates).toBe(1);
    const samples = samplesOf(mixer);
    const losses = samples.map((task) => task.map(() => 1));
    await mixer.measure(rowsOf(mixer, mulberry32(7)), { samples, losses, learningRate: 0.25 });
    expect(seen).toEqual([0.5, 0.25]);
    const before = mixer.state();
    await expectError('ERR_INVALID_OPTION', /needs the tasks' losses/, () =>
      mixer.measure(rowsOf(mixer, mulberry32(8)), { samples }),
    );
    expect(mixer.state()).toEqual(before);
  });

  it('refuses the broken results of a rule and stays as it was', async () => {
    const broken = (logWeights: number[]): WeightRule => ({
      name: 'broken',
      needs: {},
      init: (K) => ({ logWeights: new Array<number>(K).fill(-Math.log(K)) }),
      update: () => ({ state: { logWeights } }),
    });
    for (const logWeights of [[0, 0, 0], [Number.NaN, 0, 0], [0]]) {
      const mixer = mixerOf({ rule: broken(logWeights) });
      const before = mixer.state();
      await expectError('ERR_STATE', /weights/i, () =>
        mixer.measure(rowsOf(mixer, mulberry32(9)), { samples: samplesOf(mixer) }),
      );
      expect(mixer.state()).toEqual(before);
    }
  });

  it('does not let a listener’s error look like a failed call', async () => {
    const mixer = mixerOf();
    const caught = new Promise((resolve) => process.prependOnceListener('uncaughtException', resolve));
    const others = process.listeners('uncaughtException').slice(1);
    for (const listener of others) process.off('uncaughtException', listener as () => void);
    mixer.on('update', () => {
      throw new Error('listener');
    });
    await observeAll(mixer, mulberry32(10));
    expect(await caught).toMatchObject({ message: 'listener' });
    for (const listener of others) process.on('uncaughtException', listener as () => void);
  });
});

describe('due', () => {
  const record = (mixer: Mixer, steps: number) =>
    Array.from({ length: steps }, () => {
      const due = mixer.due;
      mixer.next();
      return due;
    });

  it('stays until the second next, and the passing is counted', async () => {
    const mixer = mixerOf({ updateInterval: 5 });
    expect(record(mixer, 12)).toEqual([
      true,
      true,
      false,
      false,
      false,
      true,
      true,
      false,
      false,
      false,
      true,
      true,
    ]);
    const report = await observeAll(mixer, mulberry32(11));
    expect(report.passedOver).toBe(3);
    expect((await observeAll(mixer, mulberry32(12))).passedOver).toBe(0);
  });

  it('ends with update, measured before the batch', async () => {
    const mixer = mixerOf({ updateInterval: 3 });
    const seen: boolean[] = [];
    for (let step = 0; step < 7; step++) {
      seen.push(mixer.due);
      if (mixer.due) {
        const report = await observeAll(mixer, mulberry32(step));
        expect(report.passedOver).toBe(0);
        expect(mixer.due).toBe(false);
      }
      mixer.next();
    }
    expect(seen).toEqual([true, false, false, true, false, false, true]);
  });

  it('ends with update, measured along with the batch, at every interval', async () => {
    for (const updateInterval of [1, 2, 3]) {
      const mixer = mixerOf({ updateInterval });
      let updates = 0;
      for (let step = 0; step < 6 * updateInterval; step++) {
        const due = mixer.due;
        mixer.next();
        if (!due) continue;
        const report = await observeAll(mixer, mulberry32(step));
        expect(report.passedOver).toBe(0);
        updates++;
      }
      expect(updates).toBe(6);
    }
  });

  it('goes out with the call of update and comes back if it fails', async () => {
    const mixer = mixerOf();
    const stop = new AbortController();
    const update = mixer.update({ signal: stop.signal });
    expect(mixer.due).toBe(false);
    stop.abort(new Error('enough'));
    await expect(update).rejects.toThrow('enough');
    expect(mixer.due).toBe(true);
  });

  it('next during an update that has not settled uses the old weights', async () => {
    const mixer = mixerOf({ minWeight: 0, maxLogStep: Infinity, zeta1: 5000, priorPull: 0 });
    const update = mixer.measure(rowsOf(mixer, mulberry32(13)), { samples: samplesOf(mixer) });
    expect(Array.from(mixer.next())).toEqual([16, 16, 16]);
    await update;
    expect(Array.from(mixer.next())).toEqual([48, 0, 0]);
  });

  it('a measurement that update never ended is discarded with a warning', async () => {
    const mixer = mixerOf();
    const warnings: string[] = [];
    mixer.on('warning', ({ code }) => warnings.push(code));
    await mixer.observe('en', Float32Array.of(1, 2), { samples: 1 });
    mixer.next();
    mixer.next();
    const report = await mixer.update();
    expect(warnings).toEqual(['WARN_MEASUREMENT_DISCARDED', 'WARN_NOTHING_MEASURED']);
    expect(report.missed.map((miss) => miss.reason)).toEqual([
      'not measured',
      'not measured',
      'not measured',
    ]);
  });
});
