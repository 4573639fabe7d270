/** How the counts of a batch are cut into task-pure micro-batches, whose gradients are the rows of a measurement. */

/** Draws a batch with `counts[k]` samples of task k, tasks in order. */
export type DrawBatch<B> = (counts: Int32Array) => B | Promise<B>;

/** A forward and backward pass over samples of one task. */
export interface MicroBatch {
  readonly task: number;
  readonly samples: number;
}

/** `count` samples in at most `parts` micro-batches of sizes that differ by at most one. */
export function cutInto(parts: number, count: number): number[] {
  const pieces = Math.min(count, parts);
  return Array.from({ length: pieces }, (_, i) => Math.floor((count + i) / pieces));
}

/**
 * `count` samples in as few micro-batches of at most `size` samples as will do, but in two, if there are two: a single one
 * measures nothing. For stacks that compile a program for every shape, and then pad each to `size`.
 */
export function cutBySize(size: number, count: number): number[] {
  return cutInto(Math.max(2, Math.ceil(count / size)), count);
}

/** The micro-batches of a batch, task by task: the order that `observe` asks for. */
export function microBatchesOf(
  counts: Int32Array,
  cut: (count: number) => readonly number[],
): readonly MicroBatch[] {
  return Array.from(counts).flatMap((count, task) => cut(count).map((samples) => ({ task, samples })));
}

/** Counts that ask for `samples` samples of one of `tasks` tasks. */
export function onlyTask(tasks: number, { task, samples }: MicroBatch): Int32Array {
  const counts = new Int32Array(tasks);
  counts[task] = samples;
  return counts;
}
