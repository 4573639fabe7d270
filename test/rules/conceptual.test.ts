import { describe, expect, it } from 'vitest';
import { conceptual } from '../../lib/index.js';
import { minimizeSeparable } from '../../lib/rules/conceptual.js';
import { expectError, largestDifference } from '../support/expect.js';
import { golden } from '../support/golden.js';

interface Quadratic {
  lam: number[];
  kap: number[];
  lo: number[];
  hi: number[];
  w: number[];
}
interface Example {
  theta: [number, number];
  eta: number;
  b: number;
  sigma: [number, number];
  w1: number;
  expected_next_loss: number;
  expected_next_loss_uniform: number;
}
interface Recursion {
  m0: [number, number];
  eta: number;
  b: number;
  sigma: [number, number];
  traj: Record<string, { w1: number; m: [number, number]; loss: number }[]>;
}

/** Example 2.1: ∇L_k = θ_k e_k, and σ_k² = 2 s_k² because s_k² is per coordinate of two. */
const mixture = (normSquared: number[], sigma: number[], eta: number, b: number) =>
  conceptual(
    normSquared.map(() => 1 / normSquared.length),
    { normSquared, variance: sigma.map((s) => 2 * s * s) },
    { learningRate: eta, smoothness: 1, batchSize: b },
  );

/** E θ_k² after one step of SGD with weights w, eq. (3). */
const nextMoments = (m: number[], w: ArrayLike<number>, sigma: number[], eta: number, b: number) => {
  const noise = ((eta * eta) / b) * (w[0] * sigma[0] ** 2 + w[1] * sigma[1] ** 2);
  return m.map((x, k) => (1 - eta * w[k]) ** 2 * x + noise);
};

describe('conceptual', () => {
  it.each((golden('diag_qp').cases as Quadratic[]).map((c, i) => [i, c] as const))(
    'golden program %i',
    (_, c) => {
      const K = c.lam.length;
      const w = minimizeSeparable(c.lam, c.kap, c.lo ?? new Array(K).fill(0), c.hi ?? new Array(K).fill(1));
      expect(largestDifference(w, c.w)).toBeLessThan(1e-12);
    },
  );

  it.each((golden('example21').rows as Example[]).map((c, i) => [i, c] as const))(
    'Example 2.1, eq. (4), row %i',
    (_, c) => {
      const moments = c.theta.map((x) => x * x);
      const w = mixture(moments, c.sigma, c.eta, c.b);
      expect(Math.abs(w[0] - c.w1)).toBeLessThan(1e-13);
      expect(w[0] + w[1]).toBeCloseTo(1, 14);
      const loss = (m: number[]) => (m[0] + m[1]) / 2;
      const relative = (a: number, b: number) => Math.abs(a - b) / Math.max(1, Math.abs(b));
      const uniform = loss(nextMoments(moments, [0.5, 0.5], c.sigma, c.eta, c.b));
      const adaptive = loss(nextMoments(moments, w, c.sigma, c.eta, c.b));
      expect(relative(adaptive, c.expected_next_loss)).toBeLessThan(1e-13);
      expect(relative(uniform, c.expected_next_loss_uniform)).toBeLessThan(1e-13);
      expect(adaptive).toBeLessThanOrEqual(uniform * (1 + 1e-14));
    },
  );

  it.each((golden('example21').expected_loss_recursion as Recursion[]).map((c, i) => [i, c] as const))(
    'Example 2.1 over many steps, run %i',
    (_, c) => {
      const adaptive = c.traj.adaptive;
      let m: number[] = c.m0;
      let compared = 0;
      // The golden trajectory keeps selected steps; the loss identifies them.
      for (let step = 0; step < 100_000 && compared < adaptive.length; step++) {
        m = nextMoments(m, mixture(m, c.sigma, c.eta, c.b), c.sigma, c.eta, c.b);
        if (Math.abs(m[0] - adaptive[compared].m[0]) < 1e-11 * adaptive[compared].m[0]) {
          expect(largestDifference(m, adaptive[compared].m)).toBeLessThan(1e-10);
          compared++;
        }
      }
      expect(compared).toBe(adaptive.length);
    },
  );

  it('refuses what has no solution', async () => {
    const statistics = { normSquared: [1, 1], variance: [1, 1] };
    const good = { learningRate: 0.1, smoothness: 1, batchSize: 8 };
    await expectError('ERR_INVALID_OPTION', /learningRate/, () =>
      conceptual([0.5, 0.5], statistics, { ...good, learningRate: 0 }),
    );
    await expectError('ERR_INVALID_OPTION', /smoothness/, () =>
      conceptual([0.5, 0.5], statistics, { learningRate: 0.1, batchSize: 8 } as never),
    );
    await expectError('ERR_NON_FINITE', /variance/, () =>
      conceptual([0.5, 0.5], { ...statistics, variance: [1, Infinity] }, good),
    );
  });
});
