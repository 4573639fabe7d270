/**
 * Everything a Mixer needs to go on in another process, as plain JSON. A state of another version or shape is
 * refused as a whole, never half-loaded.
 */
import { PikeError } from '../errors.js';
import { checkRuleState } from '../rules/rule.js';
import type { Average } from '../statistics/average.js';
import type { AverageError } from '../statistics/smoothed-errors.js';
import type { SmoothingState } from '../statistics/smoothing.js';
import { show } from '../validate.js';
import type { StateOrigin } from './backend-in-use.js';
import type { MixtureState } from './mixture.js';
import { type MixerOptions, type ResolvedOptions, resolveOptions } from './options.js';
import type { ScheduleState } from './schedule.js';

export const STATE_FORMAT = 'pike-mixer state';
export const STATE_VERSION = 3;

/** Options as JSON: the rule by its name, Infinity as a string, what is undefined left out. */
export type OptionsState = Omit<MixerOptions, 'rule' | 'maxLogStep' | 'tasks'> & {
  /** Names of the K tasks. */
  tasks: string[];
  /** Name of the rule; one of your own must be given again. */
  rule: string;
  /** JSON has no word for Infinity. */
  maxLogStep: number | 'Infinity';
};

/** All that a `Mixer` needs to go on in another process, as plain JSON: what `state` returns and `Mixer.restore` takes. */
export interface MixerState extends ScheduleState, MixtureState {
  /** Tells this JSON from others. */
  format: typeof STATE_FORMAT;
  /** Of the format; another one is refused. */
  version: typeof STATE_VERSION;
  /** Where the numbers were computed. */
  origin: StateOrigin;
  /** All options, with their defaults. */
  options: OptionsState;
}

export function encodeOptions(options: ResolvedOptions): OptionsState {
  const { rule, maxLogStep, ...rest } = options;
  const plain = {
    ...rest,
    tasks: [...options.tasks],
    initialWeights: [...options.initialWeights],
    rule: rule.name,
    maxLogStep: maxLogStep === Infinity ? ('Infinity' as const) : maxLogStep,
  };
  // JSON leaves undefined out, and a state must equal its own JSON.
  return JSON.parse(JSON.stringify(plain)) as OptionsState;
}

/** The options to build a mixer from, with the caller's overrides. */
export function restoredOptions(state: MixerState, overrides: Partial<MixerOptions>): MixerOptions {
  if (typeof overrides !== 'object' || overrides === null)
    throw new PikeError('ERR_INVALID_OPTION', `overrides must be an object, but is ${show(overrides)}.`);
  const { options } = state;
  const { maxLogStep } = options;
  if (overrides.tasks !== undefined && JSON.stringify(overrides.tasks) !== JSON.stringify(options.tasks))
    throw new PikeError(
      'ERR_STATE',
      `This state is of tasks ${options.tasks.join(', ')}; they cannot be replaced.`,
    );
  const asked = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
  const name = typeof overrides.rule === 'object' ? overrides.rule?.name : overrides.rule;
  if (name !== undefined && name !== options.rule)
    throw new PikeError(
      'ERR_STATE',
      `This state is of rule '${options.rule}', which '${name}' cannot go on from.`,
    );
  const saved = {
    ...options,
    maxLogStep: maxLogStep === 'Infinity' ? Infinity : maxLogStep,
    ...(overrides.rule === undefined ? {} : { rule: overrides.rule }),
  };
  try {
    resolveOptions(saved);
  } catch (cause) {
    throw new PikeError(
      'ERR_STATE',
      `The options of this state cannot be used: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
  return { ...saved, ...asked };
}

/** @throws PikeError `ERR_STATE` when this is not a state that this version wrote */
export function checkState(state: unknown): MixerState {
  const given = state as Partial<MixerState> | null;
  if (typeof given !== 'object' || given === null || given.format !== STATE_FORMAT)
    throw new PikeError('ERR_STATE', `This is no state of a Mixer: ${show(state)}.`);
  if (given.version !== STATE_VERSION)
    throw new PikeError(
      'ERR_STATE',
      `This state is of version ${show(given.version)}, but this release reads version ${STATE_VERSION}.`,
    );
  for (const key of ['origin', 'options', 'rule', 'smoothing', 'allocator'] as const)
    if (typeof given[key] !== 'object' || given[key] === null)
      throw new PikeError('ERR_STATE', `${key} of a state must be an object, but is ${show(given[key])}.`);
  for (const [key, value] of Object.entries(given.origin!))
    if (typeof value !== 'string')
      throw new PikeError('ERR_STATE', `origin.${key} of a state must be a string, but is ${show(value)}.`);
  const K = (given.options?.tasks?.length ?? 0) - checkRetired(given.retired, given.options?.tasks);
  checkCount('step', given.step);
  checkCount('passedOver', given.passedOver);
  if (!Array.isArray(given.pending)) throw badList('pending', given.pending);
  for (const moment of given.pending) {
    checkCount('pending', moment);
    if (moment > given.step!) throw badList('pending', given.pending);
  }
  checkNumbers('lossWeights', given.lossWeights, K);
  checkRuleState(given.rule, K);
  return given as MixerState;
}

/** @returns how many tasks are retired */
function checkRetired(retired: unknown, tasks: unknown): number {
  const fits =
    Array.isArray(retired) &&
    Array.isArray(tasks) &&
    retired.every((task, i) => tasks.includes(task) && retired.indexOf(task) === i) &&
    retired.length < Math.max(1, tasks.length);
  if (!fits) throw badList('retired', retired);
  return retired.length;
}

/** Checks the averages against the options that they are to go on with. */
export function checkSmoothing(smoothing: SmoothingState, tasks: number, inner: boolean): void {
  checkAverage('smoothing.normSquared', smoothing.normSquared, tasks);
  checkAverage('smoothing.variance', smoothing.variance, tasks);
  checkAverage('smoothing.inner', smoothing.inner, inner ? (tasks * (tasks - 1)) / 2 : 0);
  checkError('smoothing.errors.normSquared', smoothing.errors?.normSquared, tasks);
  checkError('smoothing.errors.variance', smoothing.errors?.variance, tasks);
}

function checkAverage(name: string, average: Average | undefined, length: number): void {
  for (const key of ['numerator', 'denominator', 'estimate'] as const)
    checkNumbers(`${name}.${key}`, average?.[key], length);
  checkFlags(`${name}.known`, average?.known, length);
}

function checkError(name: string, error: AverageError | undefined, length: number): void {
  for (const key of ['weighted', 'precisionOfKnown', 'precision', 'error'] as const)
    checkNumbers(`${name}.${key}`, error?.[key], length);
  checkFlags(`${name}.known`, error?.known, length);
}

function checkFlags(name: string, flags: unknown, length: number): void {
  if (!Array.isArray(flags) || flags.length !== length || !flags.every((x) => typeof x === 'boolean'))
    throw badList(name, flags);
}

function checkNumbers(name: string, list: unknown, length: number): void {
  if (!Array.isArray(list) || list.length !== length) throw badList(name, list);
  for (const x of list)
    if (typeof x !== 'number' || !Number.isFinite(x))
      throw new PikeError('ERR_STATE', `${name} of a state must hold finite numbers, not ${show(x)}.`);
}

function checkCount(name: string, value: unknown): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new PikeError('ERR_STATE', `${name} of a state must be an integer >= 0, but is ${show(value)}.`);
}

function badList(name: string, value: unknown): PikeError {
  return new PikeError(
    'ERR_STATE',
    `${name} of a state is ${show(value)}, which does not fit its tasks and options.`,
  );
}
