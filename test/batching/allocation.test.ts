import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Allocator } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { golden } from '../support/golden.js';

interface Row {
  w: number[];
  b: number;
  largest_remainder: number[];
  floor?: number;
  largest_remainder_floor?: number[];
}
interface Sequence {
  w: number[];
  b: number;
  lo: number;
  alloc: number[][];
  max_cumulative_error: number;
}
const data = golden('alloc') as { rows: Row[]; sequences: Sequence[] };
const sum = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0);
/** Weights that sum to 1 exactly enough for the allocator, from any positive numbers. */
const simplex = (raw: number[]) => raw.map((x) => x / sum(raw));

describe('Allocator', () => {
  it.each(data.rows.map((row, i) => [i, row] as const))('first batch, golden row %i', (_, row) => {
    const allocator = new Allocator({ batchSize: row.b, tasks: row.w.length });
    expect(Array.from(allocator.next(row.w))).toEqual(row.largest_remainder);
  });

  it.each(data.sequences.map((s, i) => [i, s] as const))('golden sequence %i', (_, s) => {
    const allocator = new Allocator({ batchSize: s.b, tasks: s.w.length, minPerTask: s.lo });
    const totals = s.w.map(() => 0);
    let worst = 0;
    s.alloc.forEach((expected, step) => {
      const counts = Array.from(allocator.next(s.w));
      expect(counts).toEqual(expected);
      counts.forEach((c, k) => {
        totals[k] += c;
        worst = Math.max(worst, Math.abs(totals[k] - (step + 1) * s.b * s.w[k]));
      });
    });
    expect(worst).toBeCloseTo(s.max_cumulative_error, 9);
  });

  it('sums to the batch, respects the floor and never drifts, for any weights', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 12 }),
        fc.integer({ min: 0, max: 4 }),
        fc.array(fc.array(fc.double({ min: 1e-6, max: 1, noNaN: true }), { minLength: 12, maxLength: 12 }), {
          minLength: 1,
          maxLength: 60,
        }),
        fc.integer({ min: 0, max: 100 }),
        (K, floor, mixtures, extra) => {
          const batchSize = Math.max(1, K * floor + extra);
          const allocator = new Allocator({ batchSize, tasks: K, minPerTask: floor });
          for (const mixture of mixtures) {
            const counts = allocator.next(simplex(mixture.slice(0, K)));
            expect(sum(counts)).toBe(batchSize);
            expect(Math.min(...counts)).toBeGreaterThanOrEqual(floor);
            for (const r of allocator.state().residual) expect(Math.abs(r)).toBeLessThan(K);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('stays within two samples of the running sum of targets over 2000 drifting steps', () => {
    const K = 8;
    const batchSize = 64;
    const allocator = new Allocator({ batchSize, tasks: K });
    const given = new Float64Array(K);
    const wanted = new Float64Array(K);
    for (let step = 0; step < 2000; step++) {
      const w = simplex(Array.from({ length: K }, (_, k) => 1.05 + Math.sin(step / (20 + 7 * k) + k)));
      allocator.next(w).forEach((c, k) => {
        given[k] += c;
        wanted[k] += batchSize * w[k];
      });
      for (let k = 0; k < K; k++) expect(Math.abs(given[k] - wanted[k])).toBeLessThan(2);
    }
  });

  it('takes weights that meet the floor as they are, to the last bit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 3, max: 40 }), { minLength: 2, maxLength: 8 }),
        fc.integer({ min: 1, max: 3 }),
        (samples, minPerTask) => {
          const batchSize = sum(samples);
          // Some of them stand on the floor itself.
          const w = simplex(samples);
          const allocator = new Allocator({ batchSize, tasks: w.length, minPerTask });
          const counts = allocator.next(w);
          expect(allocator.state().residual).toEqual(w.map((x, k) => batchSize * x - counts[k]));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('does not wind up against a floor', () => {
    const allocator = new Allocator({ batchSize: 32, tasks: 3, minPerTask: 2 });
    for (let step = 0; step < 500; step++)
      expect(Array.from(allocator.next([0.97, 0.02, 0.01]))).toEqual([28, 2, 2]);
    // A residual wound up over 500 steps would pay back for hundreds of batches; nothing may remain of it.
    const after = Array.from({ length: 4 }, () => Array.from(allocator.next([0.25, 0.5, 0.25])));
    expect(after).toEqual([
      [8, 16, 8],
      [8, 16, 8],
      [8, 16, 8],
      [8, 16, 8],
    ]);
  });

  it('gives a task of 0.3 samples per batch one every third or fourth batch', () => {
    const allocator = new Allocator({ batchSize: 10, tasks: 2 });
    const steps = Array.from({ length: 100 }, (_, i) => [i, allocator.next([0.97, 0.03])[1]]);
    const hits = steps.filter(([, c]) => c === 1).map(([i]) => i);
    expect(hits.length).toBe(30);
    for (let i = 1; i < hits.length; i++) expect([3, 4]).toContain(hits[i] - hits[i - 1]);
  });

  it('goes on after a trip through JSON', () => {
    const w = [0.613, 0.287, 0.1];
    const whole = new Allocator({ batchSize: 7, tasks: 3 });
    for (let i = 0; i < 5; i++) whole.next(w);
    const restored = Allocator.restore(JSON.parse(JSON.stringify(whole.state())));
    for (let i = 0; i < 50; i++) expect(restored.next(w)).toEqual(whole.next(w));
  });

  it('refuses what cannot be allocated, and stays as it was', async () => {
    const bad = (options: object) => () => new Allocator({ batchSize: 8, tasks: 3, ...options });
    await expectError('ERR_INVALID_OPTION', /batchSize/, bad({ batchSize: 0 }));
    await expectError('ERR_INVALID_OPTION', /batchSize/, bad({ batchSize: 2.5 }));
    await expectError('ERR_INVALID_OPTION', /minPerTask/, bad({ minPerTask: -1 }));
    await expectError('ERR_INVALID_OPTION', /too small for 3 tasks/, bad({ minPerTask: 3 }));
    const allocator = new Allocator({ batchSize: 8, tasks: 3 });
    const before = allocator.state();
    await expectError('ERR_SHAPE', /3 weights/, () => allocator.next([0.5, 0.5]));
    await expectError('ERR_INVALID_OPTION', /sum to 1/, () => allocator.next([0.5, 0.5, 0.5]));
    await expectError('ERR_INVALID_OPTION', /weights\[1\]/, () => allocator.next([0.5, Number.NaN, 0.5]));
    expect(allocator.state()).toEqual(before);
    const state = (change: object) => () => Allocator.restore({ ...before, ...change });
    await expectError('ERR_STATE', /residual/, state({ residual: [0, 0] }));
    await expectError('ERR_STATE', /residual/, state({ residual: [0, null, 0] }));
    await expectError('ERR_STATE', /damaged/, state({ batchSize: -1 }));
  });
});
