/** Everything a MixedSource needs to go on in another process, as plain JSON. */
import { PikeError } from '../errors.js';
import type { MixerState } from '../mixer/state.js';
import { show } from '../validate.js';
import { checkPolicy, type Policy } from './policy.js';
import type { StreamState } from './task-stream.js';

export const MIXED_STATE_FORMAT = 'pike-mixer mixed source state';
export const MIXED_STATE_VERSION = 1;

/** Of one source. */
export interface SourceState {
  /** Samples in one pass, where it is known: a source of another size is another one. */
  size?: number;
  /** What happens when it has been passed over. */
  policy: Policy;
  /** Where the hand-out of batches stands. */
  training: StreamState;
  /** Where `draw` stands. */
  measuring: StreamState;
}

/** All that a `MixedSource` needs to go on in another process, as plain JSON: what `state` returns and `restore` takes. */
export interface MixedSourceState {
  /** Tells this JSON from others. */
  format: typeof MIXED_STATE_FORMAT;
  /** Of the format; another one is refused. */
  version: typeof MIXED_STATE_VERSION;
  /** Of its mixer. */
  mixer: MixerState;
  /** Of the shuffles. */
  seed: number;
  /** By task. */
  sources: Record<string, SourceState>;
}

/** @throws PikeError `ERR_STATE` when this is not a state that this version wrote. Its mixer is checked by `Mixer.restore` */
export function checkMixedState(state: unknown): MixedSourceState {
  const given = state as Partial<MixedSourceState> | null;
  if (typeof given !== 'object' || given === null || given.format !== MIXED_STATE_FORMAT)
    throw new PikeError('ERR_STATE', `This is no state of a MixedSource: ${show(state)}.`);
  if (given.version !== MIXED_STATE_VERSION)
    throw new PikeError(
      'ERR_STATE',
      `This state of a MixedSource is of version ${show(given.version)}, but this release reads version ${MIXED_STATE_VERSION}.`,
    );
  checkCount('seed', given.seed);
  const { sources } = given;
  if (typeof sources !== 'object' || sources === null)
    throw new PikeError('ERR_STATE', `sources of a state must be an object, but is ${show(sources)}.`);
  for (const [task, source] of Object.entries(sources)) {
    const name = `sources['${task}']`;
    if (typeof source !== 'object' || source === null)
      throw new PikeError('ERR_STATE', `${name} of a state must be an object, but is ${show(source)}.`);
    if (source.size !== undefined) checkCount(`${name}.size`, source.size);
    try {
      checkPolicy(`${name}.policy`, source.policy);
    } catch (cause) {
      throw new PikeError('ERR_STATE', `A state is damaged: ${(cause as Error).message}`, { cause });
    }
    checkStream(`${name}.training`, source.training);
    checkStream(`${name}.measuring`, source.measuring);
  }
  try {
    return structuredClone(given) as MixedSourceState;
  } catch (cause) {
    throw new PikeError('ERR_STATE', `A state must be plain JSON: ${(cause as Error).message}`, { cause });
  }
}

function checkStream(name: string, stream: Partial<StreamState> | undefined): void {
  for (const key of ['epoch', 'skip', 'inPass', 'samples'] as const)
    checkCount(`${name}.${key}`, stream?.[key]);
}

function checkCount(name: string, value: unknown): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new PikeError('ERR_STATE', `${name} of a state must be an integer >= 0, but is ${show(value)}.`);
}
