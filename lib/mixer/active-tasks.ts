/**
 * Which of the K tasks are still mixed. Those that were retired leave a smaller problem behind, with tasks of its own
 * numbering; lists go between the two.
 */
import { PikeError } from '../errors.js';
import { show } from '../validate.js';
import type { LossAverage } from './measurement.js';

export class ActiveTasks {
  /** Names of the active tasks, in the order of all. */
  readonly names: readonly string[];

  /**
   * @param all names of the K tasks
   * @param indices the active ones among them, ascending
   * @param retired names of the others, in the order in which they were retired
   */
  private constructor(
    readonly all: readonly string[],
    readonly indices: readonly number[],
    readonly retired: readonly string[],
  ) {
    this.names = indices.map((k) => all[k]);
  }

  static of(all: readonly string[], retired: readonly string[] = []): ActiveTasks {
    const indices = Array.from(all.keys()).filter((k) => !retired.includes(all[k]));
    return new ActiveTasks(all, indices, [...retired]);
  }

  get areAll(): boolean {
    return this.retired.length === 0;
  }

  /** @throws PikeError `ERR_INVALID_OPTION` when there is no such task */
  includes(task: string): boolean {
    return this.indices.includes(this.#indexOf(task));
  }

  /**
   * The number of a task that is to be measured, among all.
   *
   * @throws PikeError `ERR_INVALID_OPTION` when there is no such task, or it was retired
   */
  requireActive(task: string): number {
    if (this.includes(task)) return this.#indexOf(task);
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `Task '${task}' was retired, so nothing of it is to be measured; those that are stand in activeTasks.`,
    );
  }

  #indexOf(task: string): number {
    const k = this.all.indexOf(task);
    if (k >= 0) return k;
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `There is no task ${show(task)}. The tasks are ${this.all.join(', ')}.`,
    );
  }

  without(task: string): ActiveTasks {
    return ActiveTasks.of(this.all, [...this.retired, task]);
  }

  /** Where these tasks stand among those of `earlier`, when none of them was retired yet. */
  placesIn(earlier: ActiveTasks): number[] {
    return this.indices.map((k) => earlier.indices.indexOf(k));
  }

  /** Entries of the active tasks, of a list for all. */
  pick<T>(list: ArrayLike<T>): T[] {
    return this.indices.map((k) => list[k]);
  }

  pickLosses(losses: LossAverage): LossAverage {
    return losses.of(this.indices);
  }

  /** A list for all tasks, with `fill` for the retired. */
  spread(values: ArrayLike<number>, fill: number): Float64Array {
    const spread = new Float64Array(this.all.length).fill(fill);
    this.indices.forEach((k, i) => {
      spread[k] = values[i];
    });
    return spread;
  }

  spreadCounts(counts: ArrayLike<number>): Int32Array {
    return Int32Array.from(this.spread(counts, 0));
  }

  /** K×K row-major, NaN for whatever involves a retired task. */
  spreadMatrix(values: ArrayLike<number>): Float64Array {
    const K = this.all.length;
    const n = this.indices.length;
    const spread = new Float64Array(K * K).fill(Number.NaN);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) spread[this.indices[i] * K + this.indices[j]] = values[i * n + j];
    return spread;
  }
}
