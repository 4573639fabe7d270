import { describe, expect, it } from 'vitest';
import { conflict } from '../../lib/index.js';

const stat = (N: number[], G: number[]) => ({
  tasks: N.length,
  microBatches: new Int32Array(N.length),
  samples: new Float64Array(N.length),
  normSquared: Float64Array.from(N),
  variance: new Float64Array(N.length),
  inner: Float64Array.from(G),
  standardError: null,
});

describe('conflict', () => {
  it('is c, c̄, β and γ of METHOD section 3', () => {
    const x = conflict(stat([4, 1, 9], [4, -1, 3, -1, 1, 0, 3, 0, 9]), { weights: [0.5, 0.3, 0.2] })!;
    expect(x.conflict).toBeCloseTo(1 / 5, 14);
    expect(x.alignment).toBeCloseTo(3 / 6, 14);
    expect(x.cosine[1]).toBeCloseTo(-0.5, 14);
    expect(x.cosine[5]).toBe(0);
    expect(x.beta).toBeCloseTo(1 + 0.2 * (2 - 3 - 5), 14);
    expect(x.gamma).toBeCloseTo(1 + 0.5 * 2, 14);
    expect([x.boundHolds, x.uncertain]).toEqual([false, false]);
  });
  it('clamps, leaves drowned pairs out, and has β = 1 without conflict, at weight 0 too', () => {
    const wild = conflict(stat([1, 1, 1], [1, -7, 7, -7, 1, 0, 7, 0, 1]), { weights: [0.5, 0.5, 0] })!;
    expect([wild.conflict, wild.alignment]).toEqual([0.5, 1]);
    const none = conflict(stat([1, 0], [1, -3, -3, 0]), { weights: [1, 0] })!;
    expect([none.uncertain, none.conflict, none.beta, none.boundHolds]).toEqual([true, 0, 1, true]);
    expect(none.cosine[1]).toBeNaN();
    // β = 1 + ½(2 − 2 − 1/w) = 0 at w = ½: the bound says nothing.
    expect(conflict(stat([1, 1], [1, -1, -1, 1]), { weights: [0.5, 0.5] })!.boundHolds).toBe(false);
  });
});
