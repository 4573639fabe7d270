/**
 * From weights to integer batches. round(b·w) does not sum to b, and largest remainders starve small weights
 * for ever; so the remainder is carried from batch to batch:
 *
 *     q = b·w projected onto q >= floor, sum kept;   target t = q + r
 *     counts = the integer point with sum b and counts >= floor that is nearest to t;   r ← t − counts
 *
 * Sums are exact, the running totals stay within about one sample of the weights', and a task with b·w_k = 0.3
 * gets a sample in every third or fourth batch. The projection comes before the carry: after it, a floor
 * would wind r up without bound.
 */
import { PikeError } from '../errors.js';
import { normalize, projectOntoFloor, weightsOf } from '../rules/simplex.js';
import {
  requireCount,
  requireNonNegativeInteger,
  requirePositiveInteger,
  requireWeights,
  show,
} from '../validate.js';

export interface AllocatorOptions {
  /** b: samples per batch. */
  batchSize: number;
  /** K. */
  tasks: number;
  /** Smallest count of every task in every batch (default 0). */
  minPerTask?: number;
}

/** Plain JSON; `residual` is r, in samples, length K. */
export interface AllocatorState {
  batchSize: number;
  tasks: number;
  minPerTask: number;
  residual: number[];
}

export class Allocator {
  readonly batchSize: number;
  readonly tasks: number;
  readonly minPerTask: number;
  #residual: Float64Array;

  /** @throws PikeError `ERR_INVALID_OPTION` when a size is not a positive integer or the floors exceed the batch */
  constructor(options: AllocatorOptions) {
    this.batchSize = requireCount('batchSize', options?.batchSize);
    this.tasks = requirePositiveInteger('tasks', options.tasks);
    this.minPerTask = requireNonNegativeInteger('minPerTask', options.minPerTask ?? 0);
    if (this.minPerTask * this.tasks > this.batchSize)
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `batchSize ${this.batchSize} is too small for ${this.tasks} tasks of at least ${this.minPerTask} samples each (minPerTask).`,
      );
    this.#residual = new Float64Array(this.tasks);
  }

  /**
   * The counts of the next batch, length K, summing to the batch size; ties go to the lowest index.
   *
   * @param weights K weights, a point of the simplex
   */
  next(weights: ArrayLike<number>): Int32Array {
    const w = requireWeights('weights', weights, this.tasks);
    const { batchSize, minPerTask } = this;
    const floor = minPerTask / batchSize;
    // Weights that meet the floor are taken as they are: by way of logarithms they would come back rounded.
    const share = w.some((x) => x < floor)
      ? weightsOf(projectOntoFloor(normalize(Array.from(w, Math.log)), floor))
      : w;
    const target = this.#residual.map((r, k) => batchSize * share[k] + r);
    const counts = nearestCounts(target, batchSize, minPerTask);
    this.#residual = target.map((t, k) => t - counts[k]);
    return counts;
  }

  state(): AllocatorState {
    const { batchSize, tasks, minPerTask } = this;
    return { batchSize, tasks, minPerTask, residual: Array.from(this.#residual) };
  }

  /** @throws PikeError `ERR_STATE` when `state` is not what `state()` returned */
  static restore(state: AllocatorState): Allocator {
    let allocator: Allocator;
    try {
      allocator = new Allocator(state);
    } catch (cause) {
      throw new PikeError('ERR_STATE', `The state of an Allocator is damaged: ${(cause as Error).message}`, {
        cause,
      });
    }
    const residual: unknown = state.residual;
    if (!Array.isArray(residual) || residual.length !== allocator.tasks)
      throw new PikeError(
        'ERR_STATE',
        `residual must be a list of ${allocator.tasks}, but is ${show(residual)}.`,
      );
    // Each carried remainder is below K samples by construction; anything else is not ours.
    for (const r of residual)
      if (typeof r !== 'number' || !(Math.abs(r) <= allocator.tasks))
        throw new PikeError('ERR_STATE', `residual must hold numbers of samples, not ${show(r)}.`);
    allocator.#residual = Float64Array.from(residual as number[]);
    return allocator;
  }
}

/** The integer point with sum `total` and entries >= `floor` that is nearest to `target`, whose sum is `total`. */
function nearestCounts(target: Float64Array, total: number, floor: number): Int32Array {
  const counts = Int32Array.from(target, (t) => Math.max(floor, Math.floor(t)));
  let missing = total - counts.reduce((sum, c) => sum + c, 0);
  // Each unit goes where it brings its count nearest to the target, which is exact for a separable convex distance.
  for (; missing > 0; missing--) counts[argmax(counts.length, (k) => target[k] - counts[k])]++;
  for (; missing < 0; missing++)
    counts[argmax(counts.length, (k) => (counts[k] > floor ? counts[k] - target[k] : -Infinity))]--;
  return counts;
}

/** Index of the largest value; ties go to the lowest index. */
function argmax(length: number, value: (k: number) => number): number {
  let best = 0;
  for (let k = 1; k < length; k++) if (value(k) > value(best)) best = k;
  return best;
}
