/**
 * What the Gramian is worth: the expected descent of one SGD step by the mixture of `gramian`, from estimates with noise,
 * against that of `conceptual` from the same estimates. The table in docs/gramian.md comes from here.
 */
import { describe, expect, it } from 'vitest';
import { conceptual, gramian } from '../../lib/index.js';
import { gaussian, mulberry32 } from '../support/gradients.js';

const K = 6;
const d = 400;
const PROBLEMS = 200;
const options = { learningRate: 0.5, smoothness: 2, batchSize: 96 };

/** How much of task k's gradient is a direction that tasks share; negative: it pulls against it. */
const SHARED = {
  orthogonal: () => 0,
  'three of six aligned': (k: number) => (k < 3 ? 0.6 : 0),
  'one against the others': (k: number) => (k === 0 ? -0.5 : 0.3),
} as const;

const inner = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const gramOf = (vectors: readonly (readonly number[])[]) =>
  Float64Array.from({ length: K * K }, (_, i) => inner(vectors[Math.floor(i / K)], vectors[i % K]));

/** −η w·G1 + (Lη²/2)(wᵀGw + σ²·w/b), with the sign turned. */
function descent(w: Float64Array, G: Float64Array, variance: Float64Array): number {
  const { learningRate: eta, smoothness: L, batchSize: b } = options;
  return w.reduce((total, x, j) => {
    const row = G.subarray(j * K, j * K + K);
    const gain = row.reduce((sum, product) => sum + product, 0);
    const curved = row.reduce((sum, product, k) => sum + product * w[k], 0);
    return total + x * (eta * gain - ((L * eta * eta) / 2) * (curved + variance[j] / b));
  }, 0);
}

/**
 * Mean descent by gramian over mean descent by conceptual.
 *
 * @param signal N over the squared norm of the error of the mean gradients
 */
function worth(shared: (k: number) => number, signal: number): number {
  const random = mulberry32(3);
  const totals = { gramian: 0, conceptual: 0 };
  for (let problem = 0; problem < PROBLEMS; problem++) {
    const common = Array.from({ length: d }, () => gaussian(random));
    const truth = Array.from({ length: K }, (_, k) => {
      const size = (0.6 + 0.8 * random()) / Math.sqrt(d);
      const a = shared(k);
      return common.map((x) => size * (a * x + Math.sqrt(1 - a * a) * gaussian(random)));
    });
    const variance = Float64Array.from({ length: K }, () => 30 * (0.5 + random()));
    const G = gramOf(truth);
    const errors = Array.from(truth, (_, k) => G[k * K + k] / signal);
    const measured = truth.map((g, k) => g.map((x) => x + Math.sqrt(errors[k] / d) * gaussian(random)));
    // As the estimators and clipNorms have it.
    const estimate = gramOf(measured);
    for (let k = 0; k < K; k++) estimate[k * (K + 1)] = Math.max(0, estimate[k * (K + 1)] - errors[k]);
    const normSquared = estimate.filter((_, i) => i % (K + 1) === 0);
    const start = new Float64Array(K).fill(1 / K);
    totals.gramian += descent(gramian(start, { inner: estimate, variance }, options), G, variance);
    totals.conceptual += descent(conceptual(start, { normSquared, variance }, options), G, variance);
  }
  return totals.gramian / totals.conceptual;
}

describe('the descent of gramian over that of conceptual', () => {
  // Measured here. Other seeds give the same to about 0.01, in the last row to 0.04.
  it.each([
    ['orthogonal', Infinity, 1.009],
    ['orthogonal', 1, 0.984],
    ['orthogonal', 0.25, 0.852],
    ['three of six aligned', Infinity, 1.082],
    ['three of six aligned', 1, 1.07],
    ['three of six aligned', 0.25, 0.997],
    ['one against the others', Infinity, 1.09],
    ['one against the others', 1, 1.063],
    ['one against the others', 0.25, 0.942],
  ] as const)('%s, signal over noise %d: %d', (kind, signal, expected) => {
    expect(worth(SHARED[kind], signal)).toBeCloseTo(expected, 2);
  });
});
