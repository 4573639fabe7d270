import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Gradient, Mixer, type Statistics, statistics } from '../../lib/index.js';
import { drawGradient, type Kind, mulberry32, randomTensor } from '../support/gradients.js';

/** |ΔG_jk| <= ε u_j u_k, |ΔN_k| <= ε u_k², |Δσ_k²| <= ε n_k u_k² with u_k = max_i ‖g_ki‖. */
function expectPromise(actual: Statistics, expected: Statistics, largestNorm: number[], epsilon: number) {
  for (let k = 0; k < expected.tasks; k++) {
    const u = largestNorm[k];
    const n = expected.samples[k];
    expect(Math.abs(actual.normSquared[k] - expected.normSquared[k])).toBeLessThanOrEqual(epsilon * u * u);
    expect(Math.abs(actual.variance[k] - expected.variance[k])).toBeLessThanOrEqual(epsilon * n * u * u);
    for (let j = 0; expected.inner && j < expected.tasks; j++) {
      const difference = actual.inner![j * expected.tasks + k] - expected.inner[j * expected.tasks + k];
      expect(Math.abs(difference)).toBeLessThanOrEqual(epsilon * u * largestNorm[j]);
    }
  }
}

/** The promise: for random data, for data made to round badly, and for doubles. */
const RANDOM = 1e-6;
const GUARANTEED = 1.6e-5;
const DOUBLES = 1e-12;

async function compare(
  epsilon: number,
  rows: Gradient[][],
  samples: number[][],
  inner: boolean,
  preconditioner?: Gradient,
) {
  const options = { samples, inner, ...(preconditioner ? { preconditioner } : {}) };
  const [native, reference] = await Promise.all([
    statistics(rows, { ...options, backend: 'cpu' }),
    statistics(rows, { ...options, backend: 'reference' }),
  ]);
  // ‖g‖² of a row alone: the mean of two copies of it is itself, with no deviation.
  const norms = await Promise.all(
    rows.map(async (task) => {
      const alone = task.map((row) =>
        statistics([[row, row]], { ...options, samples: [[1, 1]], inner: false, backend: 'reference' }),
      );
      return Math.sqrt(Math.max(...(await Promise.all(alone)).map((s) => s.normSquared[0])));
    }),
  );
  expectPromise(native, reference, norms, epsilon);
}

describe('native against the reference', () => {
  const kinds = fc.constantFrom<Kind>('float32', 'float64', 'bfloat16', 'float16');
  it('any dtypes, layouts, micro-batches and metrics', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(kinds, fc.constantFrom(0, 1, 7, 64, 515)), { minLength: 1, maxLength: 4 }),
        fc.array(fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 2, maxLength: 5 }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.boolean(),
        fc.boolean(),
        fc.integer(),
        async (layout, samples, inner, metric, seed) => {
          fc.pre(layout.some(([, length]) => length > 0));
          const random = mulberry32(seed);
          const list = () => layout.map(([kind, length]) => randomTensor(kind, length, random));
          const row = (): Gradient => (layout.length === 1 ? list()[0] : list());
          const rows = samples.map((sizes) => sizes.map(row));
          const D = layout.map(([, length]) => Float32Array.from({ length }, () => 3 * random()));
          const epsilon = layout.every(([kind]) => kind === 'float64') ? DOUBLES : RANDOM;
          await compare(epsilon, rows, samples, inner, metric ? D : undefined);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(['float32', 'float64', 'bfloat16', 'float16'] as const)(
    '%s of 1 000 003 elements',
    async (kind) => {
      const random = mulberry32(5);
      const rows = [2, 3].map((m) => Array.from({ length: m }, () => randomTensor(kind, 1_000_003, random)));
      await compare(
        kind === 'float64' ? DOUBLES : RANDOM,
        rows,
        [
          [3, 1],
          [2, 2, 5],
        ],
        true,
      );
    },
  );

  it('constant elements, and elements twelve orders of magnitude apart', async () => {
    const d = 100_000;
    const constant = [0, 1].map((i) => new Float32Array(d).fill(0.1 + i));
    const spread = [1, 2].map((i) => Float32Array.from({ length: d }, (_, j) => i * 10 ** ((j % 13) - 6)));
    await compare(
      GUARANTEED,
      [constant, spread],
      [
        [2, 2],
        [2, 2],
      ],
      true,
    );
  });

  it('streams agree within the promise for float32 means', async () => {
    const tasks = ['a', 'b'];
    const mean = Array.from({ length: 5000 }, (_, i) => Math.sin(i));
    for (const inner of [false, true]) {
      const reports = await Promise.all(
        (['cpu', 'reference'] as const).map(async (backend) => {
          const mixer = new Mixer({ tasks, batchSize: 16, backend, inner });
          const random = mulberry32(9);
          for (const task of tasks)
            for (const samples of [1, 4, 2])
              await mixer.observe(task, drawGradient(mean, 1, samples, random), { samples });
          return mixer.update();
        }),
      );
      const u = Math.sqrt(2 * 5000);
      expectPromise(reports[0].statistics, reports[1].statistics, [u, u], 1e-6);
    }
  });

  it('the same bits with one thread as with two', async () => {
    const random = mulberry32(6);
    const rows = [2, 4].map((m) => Array.from({ length: m }, () => randomTensor('float32', 300_001, random)));
    const samples = [
      [1, 2],
      [3, 3, 3, 1],
    ];
    const [one, two] = await Promise.all(
      [1, 2].map((threads) =>
        statistics(rows, { samples, inner: true, standardErrors: true, backend: 'cpu', threads }),
      ),
    );
    expect(two).toStrictEqual(one);
  });
});
