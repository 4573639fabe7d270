import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pike } from '../../lib/index.js';
import { resolveOptions } from '../../lib/mixer/options.js';
import { pikeRule } from '../../lib/rules/pike.js';
import { decodeLogWeights, encodeLogWeights, type RuleState } from '../../lib/rules/rule.js';
import {
  exponentiatedStep,
  logAtLeast,
  normalize,
  projectOntoFloor,
  weightsOf,
} from '../../lib/rules/simplex.js';
import type { Statistics } from '../../lib/statistics/statistics.js';
import { expectError, largestDifference, largestRelativeDifference } from '../support/expect.js';
import { golden } from '../support/golden.js';

interface Case {
  name: string;
  w: number[];
  norm2: number[];
  sigma2: number[];
  zeta1: number;
  zeta2: number;
  b: number;
  w_next: number[];
  logw_next: (number | null)[];
}
const data = golden('eg_update');
const cases: Case[] = data.cases;

const statisticsOf = (normSquared: ArrayLike<number>, variance: ArrayLike<number>): Statistics => ({
  tasks: normSquared.length,
  microBatches: new Int32Array(normSquared.length).fill(4),
  samples: new Float64Array(normSquared.length).fill(32),
  normSquared: Float64Array.from(normSquared),
  variance: Float64Array.from(variance),
  inner: null,
  standardError: null,
});
const paper = { scale: 'absolute', minWeight: 0, maxLogStep: Infinity, priorPull: 0 } as const;
const taskNames = (K: number) => Array.from({ length: K }, (_, k) => `task${k}`);

describe('pike', () => {
  it.each(cases.map((c) => [c.name, c] as const))('golden %s', (_, c) => {
    const next = pike(
      c.w,
      { normSquared: c.norm2, variance: c.sigma2 },
      { batchSize: c.b, zeta1: c.zeta1, zeta2: c.zeta2 },
    );
    expect(largestDifference(next, c.w_next)).toBeLessThan(1e-13);
  });

  it.each(cases.map((c) => [c.name, c] as const))('golden log-weights of %s', (_, c) => {
    const options = resolveOptions({
      tasks: taskNames(c.w.length),
      batchSize: c.b,
      zeta1: c.zeta1,
      zeta2: c.zeta2,
      ...paper,
    });
    const state: RuleState = { logWeights: encodeLogWeights(normalize(c.w.map(Math.log))) };
    const { state: next } = pikeRule.update(state, statisticsOf(c.norm2, c.sigma2), {
      step: 0,
      losses: null,
      options,
    });
    const logWeights = decodeLogWeights(next.logWeights, c.w.length);
    const expected = c.logw_next.map((x) => x ?? -Infinity);
    expect(largestRelativeDifference(logWeights, expected)).toBeLessThan(1e-13);
  });

  it('golden sequence of 50 updates', () => {
    const sequence = data.sequences[0];
    const options = resolveOptions({
      tasks: taskNames(4),
      batchSize: sequence.b,
      zeta1: sequence.zeta1,
      zeta2: sequence.zeta2,
      ...paper,
    });
    let state = pikeRule.init(4, options);
    expect(sequence.steps.length).toBe(50);
    for (const step of sequence.steps) {
      const context = { step: 0, losses: null, options };
      state = pikeRule.update(state, statisticsOf(step.norm2, step.sigma2), context).state;
      expect(largestDifference(weightsOf(decodeLogWeights(state.logWeights, 4)), step.w)).toBeLessThan(1e-13);
    }
  });

  it('does not move by the relative scale while there is no signal', () => {
    const w = [0.5, 0.3, 0.2];
    const noise = { normSquared: [0, -1, 0], variance: [1, 50, 3] };
    const options = {
      batchSize: 8,
      scale: 'relative',
      priorPull: 0.1,
      initialWeights: [0.2, 0.2, 0.6],
    } as const;
    expect(largestDifference(pike(w, noise, options), w)).toBeLessThan(1e-15);
    expect(largestDifference(pike(w, noise, { batchSize: 8 }), w)).toBeGreaterThan(0.01);
  });

  it('is invariant to the size of gradients in the relative scale, down to the smallest numbers', () => {
    const w = [0.5, 0.3, 0.2];
    const options = { batchSize: 8, scale: 'relative' } as const;
    const statistics = { normSquared: [1, 2, 4], variance: [3, 9, 2] };
    const expected = pike(w, statistics, options);
    for (const factor of [1e-290, 1e-8, 1e290]) {
      const scaled = {
        normSquared: statistics.normSquared.map((x) => x * factor),
        variance: statistics.variance.map((x) => x * factor),
      };
      expect(largestDifference(pike(w, scaled, options), expected)).toBeLessThan(1e-13);
    }
  });

  it('pulls towards the prior: log w ← (1−λ) log w + λ log prior + exponent', () => {
    const w = [0.7, 0.3];
    const prior = [0.2, 0.8];
    const lambda = 0.25;
    const statistics = { normSquared: [2, 1], variance: [0, 0] };
    const next = pike(w, statistics, {
      batchSize: 8,
      zeta1: 0.1,
      zeta2: 0,
      priorPull: lambda,
      initialWeights: prior,
    });
    const raw = w.map(
      (x, k) => x ** (1 - lambda) * prior[k] ** lambda * Math.exp(0.1 * statistics.normSquared[k]),
    );
    expect(next[0]).toBeCloseTo(raw[0] / (raw[0] + raw[1]), 14);
  });

  it('refuses what it cannot act on', async () => {
    const good = { normSquared: [1, 2], variance: [1, 1] };
    await expectError('ERR_NON_FINITE', /variance\[1\]/, () =>
      pike([0.5, 0.5], { ...good, variance: [1, Number.NaN] }, { batchSize: 8 }),
    );
    await expectError('ERR_SHAPE', /weights/, () => pike([1], good, { batchSize: 8 }));
    await expectError('ERR_SHAPE', /variance/, () =>
      pike([0.5, 0.5], { ...good, variance: [1] }, { batchSize: 8 }),
    );
    await expectError('ERR_INVALID_OPTION', /batchSize/, () => pike([0.5, 0.5], good, { batchSize: 0 }));
    await expectError('ERR_INVALID_OPTION', /no option "zeta"/, () =>
      pike([0.5, 0.5], good, { batchSize: 8, zeta: 1 } as never),
    );
  });
});

describe('floor', () => {
  interface Floor {
    w: number[];
    floor: number;
    kl: number[];
  }
  it.each((data.floors as Floor[]).map((f, i) => [i, f] as const))('golden projection %i', (_, f) => {
    const logWeights = projectOntoFloor(normalize(f.w.map(Math.log)), f.floor);
    const weights = weightsOf(logWeights);
    expect(largestDifference(weights, f.kl)).toBeLessThan(1e-13);
    for (const w of weights) expect(w).toBeGreaterThanOrEqual(f.floor);
  });

  it('holds exactly, whatever its value', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-300, max: 1, noNaN: true }), (floor) => {
        expect(Math.exp(logAtLeast(floor))).toBeGreaterThanOrEqual(floor);
        expect(Math.exp(logAtLeast(floor)) / floor).toBeLessThan(1 + 1e-12);
      }),
      { numRuns: 2000 },
    );
  });

  it('is written back: a task floored for 200 updates comes back at once', () => {
    const options = resolveOptions({ tasks: ['a', 'b'], batchSize: 8, priorPull: 0, minWeight: 0.05 });
    const context = { step: 0, losses: null, options };
    let state = pikeRule.init(2, options);
    const drive = (normSquared: number[]) => {
      const result = pikeRule.update(state, statisticsOf(normSquared, [0, 0]), context);
      state = result.state;
      return { weight: weightsOf(decodeLogWeights(state.logWeights, 2))[1], floored: result.floored };
    };
    for (let i = 0; i < 200; i++) drive([1, 0]);
    expect(drive([1, 0])).toEqual({ weight: 0.05, floored: [1] });
    expect(drive([0, 1]).weight).toBeGreaterThan(0.05);
  });
});

describe('exponentiatedStep', () => {
  const free = { minWeight: 0, maxLogStep: Infinity, priorPull: 0, logPrior: [0, 0, 0, 0, 0, 0] };

  it('sums to 1, respects the floor, commutes with permutations and ignores a common constant', () => {
    const K = 6;
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1e-9, max: 1, noNaN: true }), { minLength: K, maxLength: K }),
        // Sums with the constant are exact, so that the result must be the same to the last bit.
        fc.array(fc.integer({ min: -1e6, max: 1e6 }), { minLength: K, maxLength: K }),
        fc.double({ min: 0, max: 1 / K, noNaN: true }),
        fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
        fc.integer({ min: 1, max: K - 1 }),
        (raw, thousandths, minWeight, constant, shift) => {
          const exponents = thousandths.map((x) => x / 1024);
          const options = { ...free, minWeight };
          const start = normalize(raw.map(Math.log));
          const weights = weightsOf(exponentiatedStep(start, exponents, options).logWeights);
          expect(Math.abs(weights.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(1e-12);
          for (const w of weights) expect(w).toBeGreaterThanOrEqual(minWeight);
          const rotate = (x: ArrayLike<number>) => Array.from(x, (_, k) => x[(k + shift) % K]);
          const rotated = weightsOf(exponentiatedStep(rotate(start), rotate(exponents), options).logWeights);
          expect(largestDifference(rotated, rotate(weights))).toBeLessThan(1e-12);
          const moved = exponentiatedStep(
            start,
            exponents.map((x) => x + constant),
            options,
          );
          expect(weightsOf(moved.logWeights)).toEqual(weights);
        },
      ),
    );
  });

  it('shortens a step to maxLogStep and keeps its direction', () => {
    const start = normalize([0.5, 0.3, 0.2].map(Math.log));
    for (const size of [1, 30, 1e8, 1e300]) {
      const exponents = [size, 0.5 * size, 0];
      const { logWeights, limited } = exponentiatedStep(start, exponents, { ...free, maxLogStep: 0.1 });
      const moves = logWeights.map((x, k) => x - start[k]);
      expect(limited).toBe(true);
      const largest = Math.max(...moves.map(Math.abs));
      expect(largest).toBeLessThanOrEqual(0.1);
      expect(largest).toBeGreaterThan(0.1 - 1e-9);
      expect((moves[0] - moves[1]) / (moves[0] - moves[2])).toBeCloseTo(0.5, 6);
    }
    expect(exponentiatedStep(start, [0.05, 0, 0], { ...free, maxLogStep: 0.1 }).limited).toBe(false);
  });

  it('keeps the weight of a task without an estimate, and the sum of the others', () => {
    const start = normalize([0.5, 0.3, 0.2].map(Math.log));
    const { logWeights } = exponentiatedStep(start, [1, Number.NaN, 0], free);
    const weights = weightsOf(logWeights);
    expect(logWeights[1]).toBe(start[1]);
    expect(weights[0] + weights[2]).toBeCloseTo(0.7, 14);
    expect(weights[0] / weights[2]).toBeCloseTo((0.5 / 0.2) * Math.E, 12);
  });

  it('never gives NaN, whatever the exponents', () => {
    const extreme = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(1e300, -1e300, Number.MAX_VALUE, -Number.MAX_VALUE, 0, 5e-324),
    );
    fc.assert(
      fc.property(
        fc.array(extreme, { minLength: 4, maxLength: 4 }),
        fc.constantFrom(0, 0.05, 0.25),
        fc.constantFrom(0, 0.5, 1),
        fc.constantFrom(0.3, Infinity),
        (exponents, minWeight, priorPull, maxLogStep) => {
          const start = normalize([0.5, 0.3, 0.2, 0].map(Math.log));
          const logPrior = normalize([0.25, 0.25, 0.25, 0.25].map(Math.log));
          const { logWeights } = exponentiatedStep(start, exponents, {
            minWeight,
            priorPull,
            maxLogStep,
            logPrior,
          });
          const weights = weightsOf(logWeights);
          expect(Math.abs(weights.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(1e-12);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
