import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conceptual, Mixer, pike, type WeightRule } from '../../lib/index.js';
import { exponentiatedStep, normalize, weightsOf } from '../../lib/rules/simplex.js';
import { minimizeSeparable } from '../../lib/rules/water-filling.js';
import { expectError } from '../support/expect.js';
import { mixerOf, row, samples } from '../support/small.js';

describe('what a rule acts on', () => {
  it('is smoothed, both N and σ², and so are the products’ diagonal and the conflict', async () => {
    const seen: Float64Array[][] = [];
    const rule: WeightRule = {
      name: 'spy',
      needs: { inner: true },
      init: (K) => ({ logWeights: new Array<number>(K).fill(-Math.log(K)) }),
      update: (state, s) => {
        seen.push([s.normSquared.slice(), s.variance.slice(), s.inner!.slice()]);
        return { state };
      },
    };
    const mixer = mixerOf({ rule, smoothing: 0.5 });
    expect(mixer.state().options.inner).toBe(true);
    await mixer.measure(
      [
        [row(4, 0), row(4.5, 0)],
        [row(0, 1), row(0, 2)],
      ],
      { samples },
    );
    const second = await mixer.measure(
      [
        [row(1, 0), row(3, 0)],
        [row(0, 1), row(0, 1)],
      ],
      { samples },
    );
    const first = seen[0];
    // ω is alike in both updates: weights ½·½ and ½ of the two estimates, divided by their sum.
    for (const k of [0, 1]) {
      expect(seen[1][0][k]).toBeCloseTo((first[0][k] + 2 * second.statistics.normSquared[k]) / 3, 12);
      expect(seen[1][1][k]).toBeCloseTo((first[1][k] + 2 * second.statistics.variance[k]) / 3, 12);
      expect(seen[1][2][3 * k]).toBe(seen[1][0][k]);
    }
    expect(() => mixerOf({ rule, inner: false })).toThrow(/needs inner products/);
  });
  it('may write into the state it is given without harm when it throws', async () => {
    const rule: WeightRule = {
      name: 'rude',
      needs: {},
      init: (K) => ({ logWeights: new Array<number>(K).fill(-Math.log(K)), n: 0 }),
      update: (state) => {
        state.n = 7;
        throw new Error('no');
      },
    };
    const mixer = mixerOf({ rule });
    for (const x of [1, 2]) await mixer.observe('a', row(x), { samples: 1 });
    const before = mixer.state();
    await expect(mixer.update()).rejects.toThrow('no');
    expect(mixer.state()).toEqual(before);
    // The measurement is still there.
    await expect(
      mixer.measure(
        [
          [row(1), row(2)],
          [row(1), row(2)],
        ],
        { samples },
      ),
    ).rejects.toMatchObject({ code: 'ERR_ORDER' });
  });
  it('pike: the prior is the initial weights; zeta2 is 0.1 zeta1; relative divides by the sum', async () => {
    const mixer = mixerOf({
      initialWeights: [0.7, 0.3],
      zeta1: 1e-12,
      priorPull: 0.5,
      minWeight: 0,
      maxLogStep: Infinity,
    });
    const still = mixer.state();
    const moved = Mixer.restore({ ...still, rule: { logWeights: [Math.log(0.2), Math.log(0.8)] } });
    await moved.measure(
      [
        [row(1), row(1.1)],
        [row(1), row(1.1)],
      ],
      { samples },
    );
    const w = [Math.sqrt(0.2 * 0.7), Math.sqrt(0.8 * 0.3)];
    expect(moved.weights[0]).toBeCloseTo(w[0] / (w[0] + w[1]), 9);
    const s = { normSquared: [1, 3], variance: [5, 2] };
    expect(pike([0.5, 0.5], s, { batchSize: 8 })).toEqual(
      pike([0.5, 0.5], s, { batchSize: 8, zeta1: 0.05, zeta2: 0.1 * 0.05 }),
    );
    const relative = pike([0.5, 0.5], s, { batchSize: 8, scale: 'relative', zeta2: 0 });
    expect(Math.log(relative[1] / relative[0])).toBeCloseTo((0.05 * 2) / 4, 12);
  });
  it('initial weights below the floor start on it', () => {
    const { weights } = mixerOf({ initialWeights: [0.99, 0.01], minWeight: 0.1 });
    expect(weights[1]).toBeGreaterThanOrEqual(0.1);
    expect(weights[0] + weights[1]).toBeCloseTo(1, 14);
  });
});

describe('exponentiatedStep, corners', () => {
  const o = { minWeight: 0, maxLogStep: 0.3, priorPull: 0, logPrior: [0, 0, 0] };
  it('a weight of 0 does not count as a move', () => {
    const r = exponentiatedStep(normalize([0.5, 0.5, 0].map(Math.log)), [0.1, 0, 5], o);
    expect(r.limited).toBe(false);
    expect(r.logWeights[0] - r.logWeights[1]).toBeCloseTo(0.1, 12);
  });
  it('only weights of 0 measured: nothing moves; and floors within a part of the tasks', () => {
    const start = normalize([1, 0, 0].map(Math.log));
    expect(exponentiatedStep(start, [Number.NaN, 1, 2], o).logWeights).toEqual(start);
    const part = exponentiatedStep(normalize([0.4, 0.2, 0.4].map(Math.log)), [50, 0, Number.NaN], {
      ...o,
      maxLogStep: Infinity,
      minWeight: 0.1,
    });
    expect(Array.from(part.logWeights, Math.exp).map((x) => +x.toFixed(12))).toEqual([0.5, 0.1, 0.4]);
    expect(part.floored).toEqual([1]);
  });
  it('a weight of 0 far ahead of all others stays 0 and gives no NaN', () => {
    const exponents = [-Number.MAX_VALUE, -1e300, -1e300, Number.MAX_VALUE];
    const start = normalize([0.5, 0.3, 0.2, 0].map(Math.log));
    for (const maxLogStep of [0.3, Infinity]) {
      const weights = weightsOf(
        exponentiatedStep(start, exponents, { ...o, maxLogStep, logPrior: [0, 0, 0, 0] }).logWeights,
      );
      expect(weights[3]).toBe(0);
      expect(weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    }
  });
  it('a floor that came later is met by all, also when most of the weight was never measured', () => {
    const start = normalize([0.05, 0.05, 0.9].map(Math.log));
    const { logWeights, floored } = exponentiatedStep(start, [1, 0, Number.NaN], { ...o, minWeight: 0.2 });
    const weights = weightsOf(logWeights);
    expect(weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    expect(Math.min(...weights)).toBeGreaterThanOrEqual(0.2);
    expect(floored).toEqual([0, 1]);
  });
  it('a task that stands on the floor is named also when nothing moves', async () => {
    const mixer = mixerOf({ initialWeights: [0.9, 0.1], minWeight: 0.1 });
    const noise = [row(5), row(-5)];
    const report = await mixer.measure([noise, noise], { samples });
    expect(report.weights).toEqual(report.previous);
    expect(report.floored).toEqual(['b']);
  });
});

it('names floored tasks aright when an earlier task was never measured', () => {
  const step = exponentiatedStep(normalize([0.4, 0.4, 0.2].map(Math.log)), [Number.NaN, 50, 0], {
    minWeight: 0.1,
    maxLogStep: Infinity,
    priorPull: 0,
    logPrior: [0, 0, 0],
  });
  expect(step.floored).toEqual([2]);
});

it('raises a weight below a floor that came with a restore, whatever maxLogStep', async () => {
  const mixer = mixerOf({ minWeight: 0, initialWeights: [0.999, 0.001] });
  const restored = Mixer.restore(mixer.state(), { minWeight: 0.2 });
  const r = await restored.measure(
    [
      [row(1), row(2)],
      [row(1), row(2)],
    ],
    { samples },
  );
  expect(r.weights[1]).toBeGreaterThanOrEqual(0.2);
});

it.each(['pike', 'balanced', 'mirror', 'conceptual', 'gramian', 'famo'])(
  '%s: a floor that came with a restore is met by all tasks, also where nothing moves',
  async (rule) => {
    const bound = ['mirror', 'conceptual', 'gramian'].includes(rule)
      ? { learningRate: 0.1, smoothness: 1 }
      : {};
    const options = { rule, minWeight: 0, initialWeights: [0.999, 0.001], priorPull: 0, ...bound };
    const restored = Mixer.restore(mixerOf(options).state(), { minWeight: 0.2 });
    // Norms below 0: nothing but noise, and b was not even measured.
    const report = await restored.measure([[row(5), row(-5)], []], {
      samples: [[1, 1], []],
      losses: [[1, 1], []],
    });
    expect(report.weights[1]).toBeGreaterThanOrEqual(0.2);
    expect(report.weights[0] + report.weights[1]).toBeCloseTo(1, 14);
    expect(report.floored).toContain('b');
  },
);

it('the Mixer keeps its floor for a rule of one’s own that knows of none, and names who stands on it', async () => {
  const rule: WeightRule = {
    name: 'winner',
    needs: { gradients: false },
    init: (K) => ({ logWeights: Array.from({ length: K }, (_, k) => (k === 0 ? 0 : '-Infinity')) }),
    update: (state) => ({ state: { ...state, logWeights: ['-Infinity', 0] }, floored: [] }),
  };
  const mixer = mixerOf({ rule, minWeight: 0.1 });
  expect(mixer.weights[1]).toBeGreaterThanOrEqual(0.1);
  const report = await mixer.update();
  expect(report.weights[0]).toBeGreaterThanOrEqual(0.1);
  expect(report.weights[1]).toBeCloseTo(0.9, 14);
  expect(report.floored).toEqual(['a']);
  // And what it left is what it goes on from.
  expect(mixer.weights).toEqual(report.weights);
});

it('conceptual reads beta, gamma, minWeight and counts negative N as 0', () => {
  const s = { normSquared: [1, 2], variance: [4, 1] };
  const o = { learningRate: 0.5, smoothness: 1, batchSize: 4 };
  const at = (w: number, beta: number, gamma: number) =>
    [0, 1].map(
      (k) =>
        -0.5 * beta * s.normSquared[k] +
        (0.25 / 8) * s.variance[k] +
        0.25 * gamma * s.normSquared[k] * (k ? 1 - w : w),
    );
  const w = conceptual([0.5, 0.5], s, { ...o, beta: 0.5, gamma: 1.5 });
  const [g0, g1] = at(w[0], 0.5, 1.5);
  expect(g0).toBeCloseTo(g1, 12); // KKT in the interior
  expect(
    conceptual([0.5, 0.5], { normSquared: [0, 5], variance: [9, 0] }, { ...o, minWeight: 0.2 })[0],
  ).toBeCloseTo(0.2, 14);
  expect(conceptual([0.5, 0.5], { normSquared: [-3, 1], variance: [1, 1] }, o)).toEqual(
    conceptual([0.5, 0.5], { normSquared: [0, 1], variance: [1, 1] }, o),
  );
});

it('conceptual refuses misspelt options and weights of another length', async () => {
  const s = { normSquared: [1, 2], variance: [4, 1] };
  const o = { learningRate: 0.5, smoothness: 1, batchSize: 4 };
  await expectError('ERR_INVALID_OPTION', /no option "minweight"/, () =>
    conceptual([0.5, 0.5], s, { ...o, minweight: 0.1 } as never),
  );
  await expectError('ERR_SHAPE', /2 weights/, () => conceptual([1], s, o));
});

it('conceptual weights sum to 1 to rounding, however λ cancels', () => {
  const positive = fc.double({ min: 1e-9, max: 1e3, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(positive, positive), { minLength: 2, maxLength: 8 }),
      fc.double({ min: 1e-5, max: 1, noNaN: true }),
      (tasks, scale) => {
        const K = tasks.length;
        const w = minimizeSeparable(
          tasks.map(([lambda]) => -lambda),
          tasks.map(([, kappa]) => scale * kappa),
          new Array(K).fill(0.01),
          new Array(K).fill(1),
        );
        expect(Math.abs(w.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(1e-12);
      },
    ),
    { numRuns: 500 },
  );
});
