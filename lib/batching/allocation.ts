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
 *
 * A task that has fewer samples left than its count gets just these; what it lacks goes to the targets of the others
 * by their shares, and nothing of it is carried.
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

/** Sizes of an `Allocator`. */
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
  /** b. */
  batchSize: number;
  /** K. */
  tasks: number;
  /** Smallest count of every task in every batch. */
  minPerTask: number;
  /** What the batches so far owe each task, in samples: r, length K. */
  residual: number[];
}

/**
 * Turns weights into whole numbers of samples that sum to the batch size exactly, batch after batch: what rounding takes
 * from a task is carried to the next batch, so that running totals stay within about one sample of the weights'. A `Mixer`
 * has one of its own.
 */
export class Allocator {
  /** b: samples per batch. */
  readonly batchSize: number;
  /** K. */
  readonly tasks: number;
  /** Smallest count of every task in every batch. */
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
   * @param atMost samples that each task has left, K numbers, Infinity where there is no end to them; a limit may
   *   also be below `minPerTask`
   * @throws PikeError `ERR_SHAPE`, `ERR_INVALID_OPTION`, also when all limits together are below the batch size
   */
  next(weights: ArrayLike<number>, atMost?: ArrayLike<number>): Int32Array {
    const { counts, residual } = this.#allocate(weights, atMost);
    this.#residual = residual;
    return counts;
  }

  /**
   * What `next` would return; nothing is changed.
   *
   * @param weights as of `next`
   * @param atMost as of `next`
   * @throws PikeError as `next`
   */
  peek(weights: ArrayLike<number>, atMost?: ArrayLike<number>): Int32Array {
    return this.#allocate(weights, atMost).counts;
  }

  #allocate(
    weights: ArrayLike<number>,
    atMost: ArrayLike<number> | undefined,
  ): { counts: Int32Array; residual: Float64Array } {
    const w = requireWeights('weights', weights, this.tasks);
    const limits = atMost && requireLimits(atMost, this.tasks, this.batchSize);
    const { batchSize, minPerTask } = this;
    const floor = minPerTask / batchSize;
    // Weights that meet the floor are taken as they are: by way of logarithms they would come back rounded.
    const share = w.some((x) => x < floor)
      ? weightsOf(projectOntoFloor(normalize(Array.from(w, Math.log)), floor))
      : w;
    const target = this.#residual.map((r, k) => batchSize * share[k] + r);
    const counts = limits
      ? nearestWithin(target, share, limits, batchSize, minPerTask)
      : nearestCounts(target, batchSize, minPerTask);
    return { counts, residual: target.map((t, k) => t - counts[k]) };
  }

  /**
   * One for the other tasks, once task `task` is gone: they go on from what is carried of theirs, and share what is
   * carried of it.
   */
  without(task: number): Allocator {
    const { batchSize, minPerTask } = this;
    const rest = new Allocator({ batchSize, minPerTask, tasks: this.tasks - 1 });
    const share = this.#residual[task] / rest.tasks;
    rest.#residual = this.#residual.filter((_, k) => k !== task).map((r) => r + share);
    return rest;
  }

  /** What `restore` goes on from, as plain JSON. */
  state(): AllocatorState {
    const { batchSize, tasks, minPerTask } = this;
    return { batchSize, tasks, minPerTask, residual: Array.from(this.#residual) };
  }

  /**
   * An allocator that goes on with the same counts as the one whose `state()` this is.
   *
   * @throws PikeError `ERR_STATE` when it is not what `state()` returned
   */
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

/**
 * `nearestCounts` where counts have limits. A task whose count would pass its limit gets the limit, and the others what
 * it lacks, by their shares.
 *
 * @param target changed in place: those at their limits get these as targets, the others the more that falls to them
 */
function nearestWithin(
  target: Float64Array,
  share: ArrayLike<number>,
  limits: ArrayLike<number>,
  total: number,
  floor: number,
): Int32Array {
  const K = target.length;
  const counts = new Int32Array(K);
  let free = Array.from(target.keys());
  for (let left = total; ; ) {
    const nearest = nearestCounts(
      Float64Array.from(free, (k) => target[k]),
      left,
      floor,
    );
    free.forEach((k, i) => {
      counts[k] = nearest[i];
    });
    const over = free.filter((k) => counts[k] > limits[k]);
    if (over.length === 0) return counts;
    let lacking = 0;
    for (const k of over) {
      lacking += target[k] - limits[k];
      left -= limits[k];
      target[k] = counts[k] = limits[k];
    }
    free = free.filter((k) => !over.includes(k));
    const mass = free.reduce((sum, k) => sum + share[k], 0);
    for (const k of free) target[k] += lacking * (mass > 0 ? share[k] / mass : 1 / free.length);
  }
}

function requireLimits(atMost: ArrayLike<number>, tasks: number, batchSize: number): Float64Array {
  if (atMost.length !== tasks)
    throw new PikeError(
      'ERR_SHAPE',
      `atMost must be ${tasks} numbers, one per task, but is ${show(atMost)}.`,
    );
  const limits = Float64Array.from(atMost, (limit, k) =>
    limit === Infinity ? limit : requireNonNegativeInteger(`atMost[${k}]`, limit),
  );
  const sum = limits.reduce((all, limit) => all + limit, 0);
  if (sum < batchSize)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `A batch of ${batchSize} samples cannot be filled: the tasks have ${sum} left (atMost).`,
    );
  return limits;
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
