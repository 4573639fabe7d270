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

  describe('with limits', () => {
    it('gives a task what it has left, and the others the rest by their weights', () => {
      const allocator = new Allocator({ batchSize: 20, tasks: 3 });
      expect(Array.from(allocator.peek([0.5, 0.3, 0.2], [4, Infinity, Infinity]))).toEqual([4, 10, 6]);
      // 6 lacking: 3.6 and 2.4.
      expect(Array.from(allocator.next([0.5, 0.3, 0.2], [4, Infinity, Infinity]))).toEqual([4, 10, 6]);
      const { residual } = allocator.state();
      expect(residual[0]).toBe(0);
      expect(residual[1]).toBeCloseTo(-0.4, 12);
      expect(residual[2]).toBeCloseTo(0.4, 12);
      // What the others could take is limited, too.
      expect(Array.from(allocator.peek([0.5, 0.3, 0.2], [4, 9, 8]))).toEqual([4, 9, 7]);
      expect(Array.from(allocator.peek([0.5, 0.3, 0.2], [4, 8, 8]))).toEqual([4, 8, 8]);
      // All the weight on a task that has nothing: the others share alike.
      expect(Array.from(allocator.peek([1, 0, 0], [0, Infinity, Infinity]))).toEqual([0, 10, 10]);
    });

    it('limits that do not bind change nothing', () => {
      const [with_, without] = [0, 1].map(() => new Allocator({ batchSize: 17, tasks: 3, minPerTask: 1 }));
      for (let i = 0; i < 100; i++)
        expect(with_.next([0.62, 0.27, 0.11], [11, 6, 3])).toEqual(without.next([0.62, 0.27, 0.11]));
      expect(with_.state()).toEqual(without.state());
    });

    it('peek tells what next will do, and does nothing', () => {
      const allocator = new Allocator({ batchSize: 7, tasks: 3 });
      for (let i = 0; i < 20; i++) {
        const before = allocator.state();
        const peeked = allocator.peek([0.5, 0.3, 0.2]);
        expect(allocator.state()).toEqual(before);
        expect(allocator.next([0.5, 0.3, 0.2])).toEqual(peeked);
      }
    });

    it('fills every batch and keeps every limit and floor, whatever they are', () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 2, max: 8 }),
          fc.integer({ min: 0, max: 2 }),
          fc.array(
            fc.record({
              mixture: fc.array(fc.double({ min: 1e-6, max: 1, noNaN: true }), {
                minLength: 8,
                maxLength: 8,
              }),
              limits: fc.array(fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constant(Infinity)), {
                minLength: 8,
                maxLength: 8,
              }),
            }),
            { minLength: 1, maxLength: 20 },
          ),
          (K, floor, batches) => {
            const batchSize = 2 * K + 5;
            const allocator = new Allocator({ batchSize, tasks: K, minPerTask: floor });
            for (const { mixture, limits } of batches) {
              const atMost = limits.slice(0, K);
              if (sum(atMost) < batchSize) continue;
              const counts = allocator.next(simplex(mixture.slice(0, K)), atMost);
              expect(sum(counts)).toBe(batchSize);
              for (const [k, count] of counts.entries()) {
                expect(count).toBeLessThanOrEqual(atMost[k]);
                expect(count).toBeGreaterThanOrEqual(Math.min(floor, atMost[k]));
              }
              // What is carried stays as small as ever, and in balance.
              const { residual } = allocator.state();
              expect(Math.abs(sum(residual))).toBeLessThan(1e-9);
              for (const r of residual) expect(Math.abs(r)).toBeLessThan(K);
            }
          },
        ),
        { numRuns: 300 },
      );
    });

    it('refuses what no batch can be made of, and stays as it was', async () => {
      const allocator = new Allocator({ batchSize: 8, tasks: 2 });
      const before = allocator.state();
      const next =
        (...atMost: number[]) =>
        () =>
          allocator.next([0.5, 0.5], atMost);
      await expectError('ERR_INVALID_OPTION', /batch of 8 .* have 7 left/, next(4, 3));
      await expectError('ERR_INVALID_OPTION', /atMost\[1\]/, next(8, -1));
      await expectError('ERR_INVALID_OPTION', /atMost\[0\]/, next(Number.NaN, 8));
      await expectError('ERR_SHAPE', /atMost must be 2/, next(8));
      expect(allocator.state()).toEqual(before);
    });
  });

  it('goes on without one of its tasks: what was carried of it is carried by the others', () => {
    const allocator = new Allocator({ batchSize: 10, tasks: 3 });
    allocator.next([0.44, 0.33, 0.23]);
    const before = allocator.state().residual;
    const rest = allocator.without(0);
    expect(before[0]).toBeCloseTo(-0.6, 12);
    const { tasks, batchSize, residual } = rest.state();
    expect([tasks, batchSize]).toEqual([2, 10]);
    expect(residual[0]).toBeCloseTo(before[1] - 0.3, 12);
    expect(residual[1]).toBeCloseTo(before[2] - 0.3, 12);
    expect(allocator.state().residual).toEqual(before);
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
