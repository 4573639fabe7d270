/**
 * Problems for native/math, in a launch or by itself, and how its result is held against that of the TypeScript it
 * repeats.
 */
import { LossAverage } from '../../lib/mixer/measurement.js';
import { type ResolvedOptions, resolveOptions } from '../../lib/mixer/options.js';
import type { ComputedUpdate, UpdateInput } from '../../lib/mixer/update.js';
import { decodeLogWeights, encodeLogWeights, initialLogWeights } from '../../lib/rules/rule.js';
import { logAtLeast, normalize, weightsOf } from '../../lib/rules/simplex.js';
import { type Average, initSmoothing } from '../../lib/statistics/smoothing.js';
import type { Moments } from '../../lib/statistics/statistics.js';

/** In the order of `Rule` in native/math/layout.h. */
export const RULES = ['pike', 'mirror', 'conceptual', 'balanced'] as const;
/** Parts of a state, as there. */
const STATE_PARTS = 10;

export const pick = <T>(random: () => number, values: readonly T[]): T =>
  values[Math.floor(random() * values.length)];

export function randomOptions(
  random: () => number,
  rule: (typeof RULES)[number],
  K: number,
): ResolvedOptions {
  if (K === 1) return { ...randomOptions(random, rule, 2), tasks: ['task0'], initialWeights: [1] };
  const minWeight = pick(random, [0, 0, 0.5 / K, 0.9 / K, 1 / K, 1e-6]);
  const weights = Array.from({ length: K }, () => (random() < 0.05 ? 0 : random()));
  const total = weights.reduce((a, b) => a + b, 0);
  return resolveOptions({
    tasks: Array.from({ length: K }, (_, k) => `task${k}`),
    batchSize: pick(random, [K, 64 + K, 4096]),
    rule,
    ...(total > 0 && random() < 0.5 ? { initialWeights: weights.map((w) => w / total) } : {}),
    zeta1: pick(random, [0, 0.05, 1, 1e3]),
    zeta2: pick(random, [0, 0.005, 1]),
    scale: pick(random, ['relative', 'absolute']),
    minWeight,
    maxLogStep: pick(random, [0.3, 0.3, Infinity, Infinity, 1e-3, 1e-12, 20]),
    priorPull: pick(random, [0, 0, 0.05, 1]),
    smoothing: pick(random, [0, 0.5, 0.9]),
    clipNorms: random() < 0.5,
    tau: pick(random, [0.5, 1, 3, 100]),
    lossScale: pick(random, ['mean', 'paper']),
    learningRate: pick(random, [1e-4, 0.1, 1]),
    smoothness: pick(random, [0.1, 1, 100]),
    ...(random() < 0.3 ? { alpha: pick(random, [1e-3, 1, 1e6]) } : {}),
    beta: pick(random, [1, 1, 0.5]),
    gamma: pick(random, [1, 1, 1.5]),
  });
}

/** A measurement with all that may go wrong: nothing measured, one micro-batch, overflow, zeros, negative N. */
export function randomMoments(random: () => number, K: number, size: number): Moments {
  const microBatches = new Int32Array(K);
  const samples = new Float64Array(K);
  const deviation = new Float64Array(K);
  const meanNormSquared = new Float64Array(K);
  const missing = pick(random, [0, 0, 0.1, 0.5, 1]);
  const alike = random() < 0.1;
  for (let k = 0; k < K; k++) {
    microBatches[k] = random() < missing ? pick(random, [0, 1]) : 2 + Math.floor(random() * 6);
    samples[k] = microBatches[k] * (1 + Math.floor(random() * 16));
    const wild = random() < 0.05 ? pick(random, [0, 1e-300, 1e10, 1e306, Infinity, Number.NaN]) : 1;
    deviation[k] = size * 30 * (alike ? microBatches[k] - 1 : random());
    meanNormSquared[k] = size * wild * (alike ? 2 : random());
    if (random() < 0.05) deviation[k] = 0;
  }
  return {
    microBatches,
    samples,
    deviation,
    meanNormSquared,
    meanInner: null,
    rowDeviation: null,
    rowAlignment: null,
  };
}

export function randomLosses(random: () => number, K: number): LossAverage {
  const losses = new LossAverage(K);
  const spread = pick(random, [0, 1, 1000]);
  for (let k = 0; k < K; k++) {
    if (k > 0 && random() < 0.1) continue;
    losses.add(k, random() < 0.03 ? Infinity : 5 + spread * random(), 8);
  }
  return losses;
}

/** The parts of a state in the order of native/math/layout.h. */
function stateBlock({
  rule,
  smoothing,
  lossWeights,
}: Pick<UpdateInput, 'rule' | 'smoothing' | 'lossWeights'>) {
  const parts = (a: Average) => [a.numerator, a.denominator, a.estimate, a.known.map(Number)];
  return [
    Array.from(decodeLogWeights(rule.logWeights, lossWeights.length)),
    Array.from(lossWeights),
    ...parts(smoothing.normSquared),
    ...parts(smoothing.variance),
  ];
}

/** A state to begin with: the initial weights, or any. */
export function randomInput(random: () => number, options: ResolvedOptions): UpdateInput {
  const K = options.tasks.length;
  const logWeights =
    random() < 0.5
      ? initialLogWeights(options)
      : normalize(Array.from({ length: K }, () => -random() * pick(random, [1, 30, 800])));
  return {
    options,
    step: 0,
    passedOver: 0,
    rule: { logWeights: encodeLogWeights(logWeights) },
    smoothing: initSmoothing(K, false),
    lossWeights: new Float64Array(K).fill(0.5),
  };
}

/** What native code is told of an update, but for the moments. */
export function nativeInput(
  input: UpdateInput,
  losses: LossAverage,
): { options: Record<string, number>; inputs: Float64Array } {
  const { options } = input;
  const means = losses.means() ?? new Float64Array(options.tasks.length).fill(Number.NaN);
  return {
    options: {
      ...(options as unknown as Record<string, number>),
      rule: RULES.indexOf(options.rule.name as never),
      relative: Number(options.scale === 'relative'),
      clipNorms: Number(options.clipNorms),
      lossScaleMean: Number(options.lossScale === 'mean'),
      alpha: options.alpha ?? Number.NaN,
      learningRate: options.learningRate!,
      smoothness: options.smoothness!,
    },
    inputs: Float64Array.from(
      [
        ...stateBlock(input),
        Array.from(initialLogWeights(options)),
        Array.from(means),
        Array.from(means, (_, k) => Number(losses.isBroken(k))),
      ].flat(),
    ),
  };
}

export interface NativeOutput {
  readonly outputs: Float64Array;
  readonly measured: boolean;
  readonly limited: boolean;
}

/** Largest |a − b|; Infinity where one is NaN and the other is not. Nothing that makes a test slow. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = a.length === b.length ? 0 : Infinity;
  for (let k = 0; k < a.length; k++) {
    if (Object.is(a[k], b[k]) || a[k] === b[k]) continue;
    const d = Math.abs(a[k] - b[k]);
    largest = Number.isNaN(d) ? Infinity : Math.max(largest, d);
  }
  return largest;
}

/** Names what differs, and the largest difference of the weights. */
export function compareUpdate(input: UpdateInput, expected: ComputedUpdate, actual: NativeOutput) {
  const { options } = input;
  const { report } = expected;
  const K = options.tasks.length;
  const parts = Array.from({ length: actual.outputs.length / K }, (_, p) =>
    actual.outputs.subarray(p * K, (p + 1) * K),
  );
  const [logWeights, lossWeights, ...averages] = parts.slice(0, STATE_PARTS);
  const results = parts.slice(STATE_PARTS);
  const flags = (names: readonly string[]) => options.tasks.map((task) => Number(names.includes(task)));
  const floored = flags(report.floored);
  const logFloor = options.minWeight > 0 ? logAtLeast(options.minWeight) : -Infinity;
  // At the very floor rounding decides.
  const flooredHere = results[6].map((flag, k) =>
    Math.abs(logWeights[k] - logFloor) < 1e-11 ? floored[k] : flag,
  );
  // What is the same arithmetic in the same order is the same to the last bit.
  const exact: [string, ArrayLike<number>, ArrayLike<number>][] = [
    ['measured', [Number(actual.measured)], [Number(report.missed.length < options.tasks.length)]],
    ['norm', results[0], report.statistics.normSquared],
    ['variance', results[1], report.statistics.variance],
    ['smoothed norm', results[2], report.smoothed.normSquared],
    ['smoothed variance', results[3], report.smoothed.variance],
    ['missed', results[4], flags(report.missed.map((miss) => miss.task))],
    ['clipped', results[5], flags(report.clipped)],
    ['floored', flooredHere, floored],
    ...stateBlock(expected)
      .slice(2)
      .map((part, p): [string, ArrayLike<number>, ArrayLike<number>] => ['average', averages[p], part]),
  ];
  if (options.maxLogStep > 1e-6) exact.push(['limited', [Number(actual.limited)], [Number(report.limited)]]);
  const wrong = exact.filter(([, a, b]) => difference(a, b) > 0).map(([name]) => name);
  const relative = lossWeights.map((y, k) => (y - expected.lossWeights[k]) / Math.max(1, y));
  if (!relative.every((d) => Math.abs(d) < 1e-12)) wrong.push('loss weights');
  return { wrong, weights: difference(weightsOf(logWeights), report.weights) };
}
