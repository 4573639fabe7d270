import { describe, expect, it } from 'vitest';
import { conceptual } from '../../lib/index.js';
import { resolveOptions } from '../../lib/mixer/options.js';
import { conceptualRule } from '../../lib/rules/conceptual.js';
import { decodeLogWeights, encodeLogWeights } from '../../lib/rules/rule.js';
import { normalize, weightsOf } from '../../lib/rules/simplex.js';
import { minimizeSeparable } from '../../lib/rules/water-filling.js';
import { expectError, largestDifference } from '../support/expect.js';
import { golden } from '../support/golden.js';
import { mulberry32 } from '../support/gradients.js';

interface Quadratic {
  lam: number[];
  kap: number[];
  lo: number[];
  hi: number[];
  w: number[];
  objective: number;
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
      const objective = w.reduce((sum, x, k) => sum + x * c.lam[k] + (c.kap[k] * x * x) / 2, 0);
      expect(Math.abs(objective - c.objective)).toBeLessThan(1e-12 * Math.max(1, Math.abs(c.objective)));
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
      for (const [mix, golden] of Object.entries(c.traj)) {
        let m: number[] = c.m0;
        // After steps 1, 11, 21 …
        for (let step = 1; step <= 10 * golden.length - 9; step++) {
          const w = mix === 'adaptive' ? mixture(m, c.sigma, c.eta, c.b) : [Number(mix), 1 - Number(mix)];
          m = nextMoments(m, w, c.sigma, c.eta, c.b);
          if (step % 10 !== 1) continue;
          const expected = golden[(step - 1) / 10];
          expect(Math.abs(w[0] - expected.w1)).toBeLessThan(1e-13);
          for (const k of [0, 1]) expect(Math.abs(m[k] / expected.m[k] - 1)).toBeLessThan(1e-13);
          expect(Math.abs((m[0] + m[1]) / 2 / expected.loss - 1)).toBeLessThan(1e-13);
        }
      }
    },
  );

  it('fulfils the conditions of Kuhn and Tucker', () => {
    const random = mulberry32(3);
    let worst = 0;
    for (let problem = 0; problem < 1000; problem++) {
      const K = problem % 50 === 0 ? 128 : 2 + Math.floor(random() * 20);
      const floor = (random() < 0.5 ? 0 : random()) / K;
      const size = 10 ** (12 * random() - 6);
      const normSquared = Float64Array.from({ length: K }, () => size * (random() < 0.1 ? 0 : random()));
      const variance = Float64Array.from({ length: K }, () => size * (random() < 0.2 ? 1 : 50 * random()));
      const [eta, L, b] = [10 ** (4 * random() - 3), 2, 16];
      const w = conceptual(
        new Float64Array(K).fill(1 / K),
        { normSquared, variance },
        { learningRate: eta, smoothness: L, batchSize: b, minWeight: floor },
      );
      expect(Math.abs(w.reduce((a, x) => a + x, 0) - 1)).toBeLessThan(1e-12);
      expect(Math.min(...w)).toBeGreaterThanOrEqual(floor);
      const lambda = normSquared.map((N, k) => -eta * N + ((L * eta * eta) / (2 * b)) * variance[k]);
      const kappa = normSquared.map((N) => L * eta * eta * N);
      const slopes = lambda.map((x, k) => x + kappa[k] * w[k]);
      const level = slopes.reduce((a, x, k) => a + (x * (w[k] - floor)) / (1 - K * floor), 0);
      const largest = Math.max(...lambda.map(Math.abs), ...kappa);
      slopes.forEach((slope, k) => {
        const lacks = w[k] > floor * (1 + 1e-14) ? Math.abs(slope - level) : level - slope;
        worst = Math.max(worst, lacks / largest);
      });
    }
    expect(worst).toBeLessThan(1e-10);
  });

  it('fills a task without curvature to its bound before the others rise', () => {
    expect(Array.from(minimizeSeparable([0, -0.5], [0, 1], [0, 0], [0.3, 1]))).toEqual([0.3, 0.7]);
  });

  it('has weights on the simplex for infinite λ, too: who gains without end takes all, who costs so nothing', () => {
    const ones = [1, 1, 1];
    const weights = (lambda: number[], kappa = ones) =>
      Array.from(minimizeSeparable(lambda, kappa, [0, 0, 0], ones));
    expect(weights([Infinity, -Infinity, 0])).toEqual([0, 1, 0]);
    expect(weights([-Infinity, -Infinity, 0], [1, 0, 1])).toEqual([0.5, 0.5, 0]);
    expect(weights([Infinity, 0, 0])).toEqual([0, 0.5, 0.5]);
    const random = mulberry32(4);
    const values = [Infinity, -Infinity, Number.MAX_VALUE, -Number.MAX_VALUE, 1e300, 0, 1, -1, 1e-300];
    for (let problem = 0; problem < 5000; problem++) {
      const draw = () => values[Math.floor(random() * values.length)];
      const w = minimizeSeparable(
        ones.map(draw),
        ones.map(() => Math.min(Math.abs(draw()), Number.MAX_VALUE)),
        [0.1, 0, 0.2],
        [1, 0.9, 0.6],
      );
      expect(Math.abs(w.reduce((a, x) => a + x, 0) - 1)).toBeLessThan(1e-12);
      w.forEach((x, k) => {
        expect(x).toBeGreaterThanOrEqual([0.1, 0, 0.2][k]);
        expect(x).toBeLessThanOrEqual([1, 0.9, 0.6][k]);
      });
    }
  });

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

describe('conceptualRule', () => {
  const bound = { learningRate: 0.2, smoothness: 10 };
  const s = { normSquared: [2, 1, 0.7, 0.1], variance: [3, 2, 1, 4000] };
  const minimiser = conceptual([0.25, 0.25, 0.25, 0.25], s, { ...bound, batchSize: 16 });

  function run(
    weights: readonly number[],
    { normSquared, variance } = s,
    more: { maxLogStep?: number; priorPull?: number; minWeight?: number } = {},
  ) {
    const K = weights.length;
    const options = resolveOptions({
      tasks: weights.map((_, k) => `task${k}`),
      batchSize: 16,
      rule: 'conceptual',
      ...bound,
      ...{ minWeight: 0, priorPull: 0, maxLogStep: Infinity, ...more },
    });
    const statistics = {
      tasks: K,
      microBatches: new Int32Array(K).fill(4),
      samples: new Float64Array(K).fill(8),
      normSquared: Float64Array.from(normSquared),
      variance: Float64Array.from(variance),
      inner: null,
      standardError: null,
    };
    const state = { logWeights: encodeLogWeights(normalize(weights.map(Math.log))) };
    const result = conceptualRule.update(state, statistics, { step: 0, losses: null, options });
    return { ...result, weights: weightsOf(decodeLogWeights(result.state.logWeights, K)) };
  }

  it('is the minimiser where nothing holds it back, wherever the weights stand', () => {
    expect(Array.from(minimiser, (w) => w > 0)).toEqual([true, true, true, false]);
    for (const w of [
      [0.25, 0.25, 0.25, 0.25],
      [0, 0, 0, 1],
      [1, 0, 0, 0],
    ])
      expect(largestDifference(run(w).weights, minimiser)).toBeLessThan(1e-15);
    const floored = conceptual([0.25, 0.25, 0.25, 0.25], s, { ...bound, batchSize: 16, minWeight: 0.05 });
    const result = run([0, 0, 0, 1], s, { minWeight: 0.05 });
    expect(largestDifference(result.weights, floored)).toBeLessThan(1e-15);
    expect(result.floored).toEqual([3]);
  });

  it('is not moved by noise that all tasks have', () => {
    const noisier = { ...s, variance: s.variance.map((x) => x + 500) };
    expect(largestDifference(run([0.7, 0.1, 0.1, 0.1], noisier).weights, minimiser)).toBeLessThan(1e-12);
  });

  it('minimises on the mass of the tasks that were measured', () => {
    const part = {
      normSquared: [2, 1, 0.7, Number.NaN],
      variance: [3, 2, 1, Number.NaN],
    };
    const { weights } = run([0.2, 0.2, 0.2, 0.4], part);
    expect(weights[3]).toBeCloseTo(0.4, 15);
    // KKT: equal slopes λ_k + κ_k w_k where w_k > 0.
    const { learningRate: eta, smoothness: L } = bound;
    const slope = (k: number) =>
      -eta * s.normSquared[k] +
      ((L * eta * eta) / 32) * s.variance[k] +
      L * eta * eta * s.normSquared[k] * weights[k];
    const inside = [0, 1, 2].filter((k) => weights[k] > 0);
    expect(inside.length).toBeGreaterThan(1);
    for (const k of [0, 1, 2])
      if (weights[k] > 0) expect(slope(k)).toBeCloseTo(slope(inside[0]), 12);
      else expect(slope(k)).toBeGreaterThan(slope(inside[0]));
    expect(weights[0] + weights[1] + weights[2]).toBeCloseTo(0.6, 14);
  });

  it('walks there by steps of maxLogStep; a target of 0 does not hold the others up', () => {
    let weights = Array.from(new Float64Array(4).fill(0.25));
    const first = run(weights, s, { maxLogStep: 0.3 });
    expect(first.limited).toBe(true);
    expect(Math.log(0.25 / first.weights[3])).toBeCloseTo(0.3, 10);
    for (let i = 0; i < 100; i++) weights = Array.from(run(weights, s, { maxLogStep: 0.3 }).weights);
    expect(largestDifference(weights, minimiser)).toBeLessThan(1e-9);
    expect(run([0, 0.5, 0.5, 0], s, { maxLogStep: 0.3 }).weights[0]).toBe(0); // as in every rule
  });

  it('comes back after a step without limit that was pulled towards the prior', () => {
    const pulled = run([0.25, 0.25, 0.25, 0.25], s, { priorPull: 0.05 });
    expect(pulled.weights[3]).toBeLessThan(1e-300);
    const other = { normSquared: [0.1, 0.1, 0.1, 2], variance: [1, 1, 1, 1] };
    const state = pulled.state.logWeights.map(Number).map(Math.exp);
    expect(
      run(
        state.map((w) => Math.max(w, 1e-320)),
        other,
        { priorPull: 0.05 },
      ).weights[3],
    ).toBeGreaterThan(0.5);
  });
});
