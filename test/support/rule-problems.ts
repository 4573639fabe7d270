/** Random problems for every rule: statistics, losses, options and the state that an update starts from. */
import fc from 'fast-check';
import { learningProgress } from '../../examples/custom-rule/learning-progress.js';
import { doremi, famo, odm, proportional, rules, temperature } from '../../lib/index.js';
import { type ResolvedOptions, resolveOptions } from '../../lib/mixer/options.js';
import { decodeLogWeights, encodeLogWeights, type RuleState, type WeightRule } from '../../lib/rules/rule.js';
import { normalize, projectOntoFloor, weightsOf } from '../../lib/rules/simplex.js';

export const K = 5;
export const inOrder = [0, 1, 2, 3, 4];

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
  'a rule of one’s own': () => learningProgress(),
};
export const names = [...Object.keys(rules), ...Object.keys(made)];
export const ruleOf = (name: string, order: readonly number[] = inOrder): WeightRule =>
  rules[name] ?? made[name](order);

/** Their mixtures are their own: they start from no other. */
export const fixed = ['uniform', 'proportional', 'temperature'];
/** One task at a time: no small steps, and the order of tasks is what they go by. */
export const turns = ['round-robin', 'random'];
/** They weight losses and leave the samples alone. */
export const lossesOnly = names.filter((name) => name.startsWith('famo'));
export const moving = names.filter((name) => ![...fixed, ...lossesOnly].includes(name));
export const moderate = moving.filter((name) => !turns.includes(name));

export interface Problem {
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
export const perTask = (values: fc.Arbitrary<number>) => fc.array(values, { minLength: K, maxLength: K });
export const perPair = (values: fc.Arbitrary<number>) =>
  fc.array(values, { minLength: K * K, maxLength: K * K });
export const number = (min: number, max: number) => fc.double({ min, max, noNaN: true });

export const problems = (name: string): fc.Arbitrary<Problem> =>
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
export function definite(p: Problem): Problem {
  const least = 0.01 * Math.max(...p.normSquared.map(Math.abs), 1e-9);
  const normSquared = p.normSquared.map((N) => Math.abs(N) + least);
  const inner = p.inner.map((product, at) => {
    const [j, k] = [Math.floor(at / K), at % K];
    return j === k ? normSquared[k] : product / K;
  });
  return { ...p, normSquared, inner };
}

/** The state that the update of `run` starts from. */
export function stateOf(p: Problem): RuleState {
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

export function run(p: Problem, state = stateOf(p)) {
  const result = updateOf(p, state, p.losses);
  const before = decodeLogWeights(state.logWeights, K);
  const logWeights = decodeLogWeights(result.state.logWeights, K);
  return { ...result, before, logWeights, weights: weightsOf(logWeights) };
}

export function of<T>(x: readonly T[], order: readonly number[]): T[] {
  return order.map((k) => x[k]);
}

/** Task k of the result is task order[k] of the problem. */
export function reorder(p: Problem, name: string, order: readonly number[]): Problem {
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

export const sum = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0);
