/** Checks that the adapters share: that a mixer is one, and the options that a trainer has whatever its stack. */
import { PikeError } from '../../errors.js';
import type { Mixer } from '../../mixer/mixer.js';
import { hasMethods, requireBoolean, requireFunction, requireOneOf, show } from '../../validate.js';
import type { RowMode } from './collector.js';
import type { StepOptions } from './trainer.js';

/** What the adapters call. */
const calls = ['next', 'observe', 'update', 'measure', 'discard'] as const satisfies readonly (keyof Mixer)[];

/**
 * A mixer of another copy of this package will do.
 *
 * @throws PikeError `ERR_INVALID_OPTION`
 */
export function requireMixer(mixer: unknown): void {
  if (isMixer(mixer)) return;
  const inner = hasMethods(mixer, ['next', 'draw']) && isMixer((mixer as { mixer?: unknown }).mixer);
  const advice = inner ? ': pass the mixer of this MixedSource, mixed.mixer' : '';
  throw new PikeError('ERR_INVALID_OPTION', `mixer must be a Mixer, but is ${show(mixer)}${advice}.`);
}

function isMixer(value: unknown): boolean {
  return hasMethods(value, calls) && Array.isArray((value as { tasks?: unknown }).tasks);
}

/** What is drawn and how it is measured: names of the options that `checkMeasuring` checks. */
export const MEASURING_OPTIONS = ['draw', 'metric', 'rows'] as const;

/** @throws PikeError `ERR_INVALID_OPTION` */
export function checkMeasuring(options: {
  readonly draw: unknown;
  readonly metric?: 'optimizer' | 'plain';
  readonly rows?: RowMode;
}): void {
  const { draw, metric, rows } = options;
  requireFunction('draw', draw);
  if (metric !== undefined) requireOneOf('metric', metric, ['optimizer', 'plain']);
  if (rows !== undefined) requireOneOf('rows', rows, ['together', 'streamed']);
}

/** Names of the options that `checkStepOptions` checks. */
export const STEP_OPTIONS = ['measure', 'accumulate'] as const satisfies readonly (keyof StepOptions)[];

/** @throws PikeError `ERR_INVALID_OPTION` */
export function checkStepOptions({ measure, accumulate }: StepOptions): void {
  if (measure !== undefined) requireBoolean('measure', measure);
  if (accumulate !== undefined) requireBoolean('accumulate', accumulate);
}
