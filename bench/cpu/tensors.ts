/** What it costs that a gradient comes as a list of tensors, as a training stack has it, and not as one. */
import { availableParallelism } from 'node:os';
import { statistics } from '../../dist/backends/measure.js';
import { type Row, RowPool, tensorOf } from '../../dist/throughput/memory.js';
import { interleave, LIMITS, wallSeconds } from '../../dist/throughput/pairs.js';
import { readProbe } from '../../dist/throughput/probe.js';
import type { Size } from '../../dist/throughput/size.js';
import { medianRatio, type Timing, timing } from '../../dist/throughput/timing.js';
import { type PartReport, partReport, percent, short } from '../report.js';
import { requireAddon } from './addon.js';

const [TASKS, PER_TASK] = [4, 2];

/** Lengths of the parameter tensors of a transformer: embedding, blocks of 12 tensors, last norm. */
export function transformer(vocabulary: number, width: number, blocks: number): number[] {
  const block = [
    ...[width, width], // norm
    ...[3 * width * width, 3 * width, width * width, width], // attention
    ...[width, width], // norm
    ...[4 * width * width, 4 * width, 4 * width * width, width], // MLP
  ];
  return [vocabulary * width, ...Array.from({ length: blocks }, () => block).flat(), width, width];
}

function lists(size: Size): Record<string, number[]> {
  if (size === 'tiny') return { 'transformer of 32': transformer(100, 32, 2) };
  return {
    'transformer of 256': transformer(8000, 256, 12),
    '20,000 tensors of 1 to 1000': Array.from({ length: 20_000 }, (_, t) => 1 + ((t * 379) % 1000)),
  };
}

interface Listed {
  readonly name: string;
  readonly tensors: number;
  readonly d: number;
  readonly list: Timing;
  readonly flat: Timing;
  /** How many times as long the list takes. */
  readonly ratio: number;
  readonly share: number;
}

export async function tensors(size: Size): Promise<PartReport> {
  const found: Listed[] = [];
  for (const [name, lengths] of Object.entries(lists(size))) found.push(await timeList(name, lengths, size));
  return partReport({
    tables: [
      {
        title: `${TASKS}×${PER_TASK} rows of float32 as lists of tensors and as one tensor each: medians in ms`,
        head: ['', 'tensors', 'd', 'list', 'flat', 'ratio', 'of probe'],
        rows: found.map((each) => [
          each.name,
          String(each.tensors),
          short(each.d),
          short(1000 * each.list.median),
          short(1000 * each.flat.median),
          each.ratio.toFixed(2),
          percent(each.share),
        ]),
      },
    ],
    data: found,
  });
}

async function timeList(name: string, lengths: readonly number[], size: Size): Promise<Listed> {
  const d = lengths.reduce((sum, length) => sum + length, 0);
  const rows = new RowPool('float32').take(TASKS * PER_TASK, d);
  const threads = availableParallelism();
  const options = { samples: tasksOf(rows).map((task) => task.map(() => 4)), inner: true, threads };
  const flat = tasksOf(rows.map(({ gradient }) => gradient));
  const listed = tasksOf(rows.map((row) => cut(row, lengths)));
  const arrays = rows.map(({ array }) => array);
  const times = await interleave(
    {
      probe: readProbe(requireAddon(), arrays, 8, threads),
      list: () => wallSeconds(() => statistics(listed, { ...options, backend: 'cpu' })),
      flat: () => wallSeconds(() => statistics(flat, { ...options, backend: 'cpu' })),
    },
    LIMITS[size],
  );
  return {
    name,
    tensors: lengths.length,
    d,
    list: timing(times.list),
    flat: timing(times.flat),
    ratio: medianRatio(times.list, times.flat),
    share: medianRatio(times.probe, times.list),
  };
}

const tasksOf = <T>(rows: readonly T[]): T[][] =>
  Array.from({ length: TASKS }, (_, k) => rows.slice(k * PER_TASK, (k + 1) * PER_TASK));

function cut(row: Row, lengths: readonly number[]) {
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return tensorOf(row, end - length, length);
  });
}
