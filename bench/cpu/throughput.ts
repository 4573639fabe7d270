/** How fast rows of gradients are read, as a share of how fast this machine reads the same memory. */
import { availableParallelism } from 'node:os';
import { statistics } from '../../dist/backends/measure.js';
import { atLeast, type Check, type PartReport, partReport, percent, short } from '../report.js';
import type { Size } from '../size.js';
import { type Timing, timing } from '../statistics.js';
import { allocateRow, longestRow, memoryBudget, type Row, RowPool } from './memory.js';
import { LIMITS, type TimedCall, wallSeconds } from './pairs.js';
import { besideReadProbes, type Probed } from './probe.js';
import { COLUMNS, type Shape, shapes, showOptions, showShape } from './shapes.js';
import { targetShare } from './targets.js';

export interface Throughput extends Shape {
  readonly d: number;
  readonly bytes: number;
  /** Of the whole call of `statistics`, in seconds. */
  readonly call: Timing;
  readonly probe: Timing;
  readonly faster: Probed['faster'];
  readonly share: number;
  /** Null where nothing is promised. */
  readonly target: number | null;
}

export async function throughput(size: Size): Promise<PartReport> {
  const budget = memoryBudget(size);
  const found: Throughput[] = [];
  let pool: RowPool | undefined;
  for (const shape of shapes(size, availableParallelism())) {
    if (pool?.dtype !== shape.dtype) {
      pool?.release();
      pool = new RowPool(shape.dtype);
    }
    found.push(await timeShape(pool, shape, size, budget));
  }
  const shorter = found.filter(({ d }) => d < COLUMNS[size]);
  return partReport({
    checks: found.flatMap(shareCheck),
    tables: [throughputTable(found)],
    notes: [
      ...(size === 'tiny' ? [TINY_NOTE] : []),
      ...(shorter.length > 0 ? [`Shorter rows where ${short(budget / 1e9)} GB hold no longer ones.`] : []),
    ],
    data: found,
  });
}

export const TINY_NOTE = 'The times of so few numbers mean nothing, and no promise is held against them.';

async function timeShape(pool: RowPool, shape: Shape, size: Size, budget: number): Promise<Throughput> {
  const count = shape.tasks * shape.perTask;
  const d = longestRow(COLUMNS[size], count + 1, shape.dtype, budget);
  const rows = pool.take(count, d);
  const metric = shape.preconditioner ? allocateRow(d) : undefined;
  metric?.array.fill(0.5);
  const call = timedStatistics(rows, { ...shape, metric });
  const arrays = [...rows, ...(metric ? [metric] : [])].map(({ array }) => array);
  const probed = await besideReadProbes(call, arrays, shape.threads, LIMITS[size]);
  const promised =
    size !== 'tiny' &&
    shape.perTask === 2 &&
    shape.inner &&
    !metric &&
    shape.threads === availableParallelism();
  return {
    ...shape,
    d,
    bytes: arrays.reduce((sum, array) => sum + array.byteLength, 0),
    call: timing(probed.own),
    probe: timing(probed[probed.faster]),
    faster: probed.faster,
    share: probed.share,
    target: promised ? targetShare(shape.dtype, rows.length) : null,
  };
}

/** A call of the public function on these rows, task by task. */
export function timedStatistics(
  rows: readonly Row[],
  asked: Pick<Shape, 'tasks' | 'perTask' | 'inner' | 'threads'> & {
    readonly standardErrors?: boolean;
    readonly metric?: Row | undefined;
  },
): TimedCall {
  const { tasks, perTask, inner, threads, standardErrors = false, metric } = asked;
  const gradients = Array.from({ length: tasks }, (_, k) =>
    rows.slice(k * perTask, (k + 1) * perTask).map(({ gradient }) => gradient),
  );
  const options = {
    samples: gradients.map((task) => task.map(() => 4)),
    inner,
    standardErrors,
    threads,
    backend: 'cpu' as const,
    ...(metric ? { preconditioner: metric.gradient } : {}),
  };
  return () => wallSeconds(() => statistics(gradients, options));
}

export function shareCheck(found: Throughput): Check[] {
  if (found.target === null) return [];
  const what = `share of the read probe: ${found.dtype}, ${showShape(found)} rows of ${short(found.d)}, ${showOptions(found)}`;
  return [atLeast(what, found.share, found.target)];
}

function throughputTable(found: readonly Throughput[]) {
  return {
    title: `Medians of whole calls of statistics(); 'of probe' by the ratios of neighbours to the faster probe`,
    head: ['dtype', 'K×m', 'd', 'threads', 'with', 'ms', 'GB/s', 'probe GB/s', 'of probe', 'aim', ''],
    rows: found.map((each) => [
      each.dtype,
      showShape(each),
      short(each.d),
      String(each.threads),
      showOptions(each),
      short(1000 * each.call.median),
      short(each.bytes / each.call.median / 1e9),
      short(each.bytes / each.probe.median / 1e9),
      percent(each.share),
      each.target === null ? '' : percent(each.target),
      each.target === null ? '' : each.share >= each.target ? 'met' : 'missed',
    ]),
  };
}
