import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  exponentiatedStep,
  logAtLeast,
  normalize,
  projectOntoFloor,
  weightsOf,
} from '../../lib/rules/simplex.js';
import { longestFittingStep } from '../../lib/rules/step-length.js';
import { largestDifference } from '../support/expect.js';

/** The move of a step without floors, and how often it was asked for. */
function problem(start: readonly number[], direction: readonly number[]) {
  let evaluations = 0;
  const at = (t: number) => normalize(start.map((x, k) => x + t * direction[k]));
  const move = (t: number) => {
    evaluations++;
    return Math.max(...at(t).map((x, k) => Math.abs(x - start[k])));
  };
  const spread = Math.max(...direction) - Math.min(...direction);
  return { at, move, spread, evaluations: () => evaluations };
}

/** By bisection alone. */
function bisect(move: (t: number) => number, limit: number, low: number, high: number): number {
  for (let i = 0; i < 200; i++) {
    const middle = low + (high - low) / 2;
    if (move(middle) <= limit) low = middle;
    else high = middle;
  }
  return low;
}

describe('longestFittingStep', () => {
  it('finds what bisection finds, in about ten evaluations', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.double({ min: 1e-4, max: 1, noNaN: true }),
            fc.double({ min: -1, max: 0, noNaN: true }),
          ),
          {
            minLength: 2,
            maxLength: 9,
          },
        ),
        fc.integer({ min: 0, max: 300 }),
        fc.constantFrom(0.3, 1e-3, 2),
        (tasks, magnitude, limit) => {
          const start = Array.from(normalize(tasks.map(([w]) => Math.log(w))));
          // Relative to their largest, as every caller forms them: else near ties of 1e300 are lost in rounding.
          const largest = Math.max(...tasks.map(([, d]) => d));
          const p = problem(
            start,
            tasks.map(([, d]) => (d - largest) * 10 ** magnitude),
          );
          const atOne = p.move(1);
          if (!(atOne > limit)) return;
          const t = longestFittingStep(p.move, limit, p.spread, atOne);
          expect(p.evaluations()).toBeLessThanOrEqual(40);
          expect(p.move(t)).toBeLessThanOrEqual(limit);
          const from = limit / p.spread;
          const reference = bisect(p.move, limit, from / 2, Math.min(1, 2.5 * from));
          expect(largestDifference(p.at(t), p.at(reference))).toBeLessThan(1e-13);
        },
      ),
      { numRuns: 500 },
    );
    const p = problem(normalize([0.5, 0.3, 0.2].map(Math.log)) as never, [-3, -1, 0]);
    longestFittingStep(p.move, 0.3, p.spread, 5);
    expect(p.evaluations()).toBeLessThanOrEqual(10);
  });

  it('finds a step that is hundreds of magnitudes longer than the one it starts from', () => {
    // The task that is far behind stands on the floor already: what matters are the small differences of the others.
    const logPrior = [0, 0, 0];
    const options = { minWeight: 0.1, maxLogStep: 0.05, priorPull: 0, logPrior };
    const start = normalize([0.5, 0.4, 0.1].map(Math.log));
    const alone = exponentiatedStep(start, [1, 0, 0], options);
    const behind = exponentiatedStep(start, [1, 0, -1e300], options);
    expect(behind.limited).toBe(true);
    expect(largestDifference(behind.logWeights, alone.logWeights)).toBeLessThan(1e-13);
  });

  it('does not count falls that the floor ends within the limit: a weight may fall as far as it has climbed', () => {
    const minWeight = 0.05;
    const maxLogStep = 0.3;
    const above = (by: number) => {
      const first = Math.exp(logAtLeast(minWeight) + by);
      return [logAtLeast(minWeight) + by, ...[0.6, 0.4].map((part) => Math.log(part * (1 - first)))];
    };
    // Far down; between the other two there is a difference that only a long step lets one see.
    const step = (start: number[]) =>
      exponentiatedStep(start, [-1e6, 1, 0], { minWeight, maxLogStep, priorPull: 0, logPrior: start });
    // The climb ends within rounding of the limit, on either side of it.
    for (const rounding of [-1e-15, -1e-16, 0, 1e-16, 4e-16, 1e-15]) {
      const start = above(maxLogStep + rounding);
      const { logWeights, limited, floored } = step(start);
      expect(floored).toEqual([0]);
      expect(limited).toBe(true);
      // What then sets the limit is the fall of the third.
      expect(start[2] - logWeights[2]).toBeCloseTo(maxLogStep, 13);
      expect(logWeights[1] - start[1]).toBeGreaterThan(0.1);
    }
    // From higher up, the fall is what sets the limit.
    const start = above(maxLogStep + 1e-3);
    const { logWeights, floored } = step(start);
    expect(floored).toEqual([]);
    expect(start[0] - logWeights[0]).toBeCloseTo(maxLogStep, 13);
  });

  it('spans magnitudes by few evaluations', () => {
    for (const reached of [1e-280, 1e-150, 1e-3]) {
      let evaluations = 0;
      const move = (t: number) => {
        evaluations++;
        return t / (t + reached);
      };
      const t = longestFittingStep(move, 0.3, 1e300, move(1));
      expect(t / reached).toBeCloseTo(3 / 7, 12);
      expect(evaluations).toBeLessThanOrEqual(35);
    }
  });

  it('fits, whatever the start, the floor and the limit; below rounding nothing moves', () => {
    const start = fc.array(fc.double({ min: -800, max: 0, noNaN: true }), { minLength: 5, maxLength: 5 });
    const exponents = fc.array(
      fc.oneof(fc.double({ min: -10, max: 10, noNaN: true }), fc.constantFrom(0, 1e300, -1e300)),
      { minLength: 5, maxLength: 5 },
    );
    fc.assert(
      fc.property(
        start,
        exponents,
        fc.constantFrom(0, 0.01, 0.2),
        fc.constantFrom(0.3, 1e-5, 1e-15, 1e-300, 40),
        (raw, exponent, minWeight, maxLogStep) => {
          const from = projectOntoFloor(normalize(raw), minWeight);
          const options = { minWeight, maxLogStep, priorPull: 0, logPrior: from };
          const { logWeights, limited } = exponentiatedStep(from, exponent, options);
          // What raising the weights to the floor once more moves by rounding is no step.
          const projected = projectOntoFloor(from, minWeight);
          if (limited) expect(largestDifference(logWeights, projected)).toBeLessThanOrEqual(maxLogStep);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('does not take a limit that is too small to see for a step', () => {
    expect(longestFittingStep(() => 1, 1e-17, 1, 1)).toBe(0);
  });
});

describe('weightsOf', () => {
  it('is at most 1', () => {
    expect(weightsOf([4e-16, -1])[0]).toBe(1);
  });
});

describe('normalize', () => {
  it('keeps the sum where every log-weight is huge', () => {
    const weights = normalize([-1e300, -1e300, -1e300]).map(Math.exp);
    expect(largestDifference(weights, [1 / 3, 1 / 3, 1 / 3])).toBeLessThan(1e-15);
  });
});
