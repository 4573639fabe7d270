import { describe, expect, it } from 'vitest';
import { conceptual, Mixer, mirror, rules } from '../../lib/index.js';
import { expectError, largestDifference } from '../support/expect.js';
import { mixerOf, row, samples } from '../support/small.js';

const options = { batchSize: 16, learningRate: 0.2, smoothness: 3 };
const rows = [
  [row(1, 0), row(3, 0)],
  [row(0, 1), row(0, 1.5)],
];

describe('mirror', () => {
  it('is w_k exp( αη(β − Lηγ w_k)N_k − (αLη²/2b) σ_k² ), normalised', () => {
    const w = [0.5, 0.3, 0.2];
    const N = [2, 0.5, -1];
    const variance = [3, 10, 1];
    const [alpha, beta, gamma] = [1.7, 0.8, 1.3];
    const { learningRate: eta, smoothness: L, batchSize: b } = options;
    const raw = w.map((x, k) => {
      const curvature = L * eta * gamma * x * Math.max(0, N[k]);
      return (
        x *
        Math.exp(alpha * eta * (beta * N[k] - curvature) - ((alpha * L * eta ** 2) / (2 * b)) * variance[k])
      );
    });
    const sum = raw.reduce((a, x) => a + x, 0);
    const next = mirror(w, { normSquared: N, variance }, { ...options, alpha, beta, gamma });
    expect(
      largestDifference(
        next,
        raw.map((x) => x / sum),
      ),
    ).toBeLessThan(1e-15);
  });

  it('takes the safe step 1/max κ when α is not given', () => {
    const s = { normSquared: [2, 0.5, -7], variance: [3, 10, 1] };
    const alpha = 1 / (3 * 0.2 ** 2 * 1.3 * 2);
    const w = [0.5, 0.3, 0.2];
    const given = mirror(w, s, { ...options, gamma: 1.3, alpha });
    expect(largestDifference(mirror(w, s, { ...options, gamma: 1.3 }), given)).toBeLessThan(1e-15);
    expect(largestDifference(given, w)).toBeGreaterThan(0.01);
  });

  it('settles at the minimiser of eq. (9), with a floor, too', () => {
    const s = { normSquared: [2, 1, 0.7, 0.1], variance: [3, 10, 1, 40] };
    for (const minWeight of [0, 0.1]) {
      let w = new Float64Array([0.1, 0.2, 0.3, 0.4]);
      for (let i = 0; i < 5000; i++) w = mirror(w, s, { ...options, minWeight }) as typeof w;
      expect(largestDifference(w, conceptual(w, s, { ...options, minWeight }))).toBeLessThan(1e-9);
    }
  });

  it('does not move by the safe step while no N is positive, does by a given one', () => {
    const s = { normSquared: [-0.5, -1], variance: [1, 50] };
    const w = [0.6, 0.4];
    expect(largestDifference(mirror(w, s, { ...options, priorPull: 0.1 }), w)).toBeLessThan(1e-15);
    expect(largestDifference(mirror(w, s, { ...options, alpha: 1 }), w)).toBeGreaterThan(1e-3);
  });

  it('does not depend on the size of gradients, up to the largest', () => {
    const s = { normSquared: [2, 0.5], variance: [3, 10] };
    const expected = mirror([0.5, 0.5], s, options);
    for (const size of [1e-290, 1e290, 1e307]) {
      const scaled = {
        normSquared: s.normSquared.map((x) => x * size),
        variance: s.variance.map((x) => x * size),
      };
      expect(largestDifference(mirror([0.5, 0.5], scaled, options), expected)).toBeLessThan(1e-13);
    }
  });

  it.each(['mirror', 'conceptual'])(
    '%s needs smoothness from the start, learningRate at an update',
    async (rule) => {
      await expectError('ERR_INVALID_OPTION', new RegExp(`'${rule}' needs smoothness`), () =>
        mixerOf({ rule }),
      );
      const mixer = mixerOf({ rule, smoothness: 3 });
      await expectError('ERR_INVALID_OPTION', new RegExp(`'${rule}' needs learningRate`), () =>
        mixer.measure(rows, { samples }),
      );
      const before = mixer.state();
      const report = await mixer.measure(rows, { samples, learningRate: 0.2 });
      expect(report.weights).not.toEqual(report.previous);
      const fixed = mixerOf({ rule, smoothness: 3, learningRate: 0.2 });
      expect((await fixed.measure(rows, { samples })).weights).toEqual(report.weights);
      const { smoothness: _, ...without } = before.options;
      expect(() => Mixer.restore({ ...before, options: without as never })).toThrow(/smoothness/);
      expect(rules[rule].name).toBe(rule);
    },
  );

  it('refuses what it cannot act on', async () => {
    const s = { normSquared: [1, 2], variance: [1, 1] };
    const { smoothness: _, ...without } = options;
    await expectError('ERR_INVALID_OPTION', /smoothness/, () => mirror([0.5, 0.5], s, without as never));
    await expectError('ERR_INVALID_OPTION', /alpha/, () => mirror([0.5, 0.5], s, { ...options, alpha: 0 }));
    await expectError('ERR_INVALID_OPTION', /no option "zeta1"/, () =>
      mirror([0.5, 0.5], s, { ...options, zeta1: 1 } as never),
    );
  });
});
