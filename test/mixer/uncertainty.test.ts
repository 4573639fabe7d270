/** What a mixer tells of the noise in its statistics: errors in the report, tasks held back, warnings that begin. */
import { describe, expect, it } from 'vitest';
import {
  type BackendChoice,
  Mixer,
  type MixerOptions,
  type MixerWarning,
  statistics,
  type UpdateReport,
} from '../../lib/index.js';
import { drawGradient, mulberry32 } from '../support/gradients.js';
import { mixerOf } from '../support/small.js';

const D = 30;

/** Micro-batches of tasks whose gradients have every element at `levels[k]`, and noise of `sigma` per sample. */
function rowsOf(levels: readonly number[], sigma: number, seed: number, m = 4): Float32Array[][] {
  const random = mulberry32(seed);
  return levels.map((level) =>
    Array.from({ length: m }, () => drawGradient(new Array<number>(D).fill(level), sigma, 1, random)),
  );
}
const sizes = (rows: readonly (readonly unknown[])[]) => rows.map((task) => task.map(() => 1));
const measure = (mixer: Mixer, rows: Float32Array[][]) => mixer.measure(rows, { samples: sizes(rows) });

async function observe(mixer: Mixer, rows: Float32Array[][]): Promise<UpdateReport> {
  for (const [k, task] of rows.entries())
    for (const gradient of task) await mixer.observe(mixer.tasks[k], gradient, { samples: 1 });
  return mixer.update();
}

function listening(options: Partial<MixerOptions>): { mixer: Mixer; heard: MixerWarning[] } {
  const heard: MixerWarning[] = [];
  const mixer = mixerOf(options);
  mixer.on('warning', (warning) => heard.push(warning));
  return { mixer, heard };
}

describe.each<BackendChoice>(['reference', 'cpu'])('standard errors, %s', (backend) => {
  it('stand in the report of measure, and smoothed', async () => {
    const mixer = mixerOf({ backend, smoothing: 0.5 });
    const rows = [1, 2].map((seed) => rowsOf([1, 2], 1, seed));
    const alone = await Promise.all(
      rows.map((given) => statistics(given, { samples: sizes(given), standardErrors: true, backend })),
    );
    const first = await measure(mixer, rows[0]);
    expect(first.statistics.standardError).toEqual(alone[0].standardError);
    const second = await measure(mixer, rows[1]);
    for (const kind of ['normSquared', 'variance'] as const)
      for (const k of [0, 1]) {
        expect(alone[0].standardError![kind][k]).toBeGreaterThan(0);
        expect(first.smoothed.standardError![kind][k]).toBeCloseTo(alone[0].standardError![kind][k], 10);
        // Of equal precision: shares 1/3 and 2/3.
        const [a, b] = alone.map(({ standardError }) => standardError![kind][k]);
        expect(second.smoothed.standardError![kind][k]).toBeCloseTo(Math.hypot(a, 2 * b) / 3, 10);
      }
    expect(second.heterogeneity).toBeGreaterThan(2);
  });

  it('are unknown to observe, and for two micro-batches; those of a missed task are NaN', async () => {
    const rows = rowsOf([1, 2], 1, 1);
    const observed = await observe(mixerOf({ backend }), rows);
    expect(observed.statistics.standardError).toBeNull();
    expect(observed.smoothed.standardError).toBeNull();
    expect(observed.heterogeneity).toBeNull();

    const short = await measure(mixerOf({ backend }), [rows[0].slice(0, 2), rows[1]]);
    expect(short.statistics.standardError!.normSquared[0]).toBeNaN();
    expect(short.smoothed.standardError!.normSquared[0]).toBeNaN();
    expect(short.smoothed.standardError!.normSquared[1]).toBeGreaterThan(0);
    expect(short.heterogeneity).toBeNull();

    const losses = [
      [1, 1, Number.NaN, 1],
      [1, 1, 1, 1],
    ];
    const missed = await mixerOf({ backend }).measure(rows, { samples: sizes(rows), losses });
    expect(missed.missed).toHaveLength(1);
    expect(missed.statistics.standardError!.variance).toEqual(
      Float64Array.of(Number.NaN, missed.statistics.standardError!.variance[1]),
    );
  });
});

it('go on in a restored mixer as if nothing had been', async () => {
  const rows = [1, 2, 3].map((seed) => rowsOf([1, 2], 1, seed));
  const mixer = mixerOf();
  await measure(mixer, rows[0]);
  const restored = Mixer.restore(JSON.parse(JSON.stringify(mixer.state())));
  for (const given of rows.slice(1)) {
    const { seconds: _, ...own } = await measure(mixer, given);
    const { seconds: __, ...other } = await measure(restored, given);
    expect(other).toEqual(own);
  }
  expect(restored.state()).toEqual(mixer.state());
});

describe('significance', () => {
  it('holds tasks that differ by noise, and names them', async () => {
    const same = rowsOf([1, 1], 4, 3);
    const moved = await measure(mixerOf({ priorPull: 0 }), same);
    expect([moved.held, moved.weights[0] === moved.previous[0]]).toEqual([[], false]);
    const held = await measure(mixerOf({ priorPull: 0, significance: 2 }), same);
    expect(held.held).toEqual(['a', 'b']);
    expect(held.weights[0]).toBeCloseTo(0.5, 12);

    const different = await measure(mixerOf({ priorPull: 0, significance: 2 }), rowsOf([3, 1], 0.5, 4));
    expect(different.held).toEqual([]);
    expect(different.weights[0]).toBeGreaterThan(0.501);
  });

  it('wins on noise: over many updates of tasks that are alike, weights stay closer to uniform', async () => {
    const farthest = async (significance: number) => {
      const mixer = mixerOf({ priorPull: 0, significance });
      let most = 0;
      for (let update = 0; update < 60; update++) {
        const { weights } = await measure(mixer, rowsOf([0.1, 0.1], 2, 100 + update));
        most = Math.max(most, Math.abs(weights[0] - 0.5));
      }
      return most;
    };
    const [any, significant] = [await farthest(0), await farthest(2)];
    expect(any).toBeGreaterThan(0.03);
    expect(significant).toBeLessThan(any / 3);
  });

  it('warns once while errors are unknown, again when that comes back', async () => {
    const { mixer, heard } = listening({ significance: 1 });
    const rows = rowsOf([3, 1], 1, 1);
    for (let i = 0; i < 2; i++) await observe(mixer, rows);
    expect(heard.map(({ code }) => code)).toEqual(['WARN_ERRORS_UNKNOWN']);
    expect(heard[0].message).toMatch(/errors of a, b are not known.*measure/);
    await measure(mixer, rows);
    expect(heard).toHaveLength(1);
    const silent = listening({});
    await observe(silent.mixer, rows);
    expect(silent.heard).toEqual([]);
  });
});

describe('warnings', () => {
  /** Two tasks whose gradients have this cosine, one a little longer, hardly any noise. */
  const atCosine = (cosine: number) =>
    [
      [1, 0],
      [1.1 * cosine, 1.1 * Math.sqrt(1 - cosine ** 2)],
    ].map((gradient) => [1e-6, -1e-6, 0].map((noise) => Float32Array.from(gradient, (x) => x + noise)));

  it('of a broken bound come when it breaks, not at every update', async () => {
    const { mixer, heard } = listening({ inner: true, smoothing: 0, initialWeights: [0.45, 0.55] });
    const holds: (boolean | undefined)[] = [];
    for (const cosine of [0.2, -1, -1, 0.5, -1, -1]) {
      const { conflict } = await measure(mixer, atCosine(cosine));
      holds.push(conflict?.boundHolds);
    }
    expect(holds).toEqual([true, false, false, true, false, false]);
    expect(heard.map(({ code }) => code)).toEqual(['WARN_BOUND_BROKEN', 'WARN_BOUND_BROKEN']);
    expect(heard[0].message).toMatch(/c = 0\.498 makes β = -0\.1/);
  });

  it('of a broken bound need inner products', async () => {
    const { mixer, heard } = listening({ smoothing: 0 });
    expect((await measure(mixer, atCosine(-1))).conflict).toBeNull();
    expect(heard).toEqual([]);
  });

  it('of nothing but noise come once the averages remember nothing else', async () => {
    const { mixer, heard } = listening({ smoothing: 0.8 });
    const found: number[] = [];
    const run = async (levels: number[], updates: number, seed: number) => {
      for (let i = 0; i < updates; i++)
        found.push((await measure(mixer, rowsOf(levels, 2, seed + i))).heterogeneity!);
    };
    await run([3, 1], 5, 0);
    expect(Math.min(...found)).toBeGreaterThan(2);
    expect(heard).toEqual([]);
    await run([0, 0], 60, 100);
    // More than once at the noise, in and out, is one warning; five in a row are needed for it.
    const first = found.findIndex((_, i) => i >= 4 && found.slice(i - 4, i + 1).every((h) => h <= 1));
    expect(first).toBeGreaterThan(0);
    expect(heard.map(({ code }) => code)).toEqual(['WARN_ALL_NOISE']);
    expect(heard[0].message).toMatch(/differ by no more than their standard errors explain .* for 5 updates/);
    await run([3, 1], 30, 200);
    expect(found.at(-1)).toBeGreaterThan(2);
    expect(heard).toHaveLength(1);
    await run([0, 0], 100, 300);
    expect(heard.map(({ code }) => code)).toEqual(['WARN_ALL_NOISE', 'WARN_ALL_NOISE']);
  });

  it('stand as they are where nothing was measured', async () => {
    const { mixer, heard } = listening({ inner: true, smoothing: 0, initialWeights: [0.45, 0.55] });
    await measure(mixer, atCosine(-1));
    const missing = atCosine(-1).map((task) => task.map((row) => row.map(() => Number.NaN)));
    await measure(mixer, missing);
    await measure(mixer, atCosine(-1));
    expect(heard.map(({ code }) => code)).toEqual(['WARN_BOUND_BROKEN', 'WARN_NOTHING_MEASURED']);
  });
});
