/**
 * One measurement in progress on the streaming path: which tasks have been seen, their losses, and the vectors
 * behind them. It lives from the first `observe` to `update`; until then the mixer's state knows nothing of it.
 */
import type { Backend, MomentStream } from '../backends/backend.js';
import { PikeError } from '../errors.js';
import type { GradientView } from '../gradients/gradient.js';
import {
  assertSameLayout,
  assertSamePlace,
  type GradientLayout,
  type Place,
  placeOf,
} from '../gradients/layout.js';
import type { Moments } from '../statistics/statistics.js';
import { noMoments } from '../statistics/subset.js';
import { refuseUnknownTasks, show } from '../validate.js';

export interface Observation {
  readonly task: number;
  readonly gradient: GradientView;
  readonly samples: number;
  readonly loss: number | undefined;
  readonly preconditioner: GradientView | null;
}

export class Measurement {
  readonly #open: (place: Place) => Promise<Backend>;
  readonly #tasks: readonly string[];
  readonly #inner: boolean;
  readonly losses: LossAverage;
  #stream: MomentStream | null = null;
  #layout: GradientLayout | null = null;
  #place: Place | null = null;
  #preconditioned = false;
  #current = -1;
  readonly #seen = new Set<number>();
  observations = 0;
  /** Time spent on it so far. */
  milliseconds = 0;

  /**
   * @param open gives the backend for the memory that the first gradient lies in
   * @param begun step of the mixer at which it began
   */
  constructor(
    open: (place: Place) => Promise<Backend>,
    tasks: readonly string[],
    inner: boolean,
    readonly begun: number,
  ) {
    this.#open = open;
    this.#tasks = tasks;
    this.#inner = inner;
    this.losses = new LossAverage(tasks.length);
  }

  /** The memory that its gradients lie in; null while there are none. */
  get place(): Place | null {
    return this.#place;
  }

  /** A rejected call leaves the measurement as it was. */
  async add(observation: Observation, signal: AbortSignal | undefined): Promise<void> {
    const { task, gradient, samples, loss, preconditioner } = observation;
    this.#check(observation);
    const { dtypes, lengths, length } = gradient;
    const layout = { dtypes, lengths, length };
    if (!this.#stream) {
      const backend = await this.#open(gradient);
      this.#stream = backend.stream({ tasks: this.#tasks.length, layout, inner: this.#inner });
    }
    try {
      await this.#stream.add(task, gradient, samples, preconditioner, signal);
    } catch (error) {
      if (this.observations === 0) this.dispose();
      throw error;
    }
    this.#layout ??= layout;
    this.#place ??= placeOf(gradient);
    this.#preconditioned = preconditioner !== null;
    this.#current = task;
    this.#seen.add(task);
    this.observations++;
    if (loss !== undefined) this.losses.add(task, loss, samples);
  }

  #check({ task, gradient, preconditioner }: Observation): void {
    if (this.observations === 0) return;
    assertSamePlace(gradient, this.#place!, 'gradient', 'the first of this measurement');
    assertSameLayout(gradient, this.#layout!, 'gradient', 'the first of this measurement');
    if ((preconditioner !== null) !== this.#preconditioned)
      throw new PikeError(
        'ERR_INVALID_OPTION',
        'preconditioner must be given for every gradient of a measurement or for none: one metric measures them all.',
      );
    if (!this.#inner && task !== this.#current && this.#seen.has(task))
      throw new PikeError(
        'ERR_ORDER',
        `Task '${this.#tasks[task]}' comes back after '${this.#tasks[this.#current]}'. With inner: false one vector serves ` +
          'all tasks in turn, so each must be observed in one go. End the measurement by update or discard; or set inner: true, at K vectors.',
      );
  }

  /** The sums so far; all zero when nothing was observed. */
  async moments(signal: AbortSignal | undefined): Promise<Moments> {
    if (this.#stream) return this.#stream.moments(signal);
    return noMoments(this.#tasks.length, this.#inner);
  }

  dispose(): void {
    this.#stream?.dispose();
    this.#stream = null;
  }
}

/** Mean training loss per task, weighted by samples. */
export class LossAverage {
  readonly #sum: Float64Array;
  readonly #samples: Float64Array;

  constructor(tasks: number) {
    this.#sum = new Float64Array(tasks);
    this.#samples = new Float64Array(tasks);
  }

  add(task: number, loss: number, samples: number): void {
    this.#sum[task] += loss * samples;
    this.#samples[task] += samples;
  }

  /** Of some of the tasks, by their indices. */
  of(tasks: readonly number[]): LossAverage {
    const rest = new LossAverage(tasks.length);
    tasks.forEach((k, i) => {
      rest.#sum[i] = this.#sum[k];
      rest.#samples[i] = this.#samples[k];
    });
    return rest;
  }

  /** NaN where no loss was given; null when none was given at all. */
  means(): Float64Array | null {
    if (this.#samples.every((n) => n === 0)) return null;
    return this.#sum.map((sum, k) => sum / this.#samples[k]);
  }

  /** Whether a loss of the task was given, whatever it is. */
  isGiven(task: number): boolean {
    return this.#samples[task] > 0;
  }

  /** Whether the losses of a task were given and are not finite. */
  isBroken(task: number): boolean {
    return this.#samples[task] > 0 && !Number.isFinite(this.#sum[task]);
  }
}

/** Losses by task, as `update` takes them. */
export function checkTaskLosses(losses: unknown, tasks: readonly string[]): LossAverage {
  const average = new LossAverage(tasks.length);
  if (typeof losses !== 'object' || losses === null)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `losses must be ${tasks.length} numbers, or an object by task, but is ${show(losses)}.`,
    );
  const list = Array.isArray(losses) || ArrayBuffer.isView(losses);
  const length = (losses as ArrayLike<number>).length;
  if (list && length !== tasks.length)
    throw new PikeError(
      'ERR_SHAPE',
      `losses must be ${tasks.length} numbers, one per task, but there are ${length}.`,
    );
  if (!list) refuseUnknownTasks('losses', losses, tasks);
  for (const [k, task] of tasks.entries()) {
    const loss = (losses as Record<string | number, unknown>)[list ? k : task];
    if (loss === undefined && !list) continue;
    if (typeof loss !== 'number')
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `The loss of task '${task}' must be a number, but is ${show(loss)}.`,
      );
    average.add(k, loss, 1);
  }
  return average;
}

/** Losses of the batch path, shaped like `samples`. */
export function checkLosses(losses: unknown, samples: readonly (readonly number[])[]): LossAverage {
  const average = new LossAverage(samples.length);
  if (losses === undefined) return average;
  const shaped =
    Array.isArray(losses) &&
    losses.length === samples.length &&
    Array.from(losses).every((task, k) => Array.isArray(task) && task.length === samples[k].length);
  if (!shaped)
    throw new PikeError('ERR_SHAPE', `losses must be lists shaped like samples, but is ${show(losses)}.`);
  for (let k = 0; k < samples.length; k++)
    for (let i = 0; i < samples[k].length; i++) {
      const loss: unknown = losses[k][i];
      if (typeof loss !== 'number')
        throw new PikeError(
          'ERR_INVALID_OPTION',
          `losses[${k}][${i}] must be a number, but is ${show(loss)}.`,
        );
      average.add(k, loss, samples[k][i]);
    }
  return average;
}
