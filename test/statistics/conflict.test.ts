import { describe, expect, it } from 'vitest';
import { conflict } from '../../lib/index.js';
import { expectError } from '../support/expect.js';

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
    // β = 1 + c(2 − K − 1/w) falls without end as w does.
    const starved = conflict(stat([1, 1], [1, -0.1, -0.1, 1]), { weights: [1, 0] })!;
    expect([starved.beta, starved.boundHolds]).toEqual([-Infinity, false]);
    // β = 1 + ½(2 − 2 − 1/w) = 0 at w = ½: the bound says nothing.
    expect(conflict(stat([1, 1], [1, -1, -1, 1]), { weights: [0.5, 0.5] })!.boundHolds).toBe(false);
  });
  it('leaves out what was never measured, and survives the largest numbers', () => {
    const { NaN: none, MAX_VALUE: max } = Number;
    const partly = conflict(stat([4, none, 1], [4, none, -1, none, none, none, -1, none, 1]), {
      weights: [0.4, 0.3, 0.3],
    })!;
    expect([partly.uncertain, partly.conflict, partly.alignment]).toEqual([true, 0.2, 0]);
    expect(partly.cosine.filter(Number.isNaN)).toHaveLength(5);
    const huge = conflict(stat([max, max], [max, -max, -max, max]), { weights: [0.5, 0.5] })!;
    expect(huge.conflict).toBe(0.5);
    expect(huge.cosine[1]).toBeCloseTo(-1, 14);
    const tiny = conflict(stat([5e-324, 1], [5e-324, 0, 0, 1]), { weights: [0.5, 0.5] })!;
    expect([tiny.conflict, tiny.cosine[1], tiny.uncertain]).toEqual([0, 0, false]);
    expect(conflict({ ...stat([1, 1], []), inner: null }, { weights: [0.5, 0.5] })).toBeNull();
  });
  it('refuses weights off the simplex and products of another shape', async () => {
    const two = stat([1, 1], [1, 0, 0, 1]);
    await expectError('ERR_INVALID_OPTION', /sum to 1/, () => conflict(two, { weights: [0.5, 0.6] }));
    await expectError('ERR_SHAPE', /2 weights/, () => conflict(two, { weights: [1] }));
    await expectError('ERR_SHAPE', /4 numbers/, () => conflict(stat([1, 1], [1]), { weights: [0.5, 0.5] }));
  });
});
