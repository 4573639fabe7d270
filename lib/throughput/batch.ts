/** How fast whole calls of `statistics` read rows of gradients, next to how fast this machine reads the same memory. */
import { statistics } from '../backends/measure.js';
import type { Dtype } from '../gradients/layout.js';
import { allocateRow, longestRow, type Row, type RowPool } from './memory.js';
import { type Limits, type TimedCall, wallSeconds } from './pairs.js';
import { besideReadProbes, type Probed, type Probing } from './probe.js';
import { type Timing, timing } from './timing.js';

export interface Shape {
  readonly dtype: Dtype;
  /** K tasks of m micro-batches. */
  readonly tasks: number;
  readonly perTask: number;
  readonly inner: boolean;
  readonly standardErrors: boolean;
  readonly preconditioner: boolean;
  readonly threads: number;
}

/** Those that read the memory of the host. */
export type TimedBackend = 'cpu' | 'reference';

export interface BatchTimed extends Shape {
  readonly d: number;
  /** Read by one call: all rows, and the preconditioner. */
  readonly bytes: number;
  /** Of the whole call of `statistics`, in seconds. */
  readonly call: Timing;
  readonly probe: Timing;
  readonly faster: Probed['faster'];
  /** Rate of the call as a share of the faster probe's, by the ratios of neighbours. */
  readonly share: number;
}

export interface BatchLimits extends Limits {
  /** Elements of a row that are wanted. */
  readonly columns: number;
  /** Bytes that all rows together may take. */
  readonly budget: number;
}

/** @param pool rows of the shape's dtype */
export async function timeBatch(
  addon: Probing,
  pool: RowPool,
  shape: Shape,
  limits: BatchLimits,
  backend: TimedBackend = 'cpu',
): Promise<BatchTimed> {
  const count = shape.tasks * shape.perTask;
  const d = longestRow(limits.columns, count + 1, shape.dtype, limits.budget);
  const rows = pool.take(count, d);
  const metric = shape.preconditioner ? allocateRow(d) : undefined;
  metric?.array.fill(0.5);
  const call = timedStatistics(rows, { ...shape, metric, backend });
  const arrays = [...rows, ...(metric ? [metric] : [])].map(({ array }) => array);
  const probed = await besideReadProbes(addon, call, arrays, shape.threads, limits);
  return {
    ...shape,
    d,
    bytes: arrays.reduce((sum, array) => sum + array.byteLength, 0),
    call: timing(probed.own),
    probe: timing(probed[probed.faster]),
    faster: probed.faster,
    share: probed.share,
  };
}

/** A call of the public function on these rows, task by task. */
export function timedStatistics(
  rows: readonly Row[],
  asked: Pick<Shape, 'tasks' | 'perTask' | 'inner' | 'threads'> & {
    readonly standardErrors?: boolean;
    readonly backend?: TimedBackend;
    readonly metric?: Row | undefined;
  },
): TimedCall {
  const { tasks, perTask, inner, threads, standardErrors = false, backend = 'cpu', metric } = asked;
  const gradients = Array.from({ length: tasks }, (_, k) =>
    rows.slice(k * perTask, (k + 1) * perTask).map(({ gradient }) => gradient),
  );
  const options = {
    samples: gradients.map((task) => task.map(() => 4)),
    inner,
    standardErrors,
    threads,
    backend,
    ...(metric ? { preconditioner: metric.gradient } : {}),
  };
  return () => wallSeconds(() => statistics(gradients, options));
}
