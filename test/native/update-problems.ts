/**
 * Problems for native/math, in a launch or by itself, and how its result is held against that of the TypeScript it
 * repeats.
 */
import type { SolvedRule } from '../../lib/backends/backend.js';
import type { NativeWeightUpdate } from '../../lib/backends/load-addon.js';
import {
  decodeSolvedWeights,
  encodeWeightUpdate,
  type NativeSolvedWeights,
  SOLVED_RULES,
} from '../../lib/backends/weight-update.js';
import { LossAverage } from '../../lib/mixer/measurement.js';
import { type ResolvedOptions, resolveOptions } from '../../lib/mixer/options.js';
import { describeUpdate } from '../../lib/mixer/solving.js';
import type { ComputedUpdate, UpdateInput } from '../../lib/mixer/update.js';
import { encodeLogWeights, initialLogWeights } from '../../lib/rules/rule.js';
import { logAtLeast, normalize, weightsOf } from '../../lib/rules/simplex.js';
import type { Average } from '../../lib/statistics/average.js';
import { initSmoothing } from '../../lib/statistics/smoothing.js';
import type { Moments } from '../../lib/statistics/statistics.js';

export const RULES = SOLVED_RULES;

export const pick = <T>(random: () => number, values: readonly T[]): T =>
  values[Math.floor(random() * values.length)];

export function randomOptions(random: () => number, rule: SolvedRule, K: number): ResolvedOptions {
  if (K === 1) return { ...randomOptions(random, rule, 2), tasks: ['task0'], initialWeights: [1] };
  const minWeight = pick(random, [0, 0, 0.5 / K, 0.9 / K, 1 / K, 1e-6]);
  const weights = Array.from({ length: K }, () => (random() < 0.05 ? 0 : random()));
  const total = weights.reduce((a, b) => a + b, 0);
  return resolveOptions({
    tasks: Array.from({ length: K }, (_, k) => `task${k}`),
    batchSize: pick(random, [K, 64 + K, 4096]),
    rule,
    ...(total > 0 && random() < 0.5 ? { initialWeights: weights.map((w) => w / total) } : {}),
    zeta1: pick(random, [0, 0.05, 1, 1e3, 1e300]),
    zeta2: pick(random, [0, 0.005, 1, 1e300]),
    scale: pick(random, ['relative', 'absolute']),
    minWeight,
    maxLogStep: pick(random, [0.3, 0.3, Infinity, Infinity, 1e-3, 1e-12, 20]),
    priorPull: pick(random, [0, 0, 0.05, 1]),
    smoothing: pick(random, [0, 0.5, 0.9]),
    clipNorms: random() < 0.5,
    tau: pick(random, [0.5, 1, 3, 100, 1e300, Number.MAX_VALUE]),
    lossScale: pick(random, ['mean', 'paper']),
    learningRate: pick(random, [1e-4, 0.1, 1]),
    smoothness: pick(random, [0.1, 1, 100]),
    ...(random() < 0.3 ? { alpha: pick(random, [1e-3, 1, 1e6, 1e300]) } : {}),
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

/** A state to begin with: the initial weights, or any. */
export function randomInput(random: () => number, options: ResolvedOptions): UpdateInput {
  const K = options.tasks.length;
  // A limit cannot be seen, and so not be kept, by log-weights of 1e308: that is for steps without one.
  const spreads = options.maxLogStep === Infinity ? [1, 30, 800, 1e308] : [1, 30, 800];
  const logWeights =
    random() < 0.5
      ? initialLogWeights(options)
      : normalize(Array.from({ length: K }, () => -random() * pick(random, spreads)));
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
export function nativeInput(input: UpdateInput, losses: LossAverage): NativeWeightUpdate {
  const rule = input.options.rule.name as SolvedRule;
  return encodeWeightUpdate(describeUpdate(rule, input, losses, undefined));
}

export type NativeOutput = NativeSolvedWeights;

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

const averageParts = ({ numerator, denominator, estimate, known }: Average) => [
  numerator,
  denominator,
  estimate,
  known.map(Number),
];

/** Names what differs, and the largest difference of the weights. */
export function compareUpdate(input: UpdateInput, expected: ComputedUpdate, native: NativeOutput) {
  const { options } = input;
  const { report, smoothing } = expected;
  const { tasks } = options;
  const actual = decodeSolvedWeights(native, tasks.length);
  const flags = (names: readonly string[]) => tasks.map((task) => Number(names.includes(task)));
  const indices = (list: readonly number[]) => tasks.map((_, k) => Number(list.includes(k)));
  const floored = flags(report.floored);
  const logFloor = options.minWeight > 0 ? logAtLeast(options.minWeight) : -Infinity;
  // At the very floor rounding decides.
  const flooredHere = indices(actual.floored).map((flag, k) =>
    Math.abs(actual.logWeights[k] - logFloor) < 1e-11 ? floored[k] : flag,
  );
  // What is the same arithmetic in the same order is the same to the last bit.
  const exact: [string, ArrayLike<number>, ArrayLike<number>][] = [
    ['measured', [Number(actual.measured)], [Number(report.missed.length < tasks.length)]],
    ['norm', actual.raw.normSquared, report.statistics.normSquared],
    ['variance', actual.raw.variance, report.statistics.variance],
    ['smoothed norm', actual.smoothed.normSquared, report.smoothed.normSquared],
    ['smoothed variance', actual.smoothed.variance, report.smoothed.variance],
    ['missed', actual.missed.map(Number), flags(report.missed.map((miss) => miss.task))],
    ['clipped', indices(actual.clipped), flags(report.clipped)],
    ['floored', flooredHere, floored],
  ];
  for (const name of ['normSquared', 'variance'] as const) {
    const wanted = averageParts(smoothing[name]);
    for (const [p, part] of averageParts(actual[name]).entries())
      exact.push([`average of ${name}`, part, wanted[p]]);
  }
  if (options.maxLogStep > 1e-6) exact.push(['limited', [Number(actual.limited)], [Number(report.limited)]]);
  const wrong = exact.filter(([, a, b]) => difference(a, b) > 0).map(([name]) => name);
  const relative = actual.lossWeights.map((y, k) => (y - expected.lossWeights[k]) / Math.max(1, y));
  if (!relative.every((d) => Math.abs(d) < 1e-12)) wrong.push('loss weights');
  return { wrong, weights: difference(weightsOf(actual.logWeights), report.weights) };
}
