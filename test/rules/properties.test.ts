/** What holds for every rule, by name, made by a function or of one's own, on random statistics and losses. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PikeError } from '../../lib/index.js';
import { resolveOptions } from '../../lib/mixer/options.js';
import { checkRuleState, decodeLogWeights, encodeLogWeights } from '../../lib/rules/rule.js';
import { normalize, weightsOf } from '../../lib/rules/simplex.js';
import { largestDifference } from '../support/expect.js';
import {
  definite,
  fixed,
  inOrder,
  K,
  lossesOnly,
  moderate,
  moving,
  names,
  number,
  of,
  type Problem,
  perPair,
  perTask,
  problems,
  reorder,
  ruleOf,
  run,
  stateOf,
  sum,
  turns,
} from '../support/rule-problems.js';

/** Weights on the simplex and above the floor, finite loss weights, and a state that JSON keeps. */
function expectSound(result: ReturnType<typeof run>, minWeight: number): void {
  expect(Math.abs(sum(result.weights) - 1)).toBeLessThan(1e-12);
  for (const w of result.weights) expect(w).toBeGreaterThanOrEqual(minWeight);
  for (const y of result.lossWeights ?? []) expect(Number.isFinite(y) && y >= 0).toBe(true);
  const text = JSON.stringify(checkRuleState(result.state, K));
  expect(JSON.stringify(checkRuleState(JSON.parse(text), K))).toBe(text);
}

describe.each(names)('%s', (name) => {
  it('gives weights that sum to 1 and respect the floor, and names those on it', () => {
    let floored = 0;
    let moved = 0;
    let reweighted = 0;
    fc.assert(
      fc.property(problems(name), (p) => {
        const { minWeight } = p.options;
        const result = run(p);
        expectSound(result, minWeight);
        for (const k of result.floored!) expect(result.weights[k]).toBeLessThan(minWeight * (1 + 1e-12));
        floored += result.floored!.length;
        if (largestDifference(result.weights, result.before.map(Math.exp)) > 1e-9) moved++;
        if (result.lossWeights?.some((y) => Math.abs(y - 1) > 1e-9)) reweighted++;
      }),
      { numRuns: 300 },
    );
    expect(floored).toBeGreaterThan(50);
    if (moving.includes(name)) expect(moved).toBeGreaterThan(100);
    else expect(moved).toBe(0);
    if (lossesOnly.includes(name)) expect(reweighted).toBeGreaterThan(250);
  });

  it.skipIf(fixed.includes(name) || turns.includes(name))(
    'raises all tasks to a floor that came later, also where nothing is known or nothing moves',
    () => {
      let raised = 0;
      fc.assert(
        fc.property(
          problems(name),
          perTask(number(1e-6, 1)),
          fc.constantFrom('known', 'no signal', 'not measured'),
          (p, raw, kind) => {
            const { minWeight } = p.options;
            const none = new Array<number>(K).fill(Number.NaN);
            const known = {
              known: {},
              'no signal': { normSquared: p.normSquared.map((N) => -Math.abs(N)) },
              'not measured': {
                normSquared: none,
                variance: none,
                losses: none,
                inner: p.inner.map(() => Number.NaN),
              },
            }[kind];
            const logWeights = normalize(raw.map(Math.log));
            const state = { ...stateOf(p), logWeights: encodeLogWeights(logWeights) };
            const result = run({ ...p, ...known }, state);
            expectSound(result, minWeight);
            raised += Array.from(logWeights).filter((x) => Math.exp(x) < minWeight).length;
          },
        ),
        { numRuns: 300 },
      );
      expect(raised).toBeGreaterThan(100);
    },
  );

  it.skipIf(turns.includes(name))(
    'moves no log-weight by more than maxLogStep, and says when it held back',
    () => {
      fc.assert(
        fc.property(problems(name), (p) => {
          const { maxLogStep } = p.options;
          const result = run(p);
          const move = largestDifference(result.logWeights, result.before);
          if (maxLogStep === Infinity) expect(result.limited).toBe(false);
          else expect(move).toBeLessThanOrEqual(maxLogStep + 1e-14);
          // A target may lie so far that it is aimed at from nearby, and then the step is not the longest.
          if (result.limited && p.options.priorPull < 1 && !['conceptual', 'gramian'].includes(name))
            expect(move).toBeGreaterThan(maxLogStep - 1e-12);
        }),
        { numRuns: 300 },
      );
    },
  );

  it.skipIf(turns.includes(name))('does not care for the order of tasks', () => {
    fc.assert(
      fc.property(problems(name), fc.shuffledSubarray(inOrder, { minLength: K }), (given, order) => {
        // Minimisers that are not unique are told apart by the order.
        const p = name === 'gramian' ? definite(given) : given;
        const expected = run(p);
        const result = run(reorder(p, name, order));
        expect(largestDifference(result.weights, of(Array.from(expected.weights), order))).toBeLessThan(
          1e-11,
        );
        const lossWeights = expected.lossWeights ? of(Array.from(expected.lossWeights), order) : [];
        expect(largestDifference(result.lossWeights ?? [], lossWeights)).toBeLessThan(1e-13);
      }),
      { numRuns: 300 },
    );
  });

  it.skipIf(!moderate.includes(name))(
    'lets tasks of which nothing was ever known keep their weight, and the others their sum',
    () => {
      let moved = 0;
      fc.assert(
        fc.property(
          problems(name),
          fc.subarray(inOrder, { minLength: 1, maxLength: K - 1 }),
          (p, unknown) => {
            const part = (x: readonly number[]) => x.map((v, k) => (unknown.includes(k) ? Number.NaN : v));
            const inner = p.inner.map((v, at) =>
              unknown.includes(Math.floor(at / K)) || unknown.includes(at % K) ? Number.NaN : v,
            );
            const blind =
              ruleOf(name).needs.gradients === false
                ? { ...p, earlier: part(p.earlier), losses: part(p.losses) }
                : { ...p, normSquared: part(p.normSquared), variance: part(p.variance), inner };
            const result = run(blind);
            for (const k of unknown)
              expect(Math.abs(result.logWeights[k] - p.weights[k])).toBeLessThan(1e-14);
            expect(Math.abs(sum(result.weights) - 1)).toBeLessThan(1e-12);
            if (largestDifference(result.logWeights, result.before) > 1e-9) moved++;
          },
        ),
        { numRuns: 300 },
      );
      expect(moved).toBeGreaterThan(50);
    },
  );

  it('does not write into its state', () => {
    fc.assert(
      fc.property(problems(name), (p) => {
        const state = stateOf(p);
        const before = structuredClone(state);
        const first = run(p, state);
        expect(state).toEqual(before);
        expect(run(p, state)).toEqual(first);
      }),
      { numRuns: 20 },
    );
  });

  it('has a defined result, or a PikeError, for the worst statistics and losses', () => {
    let sound = 0;
    const worst = fc.constantFrom(
      0,
      -0,
      1,
      -1,
      1e300,
      -1e300,
      1e-300,
      -1e-300,
      Number.MAX_VALUE,
      -Number.MAX_VALUE,
      Number.MIN_VALUE,
      Infinity,
      -Infinity,
      Number.NaN,
    );
    const rates = fc.constantFrom(1e-300, 1e-3, 1, 1e300);
    fc.assert(
      fc.property(
        problems(name),
        fc.record({
          normSquared: perTask(worst),
          variance: perTask(worst),
          inner: perPair(worst),
          earlier: perTask(worst),
          losses: perTask(worst),
          which: fc.constantFrom('statistics', 'losses', 'rates', 'all'),
          learningRate: rates,
          smoothness: rates,
          zeta1: rates,
          zeta2: rates,
          tau: rates,
        }),
        (p, bad) => {
          const { learningRate, smoothness, zeta1, zeta2, tau, which } = bad;
          const has = (part: string) => which === part || which === 'all';
          const symmetric = bad.inner.map((_, at) => {
            const [j, k] = [Math.floor(at / K), at % K];
            return j === k ? bad.normSquared[k] : bad.inner[Math.min(at, k * K + j)];
          });
          const hostile: Problem = {
            ...p,
            ...(has('statistics')
              ? { normSquared: bad.normSquared, variance: bad.variance, inner: symmetric }
              : {}),
            ...(has('losses') ? { earlier: bad.earlier, losses: bad.losses } : {}),
            options: has('rates') ? { ...p.options, learningRate, smoothness, zeta1, zeta2, tau } : p.options,
          };
          try {
            expectSound(run(hostile), p.options.minWeight);
            sound++;
          } catch (error) {
            // ERR_STATE would mean that NaN got into the state.
            const { name, code } = error as PikeError;
            if (name !== 'PikeError' || code === 'ERR_STATE') throw error;
          }
        },
      ),
      { numRuns: 2000 },
    );
    expect(sound).toBeGreaterThan(500);
  });

  // Those that go in turns have no use for the weights before.
  it.skipIf(turns.includes(name))('refuses a state whose weights are off the simplex', () => {
    fc.assert(
      fc.property(
        problems(name),
        fc.constantFrom<number[][]>([0, 0, 0, 0, 0], [-9, -9, -9, -9, -9], [Number.NaN, 0, 0, 0, 0], [0]),
        (p, logWeights) => {
          // A rule of one's own has the published package's PikeError, not that of the sources.
          expect(() => run(p, { ...stateOf(p), logWeights })).toThrow(
            expect.objectContaining({ name: 'PikeError' }),
          );
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('a rule that needs a number of the problem says so', () => {
  const given = { tasks: ['a', 'b'], batchSize: 8 };
  const bound = names.filter((name) => ['mirror', 'conceptual', 'gramian'].includes(name));
  it.each(bound)('%s: learningRate and smoothness', (name) => {
    const { rule, ...options } = resolveOptions({ ...given, rule: name, smoothness: 1 });
    const state = rule.init(2, { ...options });
    const statistics = {
      tasks: 2,
      microBatches: Int32Array.of(4, 4),
      samples: Float64Array.of(8, 8),
      normSquared: Float64Array.of(1, 2),
      variance: Float64Array.of(1, 1),
      inner: Float64Array.of(1, 0, 0, 2),
      standardError: null,
    };
    const update = (more: object) =>
      rule.update(state, statistics, { step: 0, losses: null, options: { ...options, ...more } });
    expect(() => update({})).toThrow(/needs learningRate/);
    expect(() => rule.init(2, { ...options, smoothness: undefined })).toThrow(/needs smoothness/);
    expect(sum(weightsOf(decodeLogWeights(update({ learningRate: 0.1 }).state.logWeights, 2)))).toBeCloseTo(
      1,
      12,
    );
  });
});

// The minimiser of 'conceptual' jumps where tasks tie, so its own test has statistics where it does not.
describe.each(['pike', 'mirror'])('%s', (name) => {
  it('is not moved by a constant that is added to every exponent', () => {
    fc.assert(
      fc.property(problems(name), number(0, 20), (p, constant) => {
        // Noise that all have: (ζ2/2b)σ² or (Lη²/2b)σ² more for each.
        const options = { ...p.options, scale: 'absolute' as const };
        const scale = Math.max(...p.variance, 1e-6);
        const noisier = { ...p, options, variance: p.variance.map((x) => x + constant * scale) };
        expect(largestDifference(run(noisier).weights, run({ ...p, options }).weights)).toBeLessThan(1e-6);
      }),
      { numRuns: 300 },
    );
  });
});

describe.each(['doremi', 'odm, sum', 'balanced'])('%s', (name) => {
  it('is not moved by a constant that is added to every loss', () => {
    let moved = 0;
    fc.assert(
      fc.property(problems(name), number(3, 20), number(0.1, 20), (p, high, constant) => {
        // Above all reference losses, so that no excess is cut off at 0.
        const raise = (by: number) => ({
          ...p,
          earlier: p.earlier.map((x) => x + by),
          losses: p.losses.map((x) => x + by),
        });
        const result = run(raise(high));
        const raised = run(raise(high + constant));
        expect(largestDifference(raised.weights, result.weights)).toBeLessThan(1e-12);
        expect(largestDifference(raised.lossWeights ?? [], result.lossWeights ?? [])).toBeLessThan(1e-12);
        if (largestDifference(result.logWeights, result.before) > 1e-9) moved++;
      }),
      { numRuns: 300 },
    );
    expect(moved).toBeGreaterThan(100);
  });
});

describe('famo', () => {
  it('does not care for the units of the losses, all or one', () => {
    fc.assert(
      fc.property(problems('famo, plain'), perTask(number(0.1, 10)), (p, units) => {
        const scaled = (by: readonly number[]) => {
          const times = (x: readonly number[]) => x.map((loss, k) => (loss + 0.1) * by[k]);
          return run({ ...p, earlier: times(p.earlier), losses: times(p.losses) });
        };
        const plain = scaled([1, 1, 1, 1, 1]);
        const inUnits = scaled(units);
        // Weighted losses, y_k ℓ_k, are what they were, but for the common factor that keeps their mean at 1.
        const ratios = inUnits.lossWeights!.map((y, k) => (y * units[k]) / plain.lossWeights![k]);
        expect(Math.max(...ratios) / Math.min(...ratios) - 1).toBeLessThan(1e-12);
      }),
      { numRuns: 300 },
    );
  });
});
