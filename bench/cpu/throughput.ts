/** How fast rows of gradients are read, as a share of how fast this machine reads the same memory. */
import { availableParallelism } from 'node:os';
import { type BatchTimed, type Shape, timeBatch } from '../../dist/throughput/batch.js';
import { memoryBudget, RowPool } from '../../dist/throughput/memory.js';
import { LIMITS } from '../../dist/throughput/pairs.js';
import type { Size } from '../../dist/throughput/size.js';
import { atLeast, type Check, type PartReport, partReport, percent, short } from '../report.js';
import { requireAddon } from './addon.js';
import { COLUMNS, shapes, showOptions, showShape } from './shapes.js';
import { targetShare } from './targets.js';

export interface Throughput extends BatchTimed {
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
  const limits = { ...LIMITS[size], columns: COLUMNS[size], budget };
  const found = await timeBatch(requireAddon(), pool, shape, limits);
  const promised =
    size !== 'tiny' &&
    shape.perTask === 2 &&
    shape.inner &&
    !shape.preconditioner &&
    shape.threads === availableParallelism();
  return { ...found, target: promised ? targetShare(shape.dtype, shape.tasks * shape.perTask) : null };
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
