import { describe, expect, it } from 'vitest';
import { balanced, balancedLossWeights, pike } from '../../lib/index.js';
import { resolveOptions } from '../../lib/mixer/options.js';
import { balancedRule } from '../../lib/rules/balanced.js';
import { decodeLogWeights } from '../../lib/rules/rule.js';
import { weightsOf } from '../../lib/rules/simplex.js';
import { expectError, largestDifference, largestRelativeDifference } from '../support/expect.js';
import { golden } from '../support/golden.js';
import { mixerOf, row, samples } from '../support/small.js';

interface Row {
  losses: number[];
  tau: number;
  y: number[];
  y_mean1: number[];
  norm2: number[];
  sigma2: number[];
  zeta1: number;
  zeta2: number;
  b: number;
  w: number[];
  w_next: number[];
  w_next_mean1: number[];
}

describe('balanced', () => {
  it.each((golden('balanced').rows as Row[]).map((c, i) => [i, c] as const))('golden row %i', (_, c) => {
    const { losses, tau, zeta1, zeta2 } = c;
    const statistics = { normSquared: c.norm2, variance: c.sigma2 };
    for (const [lossScale, y, next] of [
      ['paper', c.y, c.w_next],
      ['mean', c.y_mean1, c.w_next_mean1],
    ] as const) {
      const lossWeights = balancedLossWeights(losses, { tau, lossScale });
      expect(largestRelativeDifference(lossWeights, y)).toBeLessThan(1e-13);
      const w = balanced(c.w, statistics, { losses, tau, lossScale, zeta1, zeta2, batchSize: c.b });
      expect(largestDifference(w, next)).toBeLessThan(1e-13);
    }
    expect(balancedLossWeights(losses, { tau })).toEqual(
      balancedLossWeights(losses, { tau, lossScale: 'mean' }),
    );
  });

  it('is pike, to the last bit, when losses are equal', () => {
    const s = { normSquared: [1, 3, -0.5], variance: [5, 2, 9] };
    for (const scale of ['relative', 'absolute'] as const) {
      const options = { batchSize: 8, zeta1: 0.7, scale };
      const losses = [2.1, 2.1, 2.1];
      expect(balanced([0.2, 0.3, 0.5], s, { ...options, losses, tau: 3 })).toEqual(
        pike([0.2, 0.3, 0.5], s, options),
      );
    }
  });

  it('divides by the sum of y² N in the relative scale, so y’s scale does not matter there', () => {
    const s = { normSquared: [1, 3], variance: [0, 0] };
    const losses = [3, 2];
    const options = { losses, batchSize: 8, zeta1: 0.7, zeta2: 0, scale: 'relative' } as const;
    const w = balanced([0.5, 0.5], s, options);
    const y = balancedLossWeights(losses);
    const [a, b] = [y[0] ** 2, 3 * y[1] ** 2];
    expect(Math.log(w[0] / w[1])).toBeCloseTo((0.7 * (a - b)) / (a + b), 12);
    expect(largestDifference(balanced([0.5, 0.5], s, { ...options, lossScale: 'paper' }), w)).toBeLessThan(
      1e-15,
    );
  });

  it('leaves a task whose loss is not known alone', () => {
    const options = resolveOptions({
      tasks: ['a', 'b', 'c'],
      batchSize: 8,
      rule: 'balanced',
      scale: 'absolute',
      minWeight: 0,
      maxLogStep: Infinity,
      priorPull: 0,
      tau: 2,
    });
    const statistics = {
      tasks: 3,
      microBatches: new Int32Array(3).fill(4),
      samples: new Float64Array(3).fill(8),
      normSquared: new Float64Array([5, 1, 2]),
      variance: new Float64Array([1, 2, 3]),
      inner: null,
      standardError: null,
    };
    const update = (lossScale: 'mean' | 'paper', losses: number[]) => {
      const result = balancedRule.update(balancedRule.init(3, options), statistics, {
        step: 0,
        losses: new Float64Array(losses),
        options: { ...options, lossScale },
      });
      return {
        y: Array.from(result.lossWeights!),
        w: weightsOf(decodeLogWeights(result.state.logWeights, 3)),
      };
    };
    const mean = update('mean', [Number.NaN, 3, 2]);
    const known = balancedLossWeights([3, 2], { tau: 2 });
    expect(mean.y).toEqual([1, known[0], known[1]]);
    expect(mean.w[0]).toBeCloseTo(1 / 3, 14);
    expect(mean.w[1]).not.toBeCloseTo(1 / 3, 3);
    const paper = update('paper', [Number.NaN, 3, 2]);
    expect(paper.y.reduce((a, b) => a + b, 0)).toBeCloseTo(2, 14);
    expect(paper.y[0]).toBeCloseTo(2 / 3, 14);
    expect(update('mean', [Number.NaN, Number.NaN, Infinity])).toEqual({
      y: [1, 1, 1],
      w: weightsOf(decodeLogWeights(balancedRule.init(3, options).logWeights, 3)),
    });
  });

  it('has finite loss weights for every tau, also where their sum is the largest number', () => {
    for (const tau of [1e300, Number.MAX_VALUE])
      for (const lossScale of ['paper', 'mean'] as const)
        for (const losses of [
          [1, 2, 2],
          [1, 2, 3],
          [Number.MAX_VALUE, 1, -Number.MAX_VALUE],
        ]) {
          const y = balancedLossWeights(losses, { tau, lossScale });
          expect(y.every((value) => Number.isFinite(value) && value >= 0)).toBe(true);
          const s = { normSquared: [1, 3, -0.5], variance: [5, 2, 9] };
          for (const scale of ['relative', 'absolute'] as const) {
            const w = balanced([0.2, 0.3, 0.5], s, { losses, tau, lossScale, batchSize: 8, scale });
            expect(Math.abs(w.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(1e-12);
          }
        }
    // τ itself, which K·(τ/K) may pass by.
    for (let K = 2; K < 60; K++)
      expect(
        balancedLossWeights(
          Array.from({ length: K }, (_, k) => Number(k === 0)),
          { tau: Number.MAX_VALUE, lossScale: 'paper' },
        )[0],
      ).toBeLessThanOrEqual(Number.MAX_VALUE);
  });

  it('gives loss weights to the mixer and its report, and asks for losses', async () => {
    const rows = [
      [row(1), row(3)],
      [row(1), row(1.5)],
    ];
    const losses = [
      [3, 3],
      [1, 2],
    ];
    const mixer = mixerOf({ rule: 'balanced', tau: 2 });
    await expectError('ERR_INVALID_OPTION', /needs the tasks' losses/, () =>
      mixer.measure(rows, { samples }),
    );
    const report = await mixer.measure(rows, { samples, losses });
    expect(report.lossWeights).toEqual(balancedLossWeights([3, 1.5], { tau: 2 }));
    expect(mixer.lossWeights).toEqual(report.lossWeights);
  });

  it('refuses what it cannot act on', async () => {
    const s = { normSquared: [1, 2], variance: [1, 1] };
    await expectError('ERR_SHAPE', /losses/, () => balanced([0.5, 0.5], s, { batchSize: 8 } as never));
    await expectError('ERR_NON_FINITE', /losses\[1\]/, () => balancedLossWeights([1, Number.NaN]));
    await expectError('ERR_INVALID_OPTION', /tau/, () => balancedLossWeights([1, 2], { tau: 0 }));
    await expectError('ERR_INVALID_OPTION', /lossScale/, () =>
      balancedLossWeights([1, 2], { lossScale: 'sum' as never }),
    );
  });
});
