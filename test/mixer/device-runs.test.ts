/** Whole runs on gradients in the memory of an (emulated) GPU, against the same runs on the reference. */
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadAddon } from '../../lib/backends/load-addon.js';
import {
  type Gradient,
  type HostGradient,
  Mixer,
  type MixerOptions,
  type MixerState,
  type UpdateReport,
} from '../../lib/index.js';
import { DEVICES, type EmulatedGpus, emulatedGpus } from '../support/emulated.js';
import { largestDifference } from '../support/expect.js';
import { mulberry32 } from '../support/gradients.js';

let gpus: EmulatedGpus;
beforeAll(async () => {
  gpus = await emulatedGpus();
}, 240_000);
afterEach(() => {
  vi.restoreAllMocks();
  gpus.freeAll();
});

const tasks = ['a', 'b', 'c'];
const base: MixerOptions = { tasks, batchSize: 32, updateInterval: 2, zeta1: 0.5, smoothing: 0.5 };

/** A measurement with all that may go wrong. Numbers are such that sums are exact in any precision. */
function draw(update: number) {
  const random = mulberry32(update + 1);
  const m = [4, update === 2 ? 1 : 2, 4];
  const rows: Float32Array[][] = m.map((count, k) =>
    Array.from({ length: count }, () =>
      Float32Array.from({ length: 11 }, () => Math.round(8 * random() - 4 + k) / 4),
    ),
  );
  if (update === 1) rows[2][1][3] = Number.NaN;
  if (update === 4) for (const task of rows) task[0][0] = Infinity;
  const losses = m.map((count, k) => new Array<number>(count).fill(2 + random() * k));
  if (update === 3) losses[0][0] = Number.NaN;
  return { rows, losses, samples: m.map((count) => new Array<number>(count).fill(2)) };
}

const kinds = ['normSquared', 'variance'] as const;

/** The same but for rounding. */
function expectSame(actual: UpdateReport, expected: UpdateReport) {
  const { missed, clipped, floored, limited, step, passedOver } = expected;
  expect(actual).toMatchObject({ missed, clipped, floored, limited, step, passedOver });
  expect(largestDifference(actual.weights, expected.weights)).toBeLessThan(1e-9);
  expect(largestDifference(actual.previous, expected.previous)).toBeLessThan(1e-9);
  expect(largestDifference(actual.lossWeights, expected.lossWeights)).toBeLessThan(1e-9);
  for (const of of ['statistics', 'smoothed'] as const) {
    for (const kind of kinds)
      expect(largestDifference(actual[of][kind], expected[of][kind])).toBeLessThan(1e-6);
    expect(actual[of].inner === null).toBe(expected[of].inner === null);
    expect(largestDifference(actual[of].inner ?? [], expected[of].inner ?? [])).toBeLessThan(1e-6);
    expect(actual[of].samples).toEqual(expected[of].samples);
  }
  expect(actual.losses).toEqual(expected.losses);
  expect(actual.conflict === null).toBe(expected.conflict === null);
  if (expected.conflict) expect(actual.conflict!.beta).toBeCloseTo(expected.conflict.beta, 6);
}

async function run(
  mixer: Mixer,
  place: (gradient: HostGradient) => Gradient,
  form: 'measure' | 'observe',
  updates = 6,
): Promise<UpdateReport[]> {
  mixer.on('warning', () => {});
  const reports: UpdateReport[] = [];
  for (let update = 0; update < updates; update++) {
    const { rows, losses, samples } = draw(update);
    const placed = rows.map((task) => task.map(place));
    if (form === 'measure') reports.push(await mixer.measure(placed, { samples, losses, learningRate: 0.1 }));
    else {
      for (const [k, task] of placed.entries())
        for (const [i, gradient] of task.entries())
          await mixer.observe(tasks[k], gradient, { samples: samples[k][i], loss: losses[k][i] });
      reports.push(await mixer.update({ learningRate: 0.1 }));
    }
    mixer.next();
    mixer.next();
    gpus.freeAll();
  }
  return reports;
}

const bound = { smoothness: 0.5 };

describe('a run', () => {
  const forms: [rule: string, options: Partial<MixerOptions>][] = [
    ['pike', {}],
    ['pike', { inner: true, scale: 'absolute', clipNorms: false, zeta1: 0.05 }],
    ['mirror', bound],
    ['conceptual', { ...bound, inner: true }],
    ['balanced', { tau: 2 }],
    ['gramian', bound],
  ];
  describe.each(forms)('of %s, %o', (rule, options) => {
    it.each(['measure', 'observe'] as const)('is that of the reference, by %s', async (form) => {
      const given = { ...base, ...options, rule };
      const expected = new Mixer({ ...given, backend: 'reference' });
      const actual = new Mixer(given);
      const launches = vi.spyOn(loadAddon().addon!, 'deviceMoments');
      const [wanted, got] = [
        await run(expected, (gradient) => gradient, form),
        await run(actual, (gradient) => gpus.put(gradient), form),
      ];
      for (const [u, report] of got.entries()) expectSame(report, wanted[u]);
      expect(got.map(({ missed }) => missed.map(({ reason }) => reason))).toEqual([
        [],
        ['non-finite gradient'],
        ['fewer than two micro-batches'],
        ['non-finite loss'],
        new Array(3).fill('non-finite gradient'),
        [],
      ]);
      expect(largestDifference(got[5].weights, got[0].previous)).toBeGreaterThan(0.01);
      expect(actual.backend).toMatchObject({
        name: 'cuda',
        device: DEVICES[0].name,
        instructionSet: 'sm_90',
      });
      expect(largestDifference(actual.weights, expected.weights)).toBeLessThan(1e-9);
      // By measure, each time the weights came out of the launch, but for gramian, which no launch has yet.
      const solved = launches.mock.calls.map(([{ update }]) => update !== null);
      expect(solved).toEqual(form === 'measure' ? new Array(6).fill(rule !== 'gramian') : []);
    });
  });

  it('goes on from a state the same, bit for bit', async () => {
    const whole = new Mixer({ ...base, backend: 'cuda' });
    const expected = await run(whole, (gradient) => gpus.put(gradient), 'measure');
    const first = new Mixer({ ...base, backend: 'cuda' });
    await run(first, (gradient) => gpus.put(gradient), 'measure', 5);
    const state = JSON.parse(JSON.stringify(first.state())) as MixerState;
    expect(state).toEqual(first.state());
    const second = Mixer.restore(state);
    const { rows, losses, samples } = draw(5);
    const placed = rows.map((task) => task.map((gradient) => gpus.put(gradient)));
    const report = await second.measure(placed, { samples, losses, learningRate: 0.1 });
    expect(report.weights).toEqual(expected[5].weights);
  });

  it('takes gradients of the host by name, which are copied over', async () => {
    const mixer = new Mixer({ ...base, backend: 'cuda' });
    const there = new Mixer(base);
    const [a, b] = [
      await run(mixer, (gradient) => gradient, 'measure'),
      await run(there, (gradient) => gpus.put(gradient), 'measure'),
    ];
    expect(a.map(({ weights }) => weights)).toEqual(b.map(({ weights }) => weights));
  });
});
