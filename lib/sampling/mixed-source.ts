/**
 * Batches from one source per task, by the counts of a mixer.
 *
 * A batch is gathered first and counted after: its samples are brought into store while the mixer stands still, and only
 * when all are there, in one synchronous step, the mixer goes on and the samples are handed out. So weights that change
 * meanwhile act on the very next batch, a source that fails takes nothing along, and the state is whole at any time.
 */
import { PikeError } from '../errors.js';
import { CallQueue } from '../mixer/call-queue.js';
import { Mixer } from '../mixer/mixer.js';
import type { MixerOptions } from '../mixer/options.js';
import {
  refuseUnknown,
  refuseUnknownTasks,
  requireNonNegativeInteger,
  requireNumberIn,
  requirePositiveInteger,
  requireSignal,
  show,
  throwIfAborted,
} from '../validate.js';
import {
  checkMixedState,
  MIXED_STATE_FORMAT,
  MIXED_STATE_VERSION,
  type MixedSourceState,
} from './mixed-state.js';
import { MixedTask, type SourceAccount } from './mixed-task.js';
import { type Policy, passesOf, resolvePolicies } from './policy.js';
import type { Drawn, SourceInput } from './source.js';
import type { TaskStream } from './task-stream.js';
import { joinSignals, LONGEST_TIMEOUT, sharedController } from './wait.js';

/** How samples are read. No part of a state. */
export interface StreamingOptions {
  /**
   * Samples of every task that are read ahead while a batch is trained on (default 2b/K, rounded up: two batches in all).
   * No more than this, or than a batch takes of the task if that is more, is ever in store.
   */
  prefetch?: number;
  /** Milliseconds in which a source may give nothing at all, Infinity for no limit (default 300 000, five minutes). */
  timeout?: number;
  /** Ends the mixture: calls reject with its reason, and the sources are closed. */
  signal?: AbortSignal;
}

/** Of a `MixedSource`. */
export interface MixedSourceOptions<T> extends StreamingOptions {
  /** Says how many samples of each task a batch has. */
  mixer: Mixer;
  /** By task: all tasks of the mixer, and no others. */
  sources: Readonly<Record<string, SourceInput<T>>>;
  /** What happens when a source has been passed over: one policy for all, or by task (default 'repeat'). */
  exhausted?: Policy | Readonly<Record<string, Policy>>;
  /** Of the shuffles; every task has its own, whatever the others (default 0). */
  seed?: number;
}

/** Of `MixedSource.restore`. */
export interface RestoreOptions<T> extends StreamingOptions {
  /** The same sources. */
  sources: Readonly<Record<string, SourceInput<T>>>;
  /** Options of the mixer to change on the way, as in `Mixer.restore`. */
  overrides?: Partial<MixerOptions>;
  /** Other policies than before. */
  exhausted?: Policy | Readonly<Record<string, Policy>>;
}

/** A batch of b samples. */
export interface MixedBatch<T> {
  /** Number of the batch: 0, 1, … */
  readonly step: number;
  /** Samples of every task, length K, in the order of `mixer.tasks`; they sum to b. */
  readonly counts: Int32Array;
  /** The weights that the counts follow, length K. */
  readonly weights: Float64Array;
  /** Samples and their numbers by task; a task without samples has empty lists. */
  readonly tasks: Readonly<Record<string, Drawn<T>>>;
  /** All b samples, task after task in the order of `mixer.tasks`. */
  readonly samples: T[];
}

/**
 * Batches from one source per task, by the counts of a mixer: `for await (const { samples } of mixed)`. It shuffles, reads
 * ahead, retires tasks whose source has come to its end, serves samples to measure with from cursors of their own (`draw`),
 * and goes on from a saved state with the same samples.
 */
export class MixedSource<T = unknown> implements AsyncIterableIterator<MixedBatch<T>> {
  /** Says how many samples of each task a batch has; `next` of it is called here, once for each batch. */
  readonly mixer: Mixer;
  readonly #seed: number;
  readonly #tasks: readonly MixedTask<T>[];
  readonly #signal: AbortSignal | undefined;
  readonly #calls = new CallQueue();
  /** Of the calls since the sources were closed last; all sources wait on it at once. */
  #open = sharedController();
  /** How often the mixture has been left. */
  #returns = 0;
  /** Settles when all that has been closed is. */
  #closing: Promise<unknown> = Promise.resolve();
  #endedBy: string | null = null;

  /** @throws PikeError `ERR_INVALID_OPTION`, `ERR_SOURCE` for what is no source */
  constructor(options: MixedSourceOptions<T>);
  /** @internal */
  constructor(options: MixedSourceOptions<T>, state?: MixedSourceState);
  constructor(options: MixedSourceOptions<T>, state?: MixedSourceState) {
    if (typeof options !== 'object' || options === null)
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `MixedSource takes an object of options, but got ${show(options)}.`,
      );
    refuseUnknown('MixedSource', options, [
      'mixer',
      'sources',
      'exhausted',
      'seed',
      'prefetch',
      'timeout',
      'signal',
    ]);
    const { mixer, sources, signal } = options;
    if (!(mixer instanceof Mixer))
      throw new PikeError('ERR_INVALID_OPTION', `mixer must be a Mixer, but is ${show(mixer)}.`);
    if (typeof sources !== 'object' || sources === null)
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `sources must be an object by task, but is ${show(sources)}.`,
      );
    refuseUnknownTasks('sources', sources, mixer.tasks);
    requireSignal(signal);
    const K = mixer.tasks.length;
    const seed = requireNonNegativeInteger('seed', options.seed ?? 0);
    const prefetch = requireNonNegativeInteger(
      'prefetch',
      options.prefetch ?? Math.ceil((2 * mixer.batchSize) / K),
    );
    const timeout =
      options.timeout === Infinity
        ? Infinity
        : requireNumberIn('timeout', options.timeout ?? 300_000, 1, LONGEST_TIMEOUT);
    const policies = resolvePolicies(options.exhausted, mixer.tasks);
    if (
      policies.some((policy) => passesOf(policy).passes < Infinity && passesOf(policy).after === 'drop') &&
      !mixer.canRetire
    )
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `A source cannot be dropped by this mixer: its rule '${mixer.state().options.rule}' keeps more than weights and has no retire(state, task, context). Add one, or set exhausted to 'stop' or 'repeat'.`,
      );
    this.mixer = mixer;
    this.#seed = seed;
    this.#signal = signal;
    this.#tasks = mixer.tasks.map(
      (task, k) =>
        new MixedTask(
          task,
          (Object.hasOwn(sources, task) ? sources[task] : undefined) as SourceInput<T>,
          { seed, policy: policies[k], prefetch, timeout },
          state?.sources[task],
        ),
    );
  }

  /**
   * The next batch, or `done` when the mixture has ended. Calls are served one after the other.
   *
   * @throws PikeError `ERR_SOURCE`, `ERR_STATE` or `ERR_TIMEOUT`, naming the source that failed or stalled, with its error
   *   as `cause`; or the signal's reason. All sources are closed then. No batch was drawn and no sample is lost: a later
   *   call opens them again where they stood, as far as they can be opened more than once
   */
  async next(): Promise<IteratorResult<MixedBatch<T>, undefined>> {
    const returns = this.#returns;
    return await this.#calls.inTurn(undefined, async () => {
      throwIfAborted(this.#signal);
      // It was left while this call waited for its turn.
      if (this.#returns !== returns) return { done: true, value: undefined };
      this.#closeOnAbort();
      try {
        const batch = await this.#gather(this.#open);
        if (batch) return { done: false, value: batch };
      } catch (error) {
        const left = this.#returns !== returns;
        await this.#close();
        throwIfAborted(this.#signal);
        // Otherwise it was left while it waited: that is its end.
        if (!left) throw error;
      }
      await this.#close();
      return { done: true, value: undefined };
    });
  }

  /**
   * Closes all sources; calls of `next` that wait end with `done`. `for await` calls it when it is left early. A later
   * iteration opens them again and goes on where the hand-out stood; so does a `draw` that is under way, for its own cursor.
   */
  async return(): Promise<IteratorResult<MixedBatch<T>, undefined>> {
    this.#returns++;
    await this.#close();
    return { done: true, value: undefined };
  }

  /** The mixture itself: all iterations share one hand-out. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** As `return`, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#returns++;
    await this.#close();
  }

  /**
   * Samples for a measurement, from a cursor of the task's own: another shuffle, over as many passes as it takes, also of
   * a source that batches have exhausted. Never disturbs what batches get. The cursor stays open for the next draw; a draw
   * after the end of the mixture, or after `return`, needs a `return` of its own to close it.
   *
   * @param count at least 1
   * @throws PikeError `ERR_INVALID_OPTION`, also for a stream that can be passed over only once; as `next`
   */
  async draw(task: string, count: number, options: { signal?: AbortSignal } = {}): Promise<Drawn<T>> {
    const drawn = this.#tasks.find(({ name }) => name === task);
    if (!drawn)
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `There is no task ${show(task)}. The tasks are ${this.mixer.tasks.join(', ')}.`,
      );
    requirePositiveInteger('count', count);
    refuseUnknown('draw', options, ['signal']);
    requireSignal(options.signal);
    const signals = [this.#signal, options.signal].filter((signal) => signal !== undefined);
    const { signal, release } = joinSignals(...signals);
    try {
      const samples = await drawn.draw(count, signal);
      // Its cursor is open now, whether or not there was a batch, and also where a return came in the meantime.
      this.#closeOnAbort();
      return samples;
    } catch (error) {
      // An abort closes its cursor before the draw itself could.
      await this.#closing;
      throw error;
    } finally {
      release();
    }
  }

  /** What has been seen of every source, by task. */
  get accounting(): Record<string, SourceAccount> {
    const { activeTasks } = this.mixer;
    return Object.fromEntries(
      this.#tasks.map((task) => [
        task.name,
        { ...task.account(), retired: !activeTasks.includes(task.name) },
      ]),
    );
  }

  /** The task whose source ended the mixture; null while it goes on. */
  get endedBy(): string | null {
    return this.#endedBy;
  }

  /**
   * Everything needed to go on in another process with the same samples and weights, the mixer included, as plain JSON.
   * At any time: it stands where the hand-out of batches stands.
   */
  state(): MixedSourceState {
    return {
      format: MIXED_STATE_FORMAT,
      version: MIXED_STATE_VERSION,
      mixer: this.mixer.state(),
      seed: this.#seed,
      sources: Object.fromEntries(this.#tasks.map((task) => [task.name, task.state()])),
    };
  }

  /**
   * A mixture that goes on where `state` was taken: the same samples, and the same weights as far as `Mixer.restore`
   * promises them. Its mixer is `mixer`.
   *
   * @param state what `state()` returned, also after a trip through JSON
   * @throws PikeError `ERR_STATE` when the state is of another version or shape, of other sources, or damaged; as the
   *   constructor
   */
  static restore<T>(state: MixedSourceState, options: RestoreOptions<T>): MixedSource<T> {
    const saved = checkMixedState(state);
    if (typeof options !== 'object' || options === null)
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `MixedSource.restore takes an object of options with the sources, but got ${show(options)}.`,
      );
    refuseUnknown('restore', options, ['sources', 'overrides', 'exhausted', 'prefetch', 'timeout', 'signal']);
    const { overrides, exhausted, ...rest } = options;
    const mixer = Mixer.restore(saved.mixer, overrides);
    const missing = mixer.tasks.find((task) => !Object.hasOwn(saved.sources, task));
    if (missing !== undefined)
      throw new PikeError('ERR_STATE', `This state has no source for task '${missing}'.`);
    const policies = Object.fromEntries(mixer.tasks.map((task) => [task, saved.sources[task].policy]));
    return new MixedSource<T>({ ...rest, mixer, seed: saved.seed, exhausted: exhausted ?? policies }, saved);
  }

  /** Brings a batch into store, and hands it out. Null at the end of the mixture. */
  async #gather(open: AbortController): Promise<MixedBatch<T> | null> {
    const { tasks, batchSize } = this.mixer;
    while (this.#endedBy === null) {
      await this.#retireEmpty(open);
      // What was read at the very moment of an abort is not handed out, and no source is opened after it.
      throwIfAborted(open.signal);
      const active = this.#activeTasks();
      const limits = this.#tasks.map(({ isDropped, training }) => (isDropped ? training.buffered : Infinity));
      const left = active.reduce((sum, { name }) => sum + limits[tasks.indexOf(name)], 0);
      if (left < batchSize) this.#endedBy ??= active.at(-1)!.name;
      if (this.#endedBy !== null) break;
      const counts = this.mixer.peek(limits);
      const lacking = [...this.#tasks.entries()].filter(([k, { training }]) => training.buffered < counts[k]);
      if (lacking.length === 0) return this.#handOut(limits);
      // The others are read to where this batch needs them: which end is found must not depend on what was read ahead.
      const unread = lacking.filter(([, { training }]) => !training.ended);
      if (unread.length === 0) this.#endedBy = lacking[0][1].name;
      // Weights may have changed when all is there: then another look is taken.
      else
        await ensureAll(
          unread.map(([k, { training }]) => [training, counts[k]]),
          open,
        );
    }
    return null;
  }

  /**
   * Retires the tasks whose sources have been handed out to the last sample, before the next batch: until then their
   * samples may still be measured. When that is, depends on what was handed out alone, not on what was read ahead.
   */
  async #retireEmpty(open: AbortController): Promise<void> {
    const empty = this.#activeTasks().filter(
      ({ mayBeDropped, training }) => mayBeDropped && training.buffered === 0,
    );
    await ensureAll(
      empty.map(({ training }) => [training, 1]),
      open,
    );
    for (const { name, isDropped, training } of empty) {
      if (!isDropped || training.buffered > 0 || !this.mixer.activeTasks.includes(name)) continue;
      if (this.mixer.activeTasks.length > 1) this.mixer.retire(name);
      else this.#endedBy = name;
    }
  }

  #activeTasks(): MixedTask<T>[] {
    const { activeTasks } = this.mixer;
    return this.#tasks.filter(({ name }) => activeTasks.includes(name));
  }

  /** All that changes with a batch, in one step. */
  #handOut(limits: readonly number[]): MixedBatch<T> {
    const { mixer } = this;
    const { step, weights } = mixer;
    const counts = mixer.next(limits);
    const parts = this.#tasks.map(({ training }, k) => training.take(counts[k]));
    for (const { training } of this.#activeTasks()) training.readAhead();
    return {
      step,
      counts,
      weights,
      tasks: Object.fromEntries(this.#tasks.map(({ name }, k) => [name, parts[k]])),
      samples: parts.flatMap(({ samples }) => samples),
    };
  }

  /** From now on there is something to close. */
  #closeOnAbort(): void {
    if (this.#signal?.aborted) void this.#close();
    else this.#signal?.addEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => void this.#close();

  async #close(): Promise<void> {
    this.#open.abort();
    this.#open = sharedController();
    this.#signal?.removeEventListener('abort', this.#onAbort);
    // Whoever closes what is being closed waits for it too.
    this.#closing = Promise.all([this.#closing, ...this.#tasks.map((task) => task.close())]);
    await this.#closing;
  }
}

/** Where one fails the others stop before it is told: none of them opens its source when all are closed. */
async function ensureAll<T>(
  wanted: readonly (readonly [TaskStream<T>, number])[],
  open: AbortController,
): Promise<void> {
  const work = wanted.map(([stream, count]) => stream.ensure(count, open.signal));
  try {
    await Promise.all(work);
  } catch (error) {
    open.abort();
    await Promise.allSettled(work);
    throw error;
  }
}
