import { describe, expect, it } from 'vitest';
import { statistics } from '../../lib/index.js';
import { expectError, largestDifference, largestRelativeDifference } from '../support/expect.js';
import { golden } from '../support/golden.js';

interface GoldenCase {
  K: number;
  m: number[];
  sizes: number[][];
  rows: number[][][];
  per_task: { norm2?: number; variance?: number }[];
  inner: number[][];
}
const cases: GoldenCase[] = golden('estimators').cases;
const usable = cases.filter((c) => c.m.every((m) => m >= 2));
const toRows = (c: GoldenCase) => c.rows.map((task) => task.map((row) => Float64Array.from(row)));
/** The mean deviation of a sample of four from N(0, 1): √(2/3) Γ(2)/Γ(3/2). */
const C4_OF_4 = Math.sqrt(2 / 3) * (2 / Math.sqrt(Math.PI));

for (const backend of ['reference', 'cpu'] as const)
  describe(`estimators, ${backend}`, () => {
    it('has cases with unequal micro-batches and with one task', () => {
      expect(usable.length).toBeGreaterThanOrEqual(7);
      expect(usable.some((c) => c.K === 1)).toBe(true);
    });

    it.each(usable.map((c, i) => [i, c] as const))('golden case %i', async (_, c) => {
      const result = await statistics(toRows(c), { samples: c.sizes, inner: true, backend });
      const off = (i: number) => Math.floor(i / c.K) !== i % c.K;
      expect(
        largestRelativeDifference(
          result.normSquared,
          c.per_task.map((t) => t.norm2!),
        ),
      ).toBeLessThan(1e-12);
      expect(
        largestRelativeDifference(
          result.variance,
          c.per_task.map((t) => t.variance!),
        ),
      ).toBeLessThan(1e-12);
      const inner = result.inner!.filter((_, i) => off(i));
      expect(
        largestRelativeDifference(
          inner,
          c.inner.flat().filter((_, i) => off(i)),
        ),
      ).toBeLessThan(1e-12);
      for (let k = 0; k < c.K; k++) expect(result.inner![k * c.K + k]).toBe(result.normSquared[k]);
      expect(Array.from(result.microBatches)).toEqual(c.m);
      expect(result.tasks).toBe(c.K);
    });

    it('agrees with McCandlish et al. for equal micro-batches', async () => {
      // Their form: with B_small = s and B_big = n, |G|² = (B_big |G_big|² − B_small |G_small|²)/(B_big − B_small).
      const rows = [
        [
          [1, 2, -1],
          [3, 0, 2],
          [-2, 1, 1],
        ].map((row) => Float64Array.from(row)),
      ];
      const s = 5;
      const big = [2 / 3, 1, 2 / 3].reduce((sum, x) => sum + x * x, 0);
      const small = (6 + 13 + 6) / 3;
      const expected = (3 * s * big - s * small) / (2 * s);
      const trace = (small - big) / (1 / s - 1 / (3 * s));
      const result = await statistics(rows, { samples: [[s, s, s]], backend });
      expect(result.normSquared[0]).toBeCloseTo(expected, 12);
      expect(result.variance[0]).toBeCloseTo(trace, 12);
      expect(result.inner).toBeNull();
    });

    it('refuses tasks with one micro-batch', async () => {
      const single = cases.find((c) => c.m.includes(1))!;
      await expectError('ERR_TOO_FEW_MICROBATCHES', /at least two/, () =>
        statistics(toRows(single), { samples: single.sizes, backend }),
      );
    });

    it('leaves one row out for standard errors', async () => {
      const rows = [
        [
          [4, -1, 2],
          [1, 0, 3],
          [-2, 5, 1],
          [0, 1, 7],
        ].map((row) => Float64Array.from(row)),
      ];
      const samples = [[3, 3, 3, 3]];
      const leftOut = await Promise.all(
        rows[0].map((_, out) =>
          statistics([rows[0].filter((_, i) => i !== out)], { samples: [[3, 3, 3]], backend }),
        ),
      );
      const jackknife = (values: number[]) => {
        const mean = values.reduce((sum, x) => sum + x, 0) / 4;
        return Math.sqrt((3 / 4) * values.reduce((sum, x) => sum + (x - mean) ** 2, 0));
      };
      const { standardError } = await statistics(rows, { samples, standardErrors: true, backend });
      const normSquared = jackknife(leftOut.map((l) => l.normSquared[0]));
      const variance = jackknife(leftOut.map((l) => l.variance[0]));
      expect(standardError!.normSquared[0]).toBeCloseTo(normSquared / C4_OF_4, 10);
      expect(standardError!.variance[0]).toBeCloseTo(variance / C4_OF_4, 10);
    });

    it('leaves one row out of rows of different sizes for standard errors', async () => {
      const rows = [
        [
          [4, -1, 2],
          [1, 0, 3],
          [-2, 5, 1],
          [0, 1, 7],
        ].map((row) => Float64Array.from(row)),
      ];
      const sizes = [1, 4, 2, 3];
      const m = 4;
      const n = 10;
      const { normSquared, standardError } = await statistics(rows, {
        samples: [sizes],
        standardErrors: true,
        backend,
      });
      const without = <T>(list: readonly T[], out: number) => list.filter((_, i) => i !== out);
      const leftOut = await Promise.all(
        sizes.map((_, out) =>
          statistics([without(rows[0], out)], { samples: [without(sizes, out)], backend }),
        ),
      );
      const variances = leftOut.map(({ variance }) => variance[0]);
      const center = variances.reduce((sum, x) => sum + x, 0) / m;
      const plain = variances.reduce((sum, x) => sum + (x - center) ** 2, 0) * ((m - 1) / m);
      expect(standardError!.variance[0]).toBeCloseTo(Math.sqrt(plain) / C4_OF_4, 10);
      // Busing et al. 1999, with h_i = n/s_i.
      const norms = leftOut.map((left) => left.normSquared[0]);
      const whole = m * normSquared[0] - norms.reduce((sum, x, i) => sum + (1 - sizes[i] / n) * x, 0);
      const unequal = norms.reduce((sum, x, i) => {
        const h = n / sizes[i];
        return sum + (h * normSquared[0] - (h - 1) * x - whole) ** 2 / (h - 1) / m;
      }, 0);
      expect(standardError!.normSquared[0]).toBeCloseTo(Math.sqrt(unequal) / C4_OF_4, 10);
    });

    it('has no standard errors for fewer than three micro-batches', async () => {
      const rows = [
        [Float64Array.of(1), Float64Array.of(2)],
        [Float64Array.of(1), Float64Array.of(1), Float64Array.of(1)],
      ];
      const samples = rows.map((task) => task.map(() => 1));
      const { standardError } = await statistics(rows, { samples, standardErrors: true, backend });
      expect(standardError).toEqual({
        normSquared: Float64Array.of(Number.NaN, 0),
        variance: Float64Array.of(Number.NaN, 0),
      });
      expect((await statistics(rows, { samples, backend })).standardError).toBeNull();
    });

    it('measures in a diagonal metric', async () => {
      const rows = [
        [
          [1, 2, -1],
          [3, 0, 2],
        ].map((row) => Float64Array.from(row)),
        [
          [0, 1, 1],
          [2, 2, 0],
        ].map((row) => Float64Array.from(row)),
      ];
      const D = [4, 0.25, 9];
      const scaled = rows.map((task) => task.map((row) => row.map((x, i) => x * Math.sqrt(D[i]))));
      const samples = [
        [2, 2],
        [1, 3],
      ];
      const measured = await statistics(rows, {
        samples,
        inner: true,
        preconditioner: Float64Array.from(D),
        backend,
      });
      const expected = await statistics(scaled, { samples, inner: true, backend });
      expect(largestDifference(measured.inner!, expected.inner!)).toBeLessThan(1e-12);
      expect(largestDifference(measured.variance, expected.variance)).toBeLessThan(1e-12);
    });
  });
