import { describe, expect, it } from 'vitest';
import { conceptual, type GramianOptions, gramian, Mixer } from '../../lib/index.js';
import { resolveOptions } from '../../lib/mixer/options.js';
import { gramianRule } from '../../lib/rules/gramian.js';
import { projectOntoPsd } from '../../lib/rules/psd-projection.js';
import { decodeLogWeights, encodeLogWeights } from '../../lib/rules/rule.js';
import { normalize, weightsOf } from '../../lib/rules/simplex.js';
import { expectError, largestDifference } from '../support/expect.js';
import { golden } from '../support/golden.js';
import { gaussian, mulberry32 } from '../support/gradients.js';
import { GRAMIANS, randomGramian } from '../support/gramians.js';
import { psdPart } from '../support/jacobi.js';

interface Quadratic {
  name: string;
  G: number[][];
  eta: number;
  L: number;
  b: number;
  sigma2: number[];
  c: number[];
  H: number[][];
  w: number[];
  objective: number;
  objective_at_w_diag: number;
}

const uniform = (K: number) => new Float64Array(K).fill(1 / K);
const sum = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0);

/**
 * What w lacks of the conditions of Kuhn and Tucker for the descent lemma with the products G over {w >= floor}, relative
 * to the largest number in the program. Derivatives are written out from the formula.
 */
function residual(
  w: ArrayLike<number>,
  G: ArrayLike<number>,
  variance: ArrayLike<number>,
  { learningRate: eta, smoothness: L, batchSize: b, minWeight: floor = 0 }: GramianOptions,
): number {
  const K = w.length;
  const room = 1 - K * floor;
  let largest = 0;
  const slopes = Array.from(w, (_, k) => {
    let gain = 0;
    let curved = 0;
    for (let j = 0; j < K; j++) {
      gain += G[k * K + j];
      curved += G[k * K + j] * w[j];
      largest = Math.max(largest, L * eta * eta * Math.abs(G[k * K + j]));
    }
    const linear = -eta * gain + ((L * eta * eta) / (2 * b)) * variance[k];
    largest = Math.max(largest, Math.abs(linear));
    return linear + L * eta * eta * curved;
  });
  if (!(largest > 0) || !(room > 1e-12)) return 0;
  const level = sum(slopes.map((slope, k) => (slope * (w[k] - floor)) / room));
  const lacks = slopes.map((slope, k) => {
    const free = w[k] > floor * (1 + 1e-14) && w[k] > 1e-15;
    return free ? Math.abs(slope - level) : Math.max(0, level - slope);
  });
  return Math.max(...lacks) / largest;
}

describe('gramian', () => {
  const cases = golden('gram_qp').cases as Quadratic[];
  it.each(cases.map((c) => [c.name, c] as const))('golden program %s', (_, c) => {
    const options = { learningRate: c.eta, smoothness: c.L, batchSize: c.b };
    const w = gramian(uniform(c.w.length), { inner: c.G.flat(), variance: c.sigma2 }, options);
    expect(largestDifference(w, c.w)).toBeLessThan(1e-10);
    const objective = sum(w.map((x, k) => c.c[k] * x + (x * sum(w.map((y, j) => c.H[k][j] * y))) / 2));
    expect(Math.abs(objective - c.objective)).toBeLessThan(1e-12);
    expect(objective).toBeLessThanOrEqual(c.objective_at_w_diag + 1e-15);
  });

  it('has a defined result where products lie hundreds of magnitudes apart', () => {
    const M = Number.MAX_VALUE;
    const extremes = [0, 1, -1, 0.5, M, -M, 1e300, -1e300, 1e-300, 1e-150, 1e-160, 1e-200, Number.MIN_VALUE];
    const draw = mulberry32(3);
    const any = () => extremes[Math.floor(draw() * extremes.length)] * (draw() < 0.5 ? 1 : draw());
    const rates = [1e-300, 1e-3, 1, 1e300];
    for (let problem = 0; problem < 20_000; problem++) {
      const K = 2 + (problem % 5);
      const inner = new Float64Array(K * K);
      for (let j = 0; j < K; j++) for (let k = 0; k <= j; k++) inner[j * K + k] = inner[k * K + j] = any();
      const w = gramian(
        uniform(K),
        { inner, variance: uniform(K).map(any) },
        {
          learningRate: rates[Math.floor(draw() * 4)],
          smoothness: rates[Math.floor(draw() * 4)],
          batchSize: 8,
        },
      );
      if (!(Math.abs(sum(w) - 1) < 1e-12 && Math.min(...w) >= 0)) expect.fail(`${inner}: ${w}`);
    }
  });

  const random = mulberry32(1);
  const draw = (K: number, kind: (typeof GRAMIANS)[number]) => {
    const pick = (values: readonly number[]) => values[Math.floor(random() * values.length)];
    const options = {
      learningRate: pick([1e-3, 0.1, 0.5, 1, 20, 1e4]),
      smoothness: pick([0.5, 1, 2]),
      batchSize: pick([8, 64]),
      minWeight: pick([0, 0, 0.3, 0.9]) / K,
    };
    return { ...randomGramian(random, K, kind, pick([1, 1e-5, 1e7])), options };
  };

  it.each(GRAMIANS)('is the minimiser, floors respected: %s', (kind) => {
    let worst = 0;
    let mixed = 0;
    for (let problem = 0; problem < 300; problem++) {
      const K = 2 + Math.floor(random() * 14);
      const { inner, variance, options } = draw(K, kind);
      const w = gramian(uniform(K), { inner, variance }, options);
      expect(Math.abs(sum(w) - 1)).toBeLessThan(1e-12);
      expect(Math.min(...w)).toBeGreaterThanOrEqual(options.minWeight);
      worst = Math.max(worst, residual(w, psdPart(inner, K).matrix, variance, options));
      if (w.filter((x) => x > options.minWeight + 1e-9).length > 1) mixed++;
    }
    expect(worst).toBeLessThan(1e-10);
    expect(mixed).toBeGreaterThan(30);
  });

  it.each(GRAMIANS)('is the minimiser for 128 tasks: %s', (kind) => {
    for (let problem = 0; problem < 4; problem++) {
      const { inner, variance, options } = draw(128, kind);
      const w = gramian(uniform(128), { inner, variance }, options);
      const unit = inner.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0) || 1;
      const psd = inner.map((x) => x / unit);
      projectOntoPsd(psd, 128);
      const scaled = variance.map((x) => x / unit);
      expect(residual(w, psd, scaled, options)).toBeLessThan(1e-10);
    }
  });

  // Squares of norms over eight magnitudes leave nothing of sixteen digits: rounding decides about the small ones.
  it.each(GRAMIANS.filter((kind) => kind !== 'graded'))(
    'does not care for the order of tasks: %s',
    (kind) => {
      for (let problem = 0; problem < 200; problem++) {
        const K = 2 + Math.floor(random() * 12);
        const { inner, variance, options } = draw(K, kind);
        const order = Array.from({ length: K }, (_, k) => k).sort(() => random() - 0.5);
        const w = gramian(uniform(K), { inner, variance }, options);
        const reordered = gramian(
          uniform(K),
          {
            inner: Float64Array.from(inner, (_, i) => inner[order[Math.floor(i / K)] * K + order[i % K]]),
            variance: order.map((k) => variance[k]),
          },
          options,
        );
        const expected = order.map((k) => w[k]);
        expect(largestDifference(reordered, expected), `problem ${problem}`).toBeLessThan(1e-10);
      }
    },
  );

  it('shares evenly among equal tasks, and among all where nothing is known', () => {
    const options = { learningRate: 1, smoothness: 2, batchSize: 8 };
    const equal = { inner: [2, 2, 1, 2, 2, 1, 1, 1, 3], variance: [5, 5, 5] };
    const w = gramian(uniform(3), equal, options);
    expect(Math.abs(w[0] - w[1])).toBeLessThan(1e-15);
    expect(w[0]).toBeGreaterThan(0.1);
    for (const product of [0, 4]) {
      const inner = new Float64Array(25).fill(product);
      const even = gramian(uniform(5), { inner, variance: new Float64Array(5).fill(3) }, options);
      expect(largestDifference(even, uniform(5))).toBeLessThan(1e-15);
    }
  });

  it.each([
    [1 / 3, [1 / 3, 1 / 3, 1 / 3]],
    [0.4, [0.4 / 3, 1 / 3, 1.6 / 3]],
    [0.25, [1.75 / 3, 1 / 3, 0.25 / 3]],
    [0.46, [0, 0.24, 0.76]],
    [0.6, [0, 0, 1]],
  ])('of several minimisers it is the one with the smallest sum of squares, 1/Lη = %d', (gain, expected) => {
    // G = vvᵀ with v = (1, 2, 3): all that counts is v·w, which is to be min(6/Lη, 3).
    const options = { learningRate: 1 / gain, smoothness: 1, batchSize: 8 };
    const statistics = { inner: [1, 2, 3, 2, 4, 6, 3, 6, 9], variance: [7, 7, 7] };
    expect(largestDifference(gramian(uniform(3), statistics, options), expected)).toBeLessThan(1e-12);
  });

  it('is conceptual where tasks are orthogonal', () => {
    for (let problem = 0; problem < 200; problem++) {
      const K = 2 + Math.floor(random() * 10);
      const { inner: products, variance, options } = draw(K, 'definite');
      const inner = products.map((x, i) => (i % (K + 1) === 0 ? x : 0));
      const normSquared = inner.filter((_, i) => i % (K + 1) === 0);
      const expected = conceptual(uniform(K), { normSquared, variance }, options);
      expect(largestDifference(gramian(uniform(K), { inner, variance }, options), expected)).toBeLessThan(
        1e-11,
      );
    }
  });

  it('is not moved by noise that all tasks have', () => {
    const { inner, variance, options } = draw(6, 'definite');
    const noisier = gramian(uniform(6), { inner, variance: variance.map((x) => x + 500) }, options);
    expect(largestDifference(noisier, gramian(uniform(6), { inner, variance }, options))).toBeLessThan(1e-10);
  });

  it('gives weights whatever the scales', () => {
    const extremes = [0, 1, -1, 1e300, -1e300, 1e-300, 1e154, Number.MAX_VALUE, Number.MIN_VALUE];
    const any = () => extremes[Math.floor(random() * extremes.length)] * (random() < 0.5 ? 1 : random());
    const rates = [1e-300, 1e-8, 1, 1e8, 1e300];
    const rate = () => rates[Math.floor(random() * rates.length)];
    for (let problem = 0; problem < 3000; problem++) {
      const K = 1 + Math.floor(random() * 6);
      const inner = new Float64Array(K * K);
      for (let j = 0; j < K; j++) for (let k = 0; k <= j; k++) inner[j * K + k] = inner[k * K + j] = any();
      const variance = Array.from({ length: K }, any);
      const options = {
        learningRate: rate(),
        smoothness: rate(),
        batchSize: 8,
        minWeight: random() < 0.5 ? 0 : (0.5 + random() / 2) / K,
        maxLogStep: random() < 0.5 ? Infinity : 0.3,
      };
      const w = gramian(uniform(K), { inner, variance }, options);
      const what = `problem ${problem}: ${inner}; ${variance}; ${JSON.stringify(options)}: ${w}`;
      expect(Math.abs(sum(w) - 1), what).toBeLessThan(1e-12);
      expect(Math.min(...w), what).toBeGreaterThanOrEqual(options.minWeight);
    }
  });

  it('refuses what is no Gramian, and what it cannot do without', async () => {
    const good = { learningRate: 0.1, smoothness: 1, batchSize: 8 };
    const statistics = { inner: [1, 0, 0, 1], variance: [1, 1] };
    const w = [0.5, 0.5];
    await expectError('ERR_SHAPE', /symmetric/, () =>
      gramian(w, { ...statistics, inner: [1, 0.5, 0, 1] }, good),
    );
    await expectError('ERR_SHAPE', /inner/, () => gramian(w, { ...statistics, inner: null }, good));
    await expectError('ERR_SHAPE', /inner/, () => gramian(w, { ...statistics, inner: [1, 1] }, good));
    await expectError('ERR_NON_FINITE', /inner\[3\]/, () =>
      gramian(w, { ...statistics, inner: [1, 0, 0, Number.NaN] }, good),
    );
    await expectError('ERR_NON_FINITE', /variance/, () =>
      gramian(w, { ...statistics, variance: [1, Infinity] }, good),
    );
    await expectError('ERR_INVALID_OPTION', /learningRate/, () =>
      gramian(w, statistics, { ...good, learningRate: 0 }),
    );
    await expectError('ERR_INVALID_OPTION', /smoothness/, () =>
      gramian(w, statistics, { learningRate: 0.1, batchSize: 8 } as never),
    );
    await expectError('ERR_INVALID_OPTION', /beta/, () =>
      gramian(w, statistics, { ...good, beta: 1 } as never),
    );
  });
});

describe('gramianRule', () => {
  const K = 4;
  const options = (more: object = {}) =>
    resolveOptions({
      tasks: ['a', 'b', 'c', 'd'],
      batchSize: 16,
      rule: 'gramian',
      learningRate: 0.5,
      smoothness: 2,
      ...{ minWeight: 0, priorPull: 0, maxLogStep: Infinity, ...more },
    });
  const products = [2, 0.5, -0.3, 0.1, 0.5, 1, 0.2, 0, -0.3, 0.2, 1.5, 0.1, 0.1, 0, 0.1, 0.2];
  const noise = [3, 2, 1, 90];

  function run(weights: readonly number[], inner = products, variance = noise, more: object = {}) {
    const statistics = {
      tasks: K,
      microBatches: new Int32Array(K).fill(4),
      samples: new Float64Array(K).fill(8),
      normSquared: Float64Array.from(weights, (_, k) => inner[5 * k]),
      variance: Float64Array.from(variance),
      inner: Float64Array.from(inner),
      standardError: null,
    };
    const state = { logWeights: encodeLogWeights(normalize(weights.map(Math.log))) };
    const result = gramianRule.update(state, statistics, { step: 0, losses: null, options: options(more) });
    return { ...result, weights: weightsOf(decodeLogWeights(result.state.logWeights, K)) };
  }

  const even = [0.25, 0.25, 0.25, 0.25];
  const minimiser = gramian(
    even,
    { inner: products, variance: noise },
    { learningRate: 0.5, smoothness: 2, batchSize: 16 },
  );

  it('is the minimiser where nothing holds it back, wherever the weights stand', () => {
    expect(Array.from(minimiser, (w) => w > 0)).toEqual([true, true, true, false]);
    for (const w of [even, [0, 0, 0, 1], [1, 0, 0, 0]]) {
      const result = run(w);
      expect(largestDifference(result.weights, minimiser)).toBeLessThan(1e-15);
      expect(result).toMatchObject({ projected: 0, limited: false });
    }
    const floored = run([0, 0, 0, 1], products, noise, { minWeight: 0.05 });
    expect(floored.weights[3]).toBeGreaterThanOrEqual(0.05);
    expect(floored.floored).toEqual([3]);
  });

  it('walks there by steps of maxLogStep', () => {
    let weights: readonly number[] = even;
    const first = run(weights, products, noise, { maxLogStep: 0.3 });
    expect(first.limited).toBe(true);
    expect(Math.log(0.25 / first.weights[3])).toBeCloseTo(0.3, 10);
    for (let i = 0; i < 100; i++)
      weights = Array.from(run(weights, products, noise, { maxLogStep: 0.3 }).weights);
    expect(largestDifference(weights, minimiser)).toBeLessThan(1e-9);
  });

  it('minimises on the mass of the tasks that were measured', () => {
    const unknown = products.map((x, i) => (i % K === 1 || Math.floor(i / K) === 1 ? Number.NaN : x));
    const variance = noise.map((x, k) => (k === 1 ? Number.NaN : x));
    const { weights } = run([0.2, 0.4, 0.2, 0.2], unknown, variance);
    expect(weights[1]).toBeCloseTo(0.4, 15);
    // Equal slopes where w > 0, with the products among the others alone.
    const known = [0, 2, 3];
    const slope = (k: number) =>
      known.reduce((total, j) => total + products[k * K + j] * (-0.5 + 0.5 * weights[j]), 0) +
      (0.5 / 32) * noise[k];
    expect(weights[0]).toBeGreaterThan(0.05);
    expect(weights[2]).toBeGreaterThan(0.05);
    expect(slope(0)).toBeCloseTo(slope(2), 13);
    expect(weights[3]).toBe(0);
    expect(slope(3)).toBeGreaterThan(slope(0));
    expect(weights[0] + weights[2]).toBeCloseTo(0.6, 14);
    // Nothing known at all.
    const nothing = run([0.2, 0.4, 0.2, 0.2], products, new Array<number>(K).fill(Number.NaN));
    expect(largestDifference(nothing.weights, [0.2, 0.4, 0.2, 0.2])).toBeLessThan(1e-15);
  });

  it('takes a product that was never measured for 0', () => {
    const part = (value: number) => products.map((x, i) => (i === 2 || i === 8 ? value : x));
    expect(run(even, part(Number.NaN)).weights).toEqual(run(even, part(0)).weights);
    expect(largestDifference(run(even, part(0)).weights, minimiser)).toBeGreaterThan(0.01);
  });

  it('says how far products were from a Gramian', () => {
    // Eigenvalues 3, −1 and 0.2 twice.
    const inner = [1, 2, 0, 0, 2, 1, 0, 0, 0, 0, 0.2, 0, 0, 0, 0, 0.2];
    expect(run(even, inner).projected).toBeCloseTo(1, 14);
    expect(
      run(
        even,
        inner.map((x) => 1e200 * x),
      ).projected! / 1e200,
    ).toBeCloseTo(1, 14);
  });

  it('is refused without products', async () => {
    const statistics = {
      tasks: 2,
      microBatches: new Int32Array(2).fill(4),
      samples: new Float64Array(2).fill(8),
      normSquared: Float64Array.of(1, 1),
      variance: Float64Array.of(1, 1),
      inner: null,
      standardError: null,
    };
    const two = { ...options(), tasks: ['a', 'b'], initialWeights: [0.5, 0.5] };
    await expectError('ERR_SHAPE', /inner: true/, () =>
      gramianRule.update(gramianRule.init(2, two), statistics, { step: 0, losses: null, options: two }),
    );
  });
});

describe('Mixer', () => {
  const settings = { tasks: ['a', 'b', 'c'], batchSize: 8, rule: 'gramian', backend: 'reference' } as const;

  it('measures what gramian needs, and reports that noise made the products indefinite', async () => {
    const random = mulberry32(4);
    const mixer = new Mixer({ ...settings, smoothness: 2, smoothing: 0, clipNorms: false });
    const rows = [0, 1, 2].map((k) =>
      [0, 1].map(() => Float64Array.from({ length: 8 }, (_, i) => Number(i === k) + gaussian(random))),
    );
    const samples = [0, 1, 2].map(() => [1, 1]);
    const report = await mixer.measure(rows, { samples, learningRate: 0.5 });
    const { change } = psdPart(report.smoothed.inner!, 3);
    expect(change).toBeGreaterThan(0.1);
    expect(report.projected).toBeCloseTo(change, 12);
    expect(report.weights).not.toEqual(report.previous);
    const again = Mixer.restore(JSON.parse(JSON.stringify(mixer.state())));
    expect(again.weights).toEqual(mixer.weights);
    await expectError('ERR_INVALID_OPTION', /learningRate/, () => mixer.measure(rows, { samples }));
  });

  it('refuses gramian without smoothness or products', async () => {
    await expectError('ERR_INVALID_OPTION', /smoothness/, () => new Mixer(settings));
    await expectError(
      'ERR_INVALID_OPTION',
      /inner/,
      () => new Mixer({ ...settings, smoothness: 1, inner: false }),
    );
  });
});
