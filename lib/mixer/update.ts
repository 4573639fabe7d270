/**
 * One update of the weights, from measured sums to the next state, as a pure function: the Mixer puts the result
 * in place in one synchronous step, or not at all.
 */

import type { SolvedWeights } from '../backends/backend.js';
import { PikeError } from '../errors.js';
import {
  checkRuleState,
  decodeLogWeights,
  encodeLogWeights,
  type RuleNeeds,
  type RuleResult,
  type RuleState,
  raiseToFloor,
} from '../rules/rule.js';
import { heterogeneity, linearErrors } from '../rules/significance.js';
import { bound, onFloor, weightsOf } from '../rules/simplex.js';
import { conflict } from '../statistics/conflict.js';
import { estimate } from '../statistics/estimators.js';
import { type SmoothingState, smooth, smoothedStatistics } from '../statistics/smoothing.js';
import type { Moments, Statistics } from '../statistics/statistics.js';
import type { LossAverage } from './measurement.js';
import type { ResolvedOptions } from './options.js';
import type { Miss, MissReason, UpdateReport } from './report.js';

/** What an update starts from. It is left as it is. */
export interface UpdateInput {
  readonly options: ResolvedOptions;
  readonly step: number;
  readonly passedOver: number;
  readonly rule: RuleState;
  readonly smoothing: SmoothingState;
  readonly lossWeights: Float64Array;
  /** Which of the mixer's tasks these are, if not all. */
  readonly active?: readonly number[];
}

/** What stands after it. */
export interface ComputedUpdate {
  readonly rule: RuleState;
  readonly smoothing: SmoothingState;
  readonly lossWeights: Float64Array;
  /** false: there was nothing that the rule could act on, and all but `report` is as it was. */
  readonly acted: boolean;
  readonly report: Omit<UpdateReport, 'seconds' | 'retired'>;
}

/**
 * @param solved the next weights, if a backend has solved for them along with the sums; otherwise the rule is run
 * @param rowSamples s_ki of every micro-batch, where known: standard errors need them
 * @throws PikeError `ERR_INVALID_OPTION` when the rule needs losses and there are none, or what the rule throws
 */
export function computeUpdate(
  input: UpdateInput,
  moments: Moments,
  lossAverage: LossAverage,
  learningRate: number | undefined,
  solved: SolvedWeights | null = null,
  rowSamples?: readonly (readonly number[])[],
): ComputedUpdate {
  const estimates = estimate(moments, rowSamples);
  const reasons = missReasons(estimates, lossAverage, solved, input.options.rule.needs);
  const raw = withoutMissed(withNorms(estimates, solved?.raw), reasons);
  return updateFrom(input, raw, reasons, lossAverage, learningRate, solved);
}

/**
 * The same from the raw statistics of a report, such as a log holds.
 *
 * @param known why the report says that tasks were missed, null for those that were not: of a task with micro-batches no more can
 *   be told from its statistics
 * @throws PikeError as `computeUpdate`
 */
export function recomputeUpdate(
  input: UpdateInput,
  raw: Statistics,
  known: readonly (MissReason | null)[],
  lossAverage: LossAverage,
  learningRate: number | undefined,
): ComputedUpdate {
  const told = missReasons(raw, lossAverage, null, input.options.rule.needs);
  // Whether it matters that nothing was measured depends on the rule.
  const reasons = told.map((reason, k) => (raw.microBatches[k] > 0 ? known[k] : reason));
  return updateFrom(input, withoutMissed(raw, reasons), reasons, lossAverage, learningRate, null);
}

function updateFrom(
  input: UpdateInput,
  raw: Statistics,
  reasons: readonly (MissReason | null)[],
  lossAverage: LossAverage,
  learningRate: number | undefined,
  solved: SolvedWeights | null,
): ComputedUpdate {
  const { options, step, passedOver } = input;
  const { tasks, rule } = options;
  const K = tasks.length;
  const missed = reasons.flatMap((reason, k): Miss[] => (reason ? [{ task: tasks[k], reason }] : []));
  const losses = lossAverage.means();
  const measured = missed.length < K;
  const withoutGradients = rule.needs.gradients === false;
  if (rule.needs.losses && !losses && (measured || withoutGradients))
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `rule '${rule.name}' needs the tasks' losses; give loss to observe, or losses to measure or update.`,
    );
  const acted = withoutGradients
    ? !rule.needs.losses || losses!.some((loss) => Number.isFinite(loss))
    : measured;

  // Products and errors are averaged here in any case: no backend does.
  const smoothing = measured
    ? smooth(input.smoothing, options.smoothing, raw, solved ?? undefined)
    : input.smoothing;
  const { statistics, clipped } = smoothedStatistics(smoothing, raw, options.clipNorms);
  const smoothed = withNorms(statistics, solved?.smoothed);
  const context = {
    step,
    losses,
    options: learningRate === undefined ? options : { ...options, learningRate },
    ...(input.active ? { active: input.active } : {}),
  };
  let result: RuleResult;
  if (!acted) result = { state: input.rule, lossWeights: input.lossWeights };
  else if (solved) result = { ...solved, state: { logWeights: encodeLogWeights(solved.logWeights) } };
  else result = rule.update(structuredClone(input.rule), smoothed, context);
  const given = checkRuleState(result?.state, K);
  // What a device has solved for meets the floor by its own exponential, whose last bit need not be ours.
  const state = acted && !solved ? raiseToFloor(given, options.minWeight) : given;
  const logWeights = decodeLogWeights(state.logWeights, K);
  const weights = weightsOf(logWeights);
  const lossWeights = checkLossWeights(result.lossWeights, rule.name, K);
  const names = (indices: readonly number[] = []) => indices.map((k) => tasks[k]);
  return {
    rule: state,
    smoothing,
    lossWeights,
    acted,
    report: {
      step,
      weights,
      previous: weightsOf(decodeLogWeights(input.rule.logWeights, K)),
      lossWeights: lossWeights.slice(),
      statistics: raw,
      smoothed,
      conflict: conflict(smoothed, { weights }),
      losses,
      learningRate: learningRate ?? null,
      missed,
      clipped: names(solved?.clipped ?? clipped),
      floored: names(state === given ? result.floored : onFloor(logWeights, options.minWeight)),
      held: names(result.held),
      heterogeneity: heterogeneityOf(smoothed, options),
      limited: result.limited ?? false,
      projected: result.projected ?? 0,
      passedOver,
    },
  };
}

/** Of PiKE's exponents, whatever the rule. */
function heterogeneityOf(
  { normSquared, variance, standardError, tasks }: Statistics,
  { zeta1, zeta2, batchSize }: ResolvedOptions,
): number | null {
  const noise = zeta2 / (2 * batchSize);
  const exponents = normSquared.map((N, k) => bound(zeta1 * N) - bound(noise * variance[k]));
  const errors = linearErrors(
    standardError,
    new Float64Array(tasks),
    0,
    () => zeta1,
    () => noise,
  );
  return heterogeneity(exponents, errors);
}

/** The same statistics with other N and σ². */
function withNorms(
  statistics: Statistics,
  norms: Pick<Statistics, 'normSquared' | 'variance'> | undefined,
): Statistics {
  if (!norms) return statistics;
  const { normSquared, variance } = norms;
  const { tasks } = statistics;
  const inner = statistics.inner?.slice() ?? null;
  for (let k = 0; inner && k < tasks; k++) inner[k * tasks + k] = normSquared[k];
  return { ...statistics, normSquared, variance, inner };
}

/** Why each task is missed, or null where it was measured. */
function missReasons(
  estimates: Statistics,
  losses: LossAverage,
  solved: SolvedWeights | null,
  needs: RuleNeeds,
): (MissReason | null)[] {
  return Array.from({ length: estimates.tasks }, (_, k) => {
    if (solved && !solved.missed[k]) return null;
    if (estimates.microBatches[k] === 0) {
      if (needs.gradients !== false) return 'not measured';
      if (losses.isBroken(k)) return 'non-finite loss';
      return needs.losses && !losses.isGiven(k) ? 'not measured' : null;
    }
    if (estimates.microBatches[k] < 2) return 'fewer than two micro-batches';
    // Also a norm that is finite, but not once it is weighted by its precision n² in an average.
    if (!Number.isFinite(estimates.normSquared[k] * estimates.samples[k] ** 2)) return 'non-finite gradient';
    if (losses.isBroken(k)) return 'non-finite loss';
    // Where numbers all but overflow, a backend may round otherwise.
    return solved ? 'non-finite gradient' : null;
  });
}

/** The same statistics with NaN for everything that involves a missed task. */
function withoutMissed(statistics: Statistics, reasons: readonly (MissReason | null)[]): Statistics {
  const { tasks } = statistics;
  const normSquared = statistics.normSquared.slice();
  const variance = statistics.variance.slice();
  const inner = statistics.inner?.slice() ?? null;
  const { standardError } = statistics;
  const errors = standardError && {
    normSquared: standardError.normSquared.slice(),
    variance: standardError.variance.slice(),
  };
  for (let k = 0; k < tasks; k++) {
    if (reasons[k] === null) continue;
    normSquared[k] = variance[k] = Number.NaN;
    if (errors) errors.normSquared[k] = errors.variance[k] = Number.NaN;
    for (let j = 0; inner && j < tasks; j++) inner[j * tasks + k] = inner[k * tasks + j] = Number.NaN;
  }
  return { ...statistics, normSquared, variance, inner, standardError: errors };
}

function checkLossWeights(given: ArrayLike<number> | undefined, rule: string, tasks: number): Float64Array {
  if (given === undefined) return new Float64Array(tasks).fill(1);
  const usable = given.length === tasks && Array.from(given).every((y) => Number.isFinite(y) && y >= 0);
  if (!usable)
    throw new PikeError(
      'ERR_STATE',
      `rule '${rule}' returned loss weights that are not ${tasks} finite numbers >= 0.`,
    );
  return Float64Array.from(given);
}
