/**
 * Between the neutral form of an update of the weights and the blocks of native/math/layout.h: parts of K numbers
 * each, one after the other.
 */
import type { Average } from '../statistics/average.js';
import type { SolvedRule, SolvedWeights, WeightUpdate } from './backend.js';
import type { NativeWeightUpdate } from './load-addon.js';

/** In the order of `Rule`. */
export const SOLVED_RULES: readonly SolvedRule[] = ['pike', 'mirror', 'conceptual', 'balanced'];

/** The result of a launch that solved for weights. */
export interface NativeSolvedWeights {
  /** kOutputParts of K numbers each. */
  readonly outputs: Float64Array;
  readonly measured: boolean;
  readonly limited: boolean;
}

export function encodeWeightUpdate(update: WeightUpdate): NativeWeightUpdate {
  const { rule, options, logWeights, lossWeights, normSquared, variance, logPrior, excluded } = update;
  const losses = update.losses ?? new Float64Array(logWeights.length).fill(Number.NaN);
  return {
    options: {
      rule: SOLVED_RULES.indexOf(rule),
      batchSize: options.batchSize,
      zeta1: options.zeta1,
      zeta2: options.zeta2,
      relative: Number(options.scale === 'relative'),
      minWeight: options.minWeight,
      maxLogStep: options.maxLogStep,
      priorPull: options.priorPull,
      smoothing: options.smoothing,
      clipNorms: Number(options.clipNorms),
      tau: options.tau,
      lossScaleMean: Number(options.lossScale === 'mean'),
      // Rules that read these have been checked to have them; NaN for α takes the safe step.
      learningRate: options.learningRate ?? Number.NaN,
      smoothness: options.smoothness ?? Number.NaN,
      alpha: options.alpha ?? Number.NaN,
      beta: options.beta,
      gamma: options.gamma,
    },
    inputs: concatenate([
      logWeights,
      lossWeights,
      ...averageParts(normSquared),
      ...averageParts(variance),
      logPrior,
      losses,
      excluded.map(Number),
    ]),
  };
}

export function decodeSolvedWeights(native: NativeSolvedWeights, tasks: number): SolvedWeights {
  const { outputs, measured, limited } = native;
  let next = 0;
  const part = () => outputs.slice(tasks * next, tasks * ++next);
  const flags = () => Array.from(part(), (flag) => flag !== 0);
  const indices = () => flags().flatMap((flag, k) => (flag ? [k] : []));
  const average = (): Average => ({
    numerator: Array.from(part()),
    denominator: Array.from(part()),
    estimate: Array.from(part()),
    known: flags(),
  });
  // In the order of the parts.
  return {
    logWeights: part(),
    lossWeights: part(),
    normSquared: average(),
    variance: average(),
    raw: { normSquared: part(), variance: part() },
    smoothed: { normSquared: part(), variance: part() },
    missed: flags(),
    clipped: indices(),
    floored: indices(),
    measured,
    limited,
  };
}

function averageParts(average: Average): ArrayLike<number>[] {
  return [average.numerator, average.denominator, average.estimate, average.known.map(Number)];
}

function concatenate(parts: readonly ArrayLike<number>[]): Float64Array {
  return Float64Array.from(parts.flatMap((part) => Array.from(part)));
}
