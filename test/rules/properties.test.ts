/** What holds for every rule, by name or made by a function, on random statistics and losses. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { doremi, famo, odm, PikeError, proportional, rules, temperature } from '../../lib/index.js';
import { type ResolvedOptions, resolveOptions } from '../../lib/mixer/options.js';
import {
  checkRuleState,
  decodeLogWeights,
  encodeLogWeights,
  type RuleState,
  type WeightRule,
} from '../../lib/rules/rule.js';
import { normalize, projectOntoFloor, weightsOf } from '../../lib/rules/simplex.js';
import { largestDifference } from '../support/expect.js';

const K = 5;
const inOrder = [0, 1, 2, 3, 4];

/** Rules made with numbers by task, which go with the tasks where these are reordered. */
const made: Record<string, (order: readonly number[]) => WeightRule> = {
  proportional: (order) => proportional({ sizes: of([5, 1, 3, 8, 2.5], order) }),
  temperature: (order) => temperature({ sizes: of([5, 1, 300, 8, 2.5], order), temperature: 3 }),
  doremi: (order) => doremi({ referenceLosses: of([1, 0.5, 2, 3, 0], order) }),
  'doremi, η = 0.1, c = 0': (order) =>
    doremi({ referenceLosses: of([1, 0.5, 2, 3, 0], order), learningRate: 0.1, uniformShare: 0 }),
  'famo, gradient': (order) =>
    famo({ optimizer: 'gradient', learningRate: 0.5, minLosses: of([0, 0.1, 0, 0.2, 0], order) }),
  // The least that FAMO adds to a loss is taken off again, and no Adam makes a step of any gradient, however small.
  'famo, plain': () => famo({ optimizer: 'gradient', learningRate: 0.5, minLosses: new Array(K).fill(1e-8) }),
  'odm, sum': () => odm({ reward: 'sum', importance: false }),
};
const names = [...Object.keys(rules), ...Object.keys(made)];
const ruleOf = (name: string, order: readonly number[] = inOrder): WeightRule =>
  rules[name] ?? made[name](order);

/** Their mixtures are their own: they start from no other. */
const fixed = ['uniform', 'proportional', 'temperature'];
/** One task at a time: no small steps, and the order of tasks is what they go by. */
const turns = ['round-robin', 'random'];
/** They weight losses and leave the samples alone. */
const lossesOnly = names.filter((name) => name.startsWith('famo'));
const moving = names.filter((name) => ![...fixed, ...lossesOnly].includes(name));
const moderate = moving.filter((name) => !turns.includes(name));

interface Problem {
  weights: number[];
  normSquared: number[];
  variance: number[];
  /** K×K, `normSquared` on its diagonal. */
  inner: number[];
  /** Losses at an update before, for rules that compare. */
  earlier: number[];
  losses: number[];
  options: ResolvedOptions;
}

const magnitudes = fc.constantFrom(1e-6, 1, 1, 1e8);
const perTask = (values: fc.Arbitrary<number>) => fc.array(values, { minLength: K, maxLength: K });
const perPair = (values: fc.Arbitrary<number>) => fc.array(values, { minLength: K * K, maxLength: K * K });
const number = (min: number, max: number) => fc.double({ min, max, noNaN: true });

const problems = (name: string): fc.Arbitrary<Problem> =>
  fc
    .record({
      raw: perTask(number(1e-6, 1)),
      prior: perTask(number(1e-3, 1)),
      // A 0 among them: no signal. NaN is set by the tests that want it.
      norms: perTask(fc.oneof(number(0.01, 1), fc.constant(0), number(-0.3, 0))),
      noise: perTask(number(0, 50)),
      cosines: perPair(number(-0.5, 0.9)),
      earlier: perTask(number(0.01, 5)),
      losses: perTask(number(0, 5)),
      size: magnitudes,
      minWeight: fc.constantFrom(0, 1e-3, 0.05, 1 / K),
      maxLogStep: fc.constantFrom(0.3, Infinity, 1e-3),
      priorPull: fc.constantFrom(0, 0.05, 1),
      scale: fc.constantFrom<('relative' | 'absolute')[]>('relative', 'absolute'),
      batchSize: fc.constantFrom(8, 1024),
      alpha: fc.constantFrom(undefined, 0.1),
    })
    .map((p) => {
      const sum = p.prior.reduce((a, b) => a + b, 0);
      const options = resolveOptions({
        tasks: Array.from({ length: K }, (_, k) => `task${k}`),
        batchSize: p.batchSize,
        rule: ruleOf(name),
        ...(fixed.includes(name) ? {} : { initialWeights: p.prior.map((x) => x / sum) }),
        minWeight: p.minWeight,
        ...(turns.includes(name) ? {} : { maxLogStep: p.maxLogStep, priorPull: p.priorPull }),
        scale: p.scale,
        zeta1: 0.4,
        learningRate: 0.3,
        smoothness: 2,
        ...(p.alpha === undefined ? {} : { alpha: p.alpha }),
      });
      const start = projectOntoFloor(normalize(p.raw.map(Math.log)), p.minWeight);
      const normSquared = p.norms.map((x) => x * p.size);
      return {
        weights: Array.from(start),
        normSquared,
        variance: p.noise.map((x) => x * p.size),
        inner: p.cosines.map((_, at) => {
          const [j, k] = [Math.floor(at / K), at % K];
          const cosine = p.cosines[Math.min(at, k * K + j)];
          return j === k ? normSquared[k] : cosine * Math.sqrt(Math.abs(normSquared[j] * normSquared[k]));
        }),
        earlier: p.earlier,
        losses: p.losses,
        options,
      };
    });

/** The same with a positive definite G: all norms above 0, and cosines of less than 1/(K − 1). */
function definite(p: Problem): Problem {
  const least = 0.01 * Math.max(...p.normSquared.map(Math.abs), 1e-9);
  const normSquared = p.normSquared.map((N) => Math.abs(N) + least);
  const inner = p.inner.map((product, at) => {
    const [j, k] = [Math.floor(at / K), at % K];
    return j === k ? normSquared[k] : product / K;
  });
  return { ...p, normSquared, inner };
}

/** The state that the update of `run` starts from. */
function stateOf(p: Problem): RuleState {
  const { rule } = p.options;
  const fresh = rule.init(K, p.options);
  if (fixed.includes(rule.name) || turns.includes(rule.name)) return fresh;
  const state = { ...fresh, logWeights: encodeLogWeights(Float64Array.from(p.weights)) };
  return rule.needs.gradients === false ? updateOf(p, state, p.earlier).state : state;
}

function updateOf(p: Problem, state: RuleState, losses: readonly number[]) {
  const { rule } = p.options;
  return rule.update(
    state,
    {
      tasks: K,
      microBatches: new Int32Array(K).fill(4),
      samples: new Float64Array(K).fill(32),
      normSquared: Float64Array.from(p.normSquared),
      variance: Float64Array.from(p.variance),
      inner: rule.needs.inner ? Float64Array.from(p.inner) : null,
      standardError: null,
    },
    { step: 3, losses: Float64Array.from(losses), options: p.options },
  );
}

function run(p: Problem, state = stateOf(p)) {
  const result = updateOf(p, state, p.losses);
  const before = decodeLogWeights(state.logWeights, K);
  const logWeights = decodeLogWeights(result.state.logWeights, K);
  return { ...result, before, logWeights, weights: weightsOf(logWeights) };
}

function of<T>(x: readonly T[], order: readonly number[]): T[] {
  return order.map((k) => x[k]);
}

/** Task k of the result is task order[k] of the problem. */
function reorder(p: Problem, name: string, order: readonly number[]): Problem {
  return {
    weights: of(p.weights, order),
    normSquared: of(p.normSquared, order),
    variance: of(p.variance, order),
    inner: order.flatMap((j) => order.map((k) => p.inner[j * K + k])),
    earlier: of(p.earlier, order),
    losses: of(p.losses, order),
    options: {
      ...p.options,
      rule: ruleOf(name, order),
      initialWeights: of(p.options.initialWeights, order),
    },
  };
}

const sum = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0);

/** Weights on the simplex and above the floor, finite loss weights, and a state that JSON keeps. */
function expectSound(result: ReturnType<typeof run>, minWeight: number): void {
  expect(Math.abs(sum(result.weights) - 1)).toBeLessThan(1e-12);
  for (const w of result.weights) expect(w).toBeGreaterThanOrEqual(minWeight);
  for (const y of result.lossWeights ?? []) expect(Number.isFinite(y) && y >= 0).toBe(true);
  expect(JSON.parse(JSON.stringify(checkRuleState(result.state, K)))).toEqual(result.state);
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
            if (!(error instanceof PikeError) || error.code === 'ERR_STATE') throw error;
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
          expect(() => run(p, { ...stateOf(p), logWeights })).toThrow(PikeError);
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
