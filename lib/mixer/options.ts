/**
 * The options of a Mixer and of its calls: what they mean, their defaults, their checks. Defaults were found by experiment on
 * small byte-level language models; docs say where the paper's setting differs.
 */
import type { BackendChoice } from '../backends/select.js';
import { PikeError } from '../errors.js';
import type { Gradient } from '../gradients/gradient.js';
import { madeRules } from '../rules/made-rules.js';
import type { RuleOptions, WeightRule } from '../rules/rule.js';
import { rules } from '../rules/rules.js';
import {
  refuseUnknown,
  refuseUnknownTasks,
  requireBoolean,
  requireCount,
  requireNonNegativeInteger,
  requireNumberIn,
  requireOneOf,
  requirePositiveInteger,
  requirePositiveNumber,
  requireSignal,
  requireWeights,
  show,
} from '../validate.js';

/** Of a `Mixer`. All but `tasks` and `batchSize` have defaults, found by experiment on small byte-level language models. */
export interface MixerOptions {
  /** Names of the K >= 2 tasks (data sources), all different. */
  tasks: readonly string[];
  /** b: samples per training batch. */
  batchSize: number;
  /** Name of a rule, or a WeightRule of your own (default 'pike'). */
  rule?: string | WeightRule;
  /**
   * Starting weights, and the prior that `priorPull` pulls to: K numbers, or an object by task (default uniform).
   * Raised to `minWeight` where they are below it, with a warning.
   */
  initialWeights?: readonly number[] | Readonly<Record<string, number>>;
  /** T0: training steps between two updates (default 10). */
  updateInterval?: number;
  /** m: micro-batches per task and measurement, at least 2 (default 4). */
  microBatches?: number;
  /**
   * s: samples per micro-batch for loops that draw samples to measure with (default: so that one measurement takes
   * about one batch). Gradients of any number of samples can be observed.
   */
  microBatchSize?: number;
  /** ζ1: how fast weights follow gradient norms, per update (default 0.05: about 0.005 per step at T0 = 10). */
  zeta1?: number;
  /** ζ2: how much noise counts against a task (default 0.1 ζ1). */
  zeta2?: number;
  /** 'relative' (default): exponents divided by the sum of all N, so they do not fade as norms fall. 'absolute': the paper. */
  scale?: 'relative' | 'absolute';
  /** Smallest weight, a fraction of one (default 0.5/K). */
  minWeight?: number;
  /** Largest change of a log-weight in one update (default 0.3). */
  maxLogStep?: number;
  /** λ (ours): pull of log-weights towards the initial ones in every update (default 0.05; the paper has 0). */
  priorPull?: number;
  /** Smallest count of every task in every batch (default 0). */
  minPerTask?: number;
  /** β of the averages over updates, in [0, 1) (default 0.9). */
  smoothing?: number;
  /** Raise negative smoothed N to 0 (default true). */
  clipNorms?: boolean;
  /**
   * z (ours): how many standard errors a task's exponent must differ from what all have in common to move weights
   * (default 0: any difference does; 2 is cautious). For the rules 'pike', 'balanced' and 'mirror', with `measure`: by
   * `observe`, standard errors are not known, which is warned of.
   */
  significance?: number;
  /** Measure the K×K inner products (default: if the rule needs them). They cost K vectors instead of one. */
  inner?: boolean;
  /** τ of Balanced-PiKE (default 1). */
  tau?: number;
  /** Scale of Balanced-PiKE's loss weights (default 'mean'). */
  lossScale?: 'mean' | 'paper';
  /** η: for 'mirror', 'conceptual' and 'gramian', which need it here or with each update. */
  learningRate?: number;
  /** L, smoothness of the summed loss: 'mirror', 'conceptual' and 'gramian' need it. */
  smoothness?: number;
  /** α: rate of 'mirror' (default: the safe step 1/max_k Lη²γN_k of each update). */
  alpha?: number;
  /** β of the conflict bound (default 1). */
  beta?: number;
  /** γ of the conflict bound (default 1). */
  gamma?: number;
  /**
   * Where statistics are computed (default 'auto': gradients in host memory on the CPU, those on a GPU on that GPU).
   * 'cuda' takes those in host memory too, which it copies over: slower than the CPU, unless that has much else to do.
   */
  backend?: BackendChoice;
  /** Threads of the CPU backend (default: the machine's, at most 8, and one for every 2^20 elements). */
  threads?: number;
  /** For rules that draw random numbers, such as 'random' (default 0). */
  seed?: number;
}

/** Of `Mixer.observe`: what is behind one gradient. */
export interface ObserveOptions {
  /**
   * Samples that the gradient is the mean over. A loss that sums over its samples gives a gradient that is too
   * large by this factor: divide it.
   */
  samples: number;
  /** Their mean training loss: for rules that need it and for the log. */
  loss?: number;
  /**
   * Diagonal D of the metric, the same in the whole measurement and in the memory that the gradients lie in: products
   * become sum_i a_i D_i b_i.
   */
  preconditioner?: Gradient;
  /** Aborts the call, which then rejects with its reason; the measurement is as before. */
  signal?: AbortSignal;
}

/** Of `Mixer.update`. */
export interface UpdateOptions {
  /** η of this step, where it changes while training. */
  learningRate?: number;
  /**
   * The tasks' mean training losses, where `observe` was not given any: K numbers, or an object by task, from which a task
   * without a loss may be left out. A rule that needs losses but no gradients is served by this alone.
   */
  losses?: ArrayLike<number> | Readonly<Record<string, number>>;
  /** Aborts the call, which then rejects with its reason; mixer and measurement are as before. */
  signal?: AbortSignal;
}

/** Of `Mixer.measure`: what is behind its rows. */
export interface MeasureOptions extends Omit<UpdateOptions, 'losses'> {
  /** `samples[k][i]`: samples in micro-batch i of task k. */
  samples: readonly (readonly number[])[];
  /** Mean training losses, shaped like `samples`. */
  losses?: readonly (readonly number[])[];
  /** Diagonal D of the metric, in the memory that the gradients lie in: products become sum_i a_i D_i b_i. */
  preconditioner?: Gradient;
}

/** Checked options with every default filled in. */
export interface ResolvedOptions extends RuleOptions {
  readonly tasks: readonly string[];
  readonly rule: WeightRule;
  readonly updateInterval: number;
  readonly microBatches: number;
  readonly microBatchSize: number;
  readonly minPerTask: number;
  readonly smoothing: number;
  readonly clipNorms: boolean;
  readonly inner: boolean;
  readonly backend: BackendChoice;
  readonly threads: number | undefined;
}

const names = [
  'tasks',
  'batchSize',
  'rule',
  'initialWeights',
  'updateInterval',
  'microBatches',
  'microBatchSize',
  'zeta1',
  'zeta2',
  'scale',
  'minWeight',
  'maxLogStep',
  'priorPull',
  'minPerTask',
  'smoothing',
  'clipNorms',
  'significance',
  'inner',
  'tau',
  'lossScale',
  'learningRate',
  'smoothness',
  'alpha',
  'beta',
  'gamma',
  'backend',
  'threads',
  'seed',
] as const satisfies readonly (keyof MixerOptions)[];

/** @throws PikeError `ERR_INVALID_OPTION`, `ERR_SHAPE` or `ERR_TOO_FEW_MICROBATCHES`, before anything is made */
export function resolveOptions(given: MixerOptions): ResolvedOptions {
  if (typeof given !== 'object' || given === null)
    throw new PikeError('ERR_INVALID_OPTION', `Mixer takes an object of options, but got ${show(given)}.`);
  refuseUnknown('Mixer', given, names);
  const tasks = checkTasks(given.tasks);
  const K = tasks.length;
  const batchSize = requireCount('batchSize', given.batchSize);
  const microBatches = requirePositiveInteger('microBatches', given.microBatches ?? 4);
  if (microBatches < 2)
    throw new PikeError(
      'ERR_TOO_FEW_MICROBATCHES',
      'microBatches must be at least 2: from one gradient, signal and noise cannot be told apart.',
    );
  const minPerTask = requireNonNegativeInteger('minPerTask', given.minPerTask ?? 0);
  if (minPerTask * K > batchSize)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `batchSize ${batchSize} is too small for ${K} tasks of at least ${minPerTask} samples each (minPerTask).`,
    );
  const rule = checkRule(given.rule ?? 'pike');
  const zeta1 = requireNumberIn('zeta1', given.zeta1 ?? 0.05, 0, Infinity);
  const inner = requireBoolean('inner', given.inner ?? rule.needs.inner ?? false);
  if (rule.needs.inner && !inner)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `rule '${rule.name}' needs inner products: inner must not be false.`,
    );
  const own = rule.defaults ?? {};
  const optional = (name: 'learningRate' | 'smoothness' | 'alpha') =>
    given[name] === undefined ? undefined : requirePositiveNumber(name, given[name]);
  return {
    tasks,
    batchSize,
    rule,
    initialWeights: checkInitialWeights(given.initialWeights, tasks),
    updateInterval: requirePositiveInteger(
      'updateInterval',
      given.updateInterval ?? own.updateInterval ?? 10,
    ),
    microBatches,
    microBatchSize: requirePositiveInteger(
      'microBatchSize',
      given.microBatchSize ?? Math.max(1, Math.floor(batchSize / (K * microBatches))),
    ),
    zeta1,
    zeta2: requireNumberIn('zeta2', given.zeta2 ?? 0.1 * zeta1, 0, Infinity),
    scale: requireOneOf('scale', given.scale ?? 'relative', ['relative', 'absolute']),
    minWeight: requireNumberIn('minWeight', given.minWeight ?? own.minWeight ?? 0.5 / K, 0, 1 / K),
    maxLogStep: requireNumberIn(
      'maxLogStep',
      given.maxLogStep ?? own.maxLogStep ?? 0.3,
      Number.MIN_VALUE,
      Infinity,
      true,
    ),
    priorPull: requireNumberIn('priorPull', given.priorPull ?? own.priorPull ?? 0.05, 0, 1),
    minPerTask,
    smoothing: requireNumberIn('smoothing', given.smoothing ?? 0.9, 0, 1 - 2 ** -53),
    clipNorms: requireBoolean('clipNorms', given.clipNorms ?? true),
    significance: checkSignificance(given.significance ?? 0, rule),
    inner,
    tau: requirePositiveNumber('tau', given.tau ?? 1),
    lossScale: requireOneOf('lossScale', given.lossScale ?? 'mean', ['mean', 'paper']),
    learningRate: optional('learningRate'),
    smoothness: optional('smoothness'),
    alpha: optional('alpha'),
    beta: requirePositiveNumber('beta', given.beta ?? 1),
    gamma: requirePositiveNumber('gamma', given.gamma ?? 1),
    backend: requireOneOf('backend', given.backend ?? 'auto', ['auto', 'cpu', 'cuda', 'reference']),
    threads: given.threads === undefined ? undefined : requirePositiveInteger('threads', given.threads),
    seed: requireNonNegativeInteger('seed', given.seed ?? 0),
  };
}

function checkTasks(tasks: unknown): readonly string[] {
  if (!Array.isArray(tasks) || tasks.length < 2)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `tasks must name at least two data sources, but is ${show(tasks)}; with one there is nothing to mix.`,
    );
  for (const task of tasks)
    if (typeof task !== 'string' || task === '')
      throw new PikeError('ERR_INVALID_OPTION', `tasks must hold non-empty names, but one is ${show(task)}.`);
  const twice = tasks.find((task, k) => tasks.indexOf(task) !== k);
  if (twice !== undefined)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `tasks must all be different, but ${show(twice)} stands there twice.`,
    );
  return Object.freeze([...tasks]);
}

function checkRule(rule: unknown): WeightRule {
  if (typeof rule === 'string') {
    if (Object.hasOwn(rules, rule)) return rules[rule];
    if (Object.hasOwn(madeRules, rule))
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `rule '${rule}' needs data of yours: pass rule: ${madeRules[rule]}, with the function from 'pike-mixer'.`,
      );
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `There is no rule ${show(rule)}. The rules are ${Object.keys(rules).join(', ')}; or pass what ${Object.values(madeRules).join(', ')} gives, or a WeightRule of your own.`,
    );
  }
  const own = rule as Partial<WeightRule> | null;
  if (
    typeof own === 'object' &&
    own !== null &&
    typeof own.name === 'string' &&
    typeof own.needs === 'object' &&
    own.needs !== null &&
    typeof own.init === 'function' &&
    typeof own.update === 'function'
  )
    return own as WeightRule;
  throw new PikeError(
    'ERR_INVALID_OPTION',
    `rule must be the name of a rule or an object { name, needs, init, update }, but is ${show(rule)}.`,
  );
}

function checkSignificance(given: unknown, rule: WeightRule): number {
  const significance = requireNumberIn('significance', given, 0, Infinity);
  if (significance > 0 && !rule.heedsSignificance)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `rule '${rule.name}' does not heed significance, which must be 0 with it; a WeightRule that does says so by heedsSignificance.`,
    );
  return significance;
}

function checkInitialWeights(
  given: MixerOptions['initialWeights'],
  tasks: readonly string[],
): readonly number[] {
  if (given === undefined) return tasks.map(() => 1 / tasks.length);
  const byName =
    typeof given === 'object' && given !== null && !Array.isArray(given) && !ArrayBuffer.isView(given);
  if (byName) {
    refuseUnknownTasks('initialWeights', given, tasks);
    const byTask = given as Readonly<Record<string, number>>;
    return Array.from(
      requireWeights(
        'initialWeights',
        tasks.map((task) => byTask[task]),
        tasks.length,
      ),
    );
  }
  return Array.from(requireWeights('initialWeights', given, tasks.length));
}

/** @throws PikeError `ERR_INVALID_OPTION` */
export function checkUpdateOptions(options: Pick<UpdateOptions, 'learningRate' | 'signal'>): void {
  if (options.learningRate !== undefined) requirePositiveNumber('learningRate', options.learningRate);
  requireSignal(options.signal);
}
