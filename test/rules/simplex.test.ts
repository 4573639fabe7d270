/** The floor, exactly: what meets it is not touched, and no rounding gets below it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  exponentiatedStep,
  logAtLeast,
  logSumExp,
  normalize,
  onFloor,
  projectOntoFloor,
  stay,
  weightsOf,
} from '../../lib/rules/simplex.js';
import { mulberry32 } from '../support/gradients.js';

const random = mulberry32(5);
const draw = (K: number) =>
  normalize(Array.from({ length: K }, () => Math.log(random() + 1e-9) - (random() < 0.1 ? 50 : 0)));
/** Some numbers further from 0, by steps of the last bit. */
const lower = (x: number, steps: number) => x - steps * Math.abs(x) * 2 ** -52;

describe('projectOntoFloor', () => {
  it('leaves what meets the floor as it is, to the last bit, and so its own results', () => {
    let standing = 0;
    for (let i = 0; i < 20_000; i++) {
      const K = 2 + (i % 8);
      const floor = [0.5 / K, 0.9 / K, 1e-6, 1 / K][i % 4];
      const once = projectOntoFloor(draw(K), floor);
      expect(projectOntoFloor(once, floor)).toEqual(once);
      standing += onFloor(once, floor).length;
    }
    expect(standing).toBeGreaterThan(10_000);
  });

  it('keeps the floor in log-weights and in weights, also where rounding has gone below it', () => {
    let below = 0;
    for (let i = 0; i < 20_000; i++) {
      const K = [3, 8, 33, 128][i % 4];
      const floor = (0.2 + 0.7 * random()) / K;
      const logFloor = logAtLeast(floor);
      const start = projectOntoFloor(draw(K), floor).map((x) => {
        if (x > logFloor || random() < 0.3) return x;
        below++;
        return lower(x, 1 + Math.floor(3 * random()));
      });
      const result = projectOntoFloor(start, floor);
      if (!result.every((x) => x >= logFloor)) expect.fail(`floor ${floor}: ${result}`);
      expect(Math.min(...weightsOf(result))).toBeGreaterThanOrEqual(floor);
      expect(Math.abs(Math.expm1(logSumExp(result)))).toBeLessThan(1e-13);
    }
    expect(below).toBeGreaterThan(10_000);
  });

  it('is the nearest point: those above the floor keep their proportions, those on it would fall further', () => {
    for (let i = 0; i < 5000; i++) {
      const K = 2 + (i % 8);
      const floor = [0.5 / K, 0.9 / K, 1e-6][i % 3];
      const start = draw(K);
      const result = projectOntoFloor(start, floor);
      const free = Array.from(result.keys()).filter((k) => result[k] > logAtLeast(floor));
      const shifts = free.map((k) => result[k] - start[k]);
      expect(Math.max(...shifts) - Math.min(...shifts)).toBeLessThan(1e-12);
      for (const k of onFloor(result, floor))
        expect(start[k] + shifts[0]).toBeLessThanOrEqual(result[k] + 1e-12);
    }
  });
});

describe('a task that stays', () => {
  it('is raised to a floor that came later, and by nothing else moved', () => {
    const start = normalize([0.9, 0.06, 0.04].map(Math.log));
    const result = stay(start, 0.05);
    expect(weightsOf(result.logWeights)[2]).toBeGreaterThanOrEqual(0.05);
    expect(result.floored).toEqual([2]);
    expect(stay(start, 0.04)).toEqual({ logWeights: start, floored: [2], limited: false });
  });
});

describe('steps of every size', () => {
  const options = { minWeight: 0, maxLogStep: Infinity, priorPull: 0, logPrior: [0, 0, 0] };

  it('take no weight to 0 for good: however often and far it is driven away, it can come back', () => {
    let logWeights = normalize([0.3, 0.3, 0.4].map(Math.log));
    const away = [0, -Number.MAX_VALUE, -1e300];
    const back = [-Number.MAX_VALUE, 0, -Number.MAX_VALUE];
    for (let i = 0; i < 5; i++) logWeights = exponentiatedStep(logWeights, away, options).logWeights;
    expect(logWeights.every(Number.isFinite)).toBe(true);
    for (let i = 0; i < 5; i++) logWeights = exponentiatedStep(logWeights, back, options).logWeights;
    expect(weightsOf(logWeights)[1]).toBeGreaterThan(0.5);
  });

  it('are finite, for any finite log-weights and exponents', () => {
    const huge = fc.oneof(
      fc.double({ min: -Number.MAX_VALUE, max: 0, noNaN: true }),
      fc.constantFrom(0, -1, -1e300, -Number.MAX_VALUE),
    );
    const exponent = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(0, 1e300, -1e300, Number.MAX_VALUE, -Number.MAX_VALUE, Number.NaN),
    );
    const three = (x: fc.Arbitrary<number>) => fc.array(x, { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(
        three(huge),
        three(exponent),
        fc.constantFrom(0, 0.05, 1 / 3),
        fc.constantFrom(0.3, 1e300, Infinity),
        fc.constantFrom(0, 0.05, 1),
        (raw, exponents, minWeight, maxLogStep, priorPull) => {
          const start = normalize(raw);
          const step = exponentiatedStep(start, exponents, { ...options, minWeight, maxLogStep, priorPull });
          expect(step.logWeights.every(Number.isFinite)).toBe(true);
          const weights = weightsOf(step.logWeights);
          expect(Math.abs(weights.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(1e-12);
          expect(Math.min(...weights)).toBeGreaterThanOrEqual(minWeight);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
