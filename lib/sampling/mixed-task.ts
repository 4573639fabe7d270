/** One task of a mixture: the stream that batches are taken from, and the one for measurements. */

import { PikeError } from '../errors.js';
import { CallQueue } from '../mixer/call-queue.js';
import { seedOf } from './counter-random.js';
import type { SourceState } from './mixed-state.js';
import { type Passes, type Policy, passesOf } from './policy.js';
import type { Drawn, SampleSource, SourceInput } from './source.js';
import { TaskStream } from './task-stream.js';
import { toSource } from './to-source.js';

/** What has been seen of a source. */
export interface SourceAccount {
  /** Samples handed out in batches. */
  readonly samples: number;
  /** Whole passes (epochs) among them. Where the size is not known, a pass counts once the next has begun to be read. */
  readonly passes: number;
  /** Samples of the pass that has begun. */
  readonly inPass: number;
  /** Samples in one pass, where it is known. */
  readonly size?: number;
  /** Samples handed out for measurements, beside those. */
  readonly drawn: number;
  /** Whether the task takes no part any more. */
  readonly retired: boolean;
}

export interface MixedTaskOptions {
  readonly seed: number;
  readonly policy: Policy;
  readonly prefetch: number;
  readonly timeout: number;
}

export class MixedTask<T> {
  readonly name: string;
  readonly training: TaskStream<T>;
  readonly #passes: Passes;
  readonly #policy: Policy;
  readonly #source: SampleSource<T>;
  readonly #measuring: TaskStream<T>;
  readonly #draws = new CallQueue();

  /** @throws PikeError `ERR_INVALID_OPTION`, `ERR_SOURCE`; `ERR_STATE` for a state of another source */
  constructor(name: string, given: SourceInput<T>, options: MixedTaskOptions, state?: SourceState) {
    const { seed, policy, prefetch, timeout } = options;
    const source = toSource(name, given);
    const passes = passesOf(policy);
    if (source.once && passes.passes > 1)
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `Source '${name}' is a stream, which can be passed over only once, so exhausted must be 'stop' or 'drop' for it; ` +
          'or give a function that makes a new one for each pass.',
      );
    if (state && state.size !== source.size)
      throw new PikeError(
        'ERR_STATE',
        `Source '${name}' had ${state.size ?? 'no known number of'} samples when this state was taken, and now has ${source.size ?? 'none known'}: it is not the same.`,
      );
    this.name = name;
    this.#passes = passes;
    this.#policy = policy;
    this.#source = source;
    const stream = (
      purpose: string,
      more: { passes: number; prefetch: number },
      at?: SourceState['training'],
    ) => new TaskStream(name, source, { seed: seedOf(seed, `${purpose} ${name}`), timeout, ...more }, at);
    this.training = stream('train', { passes: passes.passes, prefetch }, state?.training);
    this.#measuring = stream('measure', { passes: Infinity, prefetch: 0 }, state?.measuring);
  }

  /** Whether it has an end, at which the task is retired. */
  get mayBeDropped(): boolean {
    const { passes, after } = this.#passes;
    return passes < Infinity && after === 'drop';
  }

  /** The end is in sight: what is buffered is all there is of it. */
  get isDropped(): boolean {
    return this.mayBeDropped && this.training.ended;
  }

  /** @throws PikeError as `TaskStream.ensure` */
  async draw(count: number, signal: AbortSignal | undefined): Promise<Drawn<T>> {
    if (this.#source.once)
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `Source '${this.name}' is a stream, which can be passed over only once, so there is no second cursor to draw from: ` +
          'measure on the training batches, or give a function that makes a new one for each pass.',
      );
    return await this.#draws.inTurn(signal, async () => {
      try {
        await this.#measuring.ensure(count, signal);
      } catch (error) {
        await this.#measuring.close();
        throw error;
      }
      return this.#measuring.take(count);
    });
  }

  account(): Omit<SourceAccount, 'retired'> {
    const { size } = this.#source;
    const { epoch, inPass, samples } = this.training.state();
    const whole = size !== undefined && inPass === size;
    return {
      samples,
      passes: whole ? epoch + 1 : epoch,
      inPass: whole ? 0 : inPass,
      ...(size === undefined ? {} : { size }),
      drawn: this.#measuring.state().samples,
    };
  }

  state(): SourceState {
    const { size } = this.#source;
    return {
      ...(size === undefined ? {} : { size }),
      policy: structuredClone(this.#policy),
      training: this.training.state(),
      measuring: this.#measuring.state(),
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.training.close(), this.#measuring.close()]);
  }
}
