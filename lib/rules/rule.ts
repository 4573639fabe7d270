/**
 * What a weight rule is: statistics in, new weights out, all it remembers in one plain JSON state.
 */
import { PikeError } from '../errors.js';
import type { Statistics } from '../statistics/statistics.js';
import { show } from '../validate.js';
import { logSumExp, normalize, projectOntoFloor, type StepOptions, type StepResult } from './simplex.js';

/** The options of a Mixer that rules may read. All are checked and have their defaults filled in. */
export interface RuleOptions {
  /** b: samples per training batch. */
  readonly batchSize: number;
  /** ζ1: coefficient of N_k. */
  readonly zeta1: number;
  /** ζ2: coefficient of σ_k²/2b. */
  readonly zeta2: number;
  /** 'relative': exponents divided by sum_j max(N_j, 0); 'absolute': as in the paper. */
  readonly scale: 'relative' | 'absolute';
  /** Smallest weight, a fraction of one. */
  readonly minWeight: number;
  /** Largest change of any log-weight in one update. */
  readonly maxLogStep: number;
  /** λ of the pull towards the initial weights; 0 is the paper. */
  readonly priorPull: number;
  /** Starting weights and prior, a point of the simplex. */
  readonly initialWeights: readonly number[];
  /** τ of Balanced-PiKE. */
  readonly tau: number;
  /** Scale of the loss weights of Balanced-PiKE. */
  readonly lossScale: 'mean' | 'paper';
  /** η: step size of the optimiser. */
  readonly learningRate?: number | undefined;
  /** L: smoothness of the summed loss. */
  readonly smoothness?: number | undefined;
  /** α: rate of mirror steps. */
  readonly alpha?: number | undefined;
  /** β of the conflict bound. */
  readonly beta: number;
  /** γ of the conflict bound. */
  readonly gamma: number;
  /** z: how many standard errors a difference must exceed to move weights, see significance.ts; 0: whatever it is. */
  readonly significance: number;
  /** For rules that draw random numbers. */
  readonly seed: number;
}

/** Anything that survives JSON unchanged. */
export type Json = string | number | boolean | Json[] | { [key: string]: Json };

/** Everything a rule remembers, as plain JSON. */
export interface RuleState {
  /** One per task, normalised; −Infinity is written as a string because JSON has no word for it. */
  logWeights: (number | '-Infinity')[];
  [key: string]: Json;
}

/** What an update of a rule knows beside the statistics. */
export interface RuleContext {
  /** Step of the mixer at this update. */
  readonly step: number;
  /** Mean training loss of every task at this update, NaN where unknown; null when no losses were given. */
  readonly losses: Float64Array | null;
  /** Those of the mixer, for the K tasks at hand. */
  readonly options: RuleOptions;
  /**
   * Once tasks have been retired, which of the mixer's tasks the K at hand are, for a rule that was made with numbers for
   * each; left out while they are all.
   */
  readonly active?: readonly number[];
}

/** What an update of a rule gives. */
export interface RuleResult {
  /** What it remembers from here on. */
  readonly state: RuleState;
  /** Factors for the tasks' losses in the training step, length K; all 1 when left out. */
  readonly lossWeights?: Float64Array;
  /** Indices of the tasks that stand on `minWeight`. */
  readonly floored?: readonly number[];
  /** Whether `maxLogStep` shortened the step. */
  readonly limited?: boolean;
  /** Indices of the tasks that `significance` held back, their differences being noise. */
  readonly held?: readonly number[] | undefined;
  /** Frobenius norm of what was added to the products G to make them positive semidefinite; 0 when left out. */
  readonly projected?: number;
}

/** What must be measured for a rule; what is left out is not needed, but for gradients. */
export interface RuleNeeds {
  /** false: no gradient has to be measured; an update needs losses alone, if `losses`, or nothing (default true). */
  readonly gradients?: boolean;
  /** The tasks' mean training losses. */
  readonly losses?: boolean;
  /** The variances σ_k². */
  readonly variance?: boolean;
  /** The inner products G_jk, which cost K vectors of memory instead of one. */
  readonly inner?: boolean;
}

/** A rule's own defaults for options of the `Mixer`. */
export interface RuleDefaults {
  /** T0: steps between updates. */
  readonly updateInterval?: number;
  /** Smallest weight. */
  readonly minWeight?: number;
  /** Largest change of a log-weight in one update. */
  readonly maxLogStep?: number;
  /** λ of the pull towards the initial weights. */
  readonly priorPull?: number;
}

/** A rule that turns statistics into weights. Users may write their own and pass it as `rule`. */
export interface WeightRule {
  /** What states and messages call it. */
  readonly name: string;
  /** What must be measured for it. */
  readonly needs: RuleNeeds;
  /** It reads the option `significance`, which is refused otherwise. */
  readonly heedsSignificance?: boolean;
  /** Its own defaults for options whose usual ones were found for PiKE. What the user sets comes first. */
  readonly defaults?: RuleDefaults;
  /** The state before the first update. */
  init(tasks: number, options: RuleOptions): RuleState;
  /**
   * One update; `state` itself is left as it is. In `statistics`, NaN means that a task never had an estimate:
   * it keeps its weight.
   */
  update(state: RuleState, statistics: Statistics, context: RuleContext): RuleResult;
  /**
   * The state of the K − 1 others once task number `task` of the K is retired; `context.options` are theirs. A rule whose
   * state is its log-weights can do without: these are normalised again.
   */
  retire?(
    state: RuleState,
    task: number,
    context: { readonly step: number; readonly options: RuleOptions },
  ): RuleState;
}

/** The starting point of every rule: the initial weights, raised to the floor. Also the prior of `priorPull`. */
export function initialLogWeights(options: Pick<RuleOptions, 'initialWeights' | 'minWeight'>): Float64Array {
  const logWeights = normalize(options.initialWeights.map((w) => Math.log(w)));
  return projectOntoFloor(logWeights, options.minWeight);
}

export function encodeLogWeights(logWeights: Float64Array): RuleState['logWeights'] {
  return Array.from(logWeights, (x) => (x === -Infinity ? '-Infinity' : x));
}

/** The result of a rule whose state is its log-weights. */
export function stepResult({ logWeights, ...told }: StepResult): RuleResult {
  return { state: { logWeights: encodeLogWeights(logWeights) }, ...told };
}

/** What the step of a rule built on a bound of the loss after one step reads, all of it known. */
export interface BoundStepOptions extends RuleOptions, StepOptions {
  readonly learningRate: number;
  readonly smoothness: number;
}

/**
 * A rule built on a bound of the loss after one step, which needs L and η. `init` asks for L; for η only `update` can,
 * since it may come with each update. Both throw PikeError `ERR_INVALID_OPTION` when theirs is missing.
 */
export function boundRule(
  name: string,
  step: (logWeights: Float64Array, statistics: Statistics, options: BoundStepOptions) => StepResult,
  traits: Partial<Pick<WeightRule, 'needs' | 'heedsSignificance'>> = {},
): WeightRule {
  const missing = (option: string, remedy: string) =>
    new PikeError('ERR_INVALID_OPTION', `rule '${name}' needs ${option}; give it to the Mixer${remedy}.`);
  const requireSmoothness = ({ smoothness }: RuleOptions): number => {
    if (smoothness === undefined) throw missing('smoothness, the constant L of the summed loss', '');
    return smoothness;
  };
  return {
    name,
    needs: { variance: true },
    ...traits,
    init(_tasks, options) {
      requireSmoothness(options);
      return { logWeights: encodeLogWeights(initialLogWeights(options)) };
    },
    update(state, statistics, { options }) {
      const smoothness = requireSmoothness(options);
      const { learningRate } = options;
      if (learningRate === undefined)
        throw missing('learningRate, the step size η of the optimiser', ' or with each update');
      const logWeights = decodeLogWeights(state.logWeights, statistics.tasks);
      const logPrior = initialLogWeights(options);
      return stepResult(step(logWeights, statistics, { ...options, smoothness, learningRate, logPrior }));
    },
  };
}

/**
 * A rule's state as the Mixer keeps it: checked and copied, whether a rule made it or a file held it.
 *
 * @throws PikeError `ERR_STATE` when it would not survive JSON, or its log-weights are none
 */
export function checkRuleState(state: unknown, tasks: number): RuleState {
  if (typeof state !== 'object' || state === null)
    throw new PikeError('ERR_STATE', `The state of a rule must be an object, but is ${show(state)}.`);
  decodeLogWeights((state as RuleState).logWeights, tasks);
  assertJson('rule', state);
  return structuredClone(state) as RuleState;
}

/**
 * A state whose weights meet the floor, which a rule of the user's own need not know of. One that meets it already is
 * returned as it is.
 */
export function raiseToFloor(state: RuleState, minWeight: number): RuleState {
  const before = decodeLogWeights(state.logWeights, state.logWeights.length);
  const logWeights = projectOntoFloor(before, minWeight);
  return logWeights.every((x, k) => x === before[k])
    ? state
    : { ...state, logWeights: encodeLogWeights(logWeights) };
}

/** null is what JSON makes of NaN: a state that holds either is damaged. */
function assertJson(name: string, value: unknown): void {
  if (Array.isArray(value) || (typeof value === 'object' && value !== null && isPlain(value))) {
    for (const [key, inside] of Object.entries(value)) assertJson(`${name}.${key}`, inside);
    return;
  }
  const kept =
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isFinite(value));
  if (!kept) throw new PikeError('ERR_STATE', `${name} of a state must not be ${show(value)}.`);
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** @throws PikeError `ERR_STATE` when these are not the log-weights of `tasks` weights that sum to 1. */
export function decodeLogWeights(encoded: unknown, tasks: number): Float64Array {
  if (!Array.isArray(encoded) || encoded.length !== tasks)
    throw new PikeError('ERR_STATE', `logWeights must be a list of ${tasks}, but is ${show(encoded)}.`);
  const logWeights = Float64Array.from(encoded, (x: unknown) => {
    if (x === '-Infinity') return -Infinity;
    if (typeof x === 'number' && Number.isFinite(x)) return x;
    throw new PikeError('ERR_STATE', `logWeights must hold finite numbers or "-Infinity", not ${show(x)}.`);
  });
  const sum = Math.exp(logSumExp(logWeights));
  if (!(Math.abs(sum - 1) < 1e-9))
    throw new PikeError('ERR_STATE', `The weights of a state must sum to 1, but sum to ${sum}.`);
  return logWeights;
}
