/** How fast gradients are read, as a share of how fast the same GPU copies, both timed in turn. */
import { dtypeNumbers, isStatus } from '../../dist/backends/native-call.js';
import type { Size } from '../../dist/throughput/size.js';
import { medianRatio, shareOfCopy, type Timing, timing } from '../../dist/throughput/timing.js';
import { DEVICE_DTYPES, type DeviceDtype, ELEMENT_BYTES } from '../../dist/verification/inputs.js';
import { atLeast, below, type Check, type PartReport, partReport, percent, short } from '../report.js';
import { Gpu, toError } from './device.js';
import { MOST_FUSED_COST, MOST_PROMISED_ROWS, targetShare } from './targets.js';
import { longestRow, rowPointers, Slab, type TimedCall, type TimedShape, timedCall } from './timed-rows.js';

/** Bytes of all rows together: much more than any cache, and long enough that launching is no part of it. */
const BYTES: Readonly<Record<Size, number>> = { full: 4e9, quick: 1.2e9, tiny: 65536 };
const RUNS: Readonly<Record<Size, number>> = { full: 30, quick: 12, tiny: 2 };
/** Elements of a row where the cost of solving is promised. */
const FUSED_ELEMENTS: Readonly<Record<Size, number>> = { full: 1e8, quick: 3e7, tiny: 512 };

/** K tasks by m micro-batches: 2, 4, 8, 16, 32, 64 and 128 rows. */
export const TIMED_TASKS: readonly (readonly [tasks: number, rows: number])[] = [
  [1, 2],
  [2, 4],
  [2, 8],
  [4, 16],
  [8, 32],
  [16, 64],
  [16, 128],
];

export interface Throughput extends TimedShape {
  readonly device: Timing;
  readonly wall: Timing;
  readonly copy: Timing;
  readonly share: number;
  readonly target: number;
}

export async function throughput(size: Size): Promise<PartReport> {
  const gpu = new Gpu();
  const slab = new Slab(gpu, BYTES[size], size);
  const found: Throughput[] = [];
  const streamed: Streamed[] = [];
  const shapes = size === 'tiny' ? TIMED_TASKS.slice(0, 3) : TIMED_TASKS;
  for (const dtype of size === 'tiny' ? DEVICE_DTYPES.slice(0, 1) : DEVICE_DTYPES) {
    slab.fill(dtype);
    for (const inner of [false, true])
      for (const [tasks, rows] of shapes) {
        const d = longestRow(slab.bytes, rows, dtype);
        found.push(await timeShape(gpu, slab, { dtype, tasks, rows, d, inner, solve: false }, RUNS[size]));
      }
    streamed.push(await timeStream(gpu, slab, dtype, RUNS[size]));
  }
  gpu.release();
  const fused = await fusedCost(size);
  const checks = [
    ...found.filter((each) => each.rows <= MOST_PROMISED_ROWS).map(shareCheck),
    ...fused.checks,
  ];
  const tiny = size === 'tiny';
  return partReport({
    checks: tiny ? [] : checks,
    tables: [shareTable(found, slab.bytes), streamTable(streamed)],
    notes: [
      ...(tiny ? ['The times of so few numbers mean nothing, and no promise is held against them.'] : []),
      ...fused.notes,
      ...memoryNotes(slab.bytes, BYTES[size]),
    ],
    data: { shapes: found, streamed, fused: fused.data },
  });
}

async function timeShape(gpu: Gpu, slab: Slab, shape: TimedShape, runs: number): Promise<Throughput> {
  const call = timedCall(gpu, slab, shape);
  const calls: TimedCall[] = [];
  const copies: number[] = [];
  for (let run = -2; run < runs; run++) {
    const copy = slab.timeCopy();
    const timed = await call();
    if (run < 0) continue; // the first makes plans and wakes the GPU
    copies.push(copy);
    calls.push(timed);
  }
  const device = calls.map((each) => each.milliseconds);
  const bytes = shape.rows * shape.d * ELEMENT_BYTES[shape.dtype];
  return {
    ...shape,
    device: timing(device),
    wall: timing(calls.map((each) => each.wall)),
    copy: timing(copies),
    share: shareOfCopy(bytes, device, slab.copied, copies),
    target: targetShare(shape.dtype, shape.rows),
  };
}

export function shareCheck({ dtype, tasks, rows, inner, share, target }: Throughput): Check {
  const what = `share of the copy rate: ${dtype}, ${tasks}×${rows / tasks} rows${inner ? ', with products' : ''}`;
  return atLeast(what, share, target);
}

function shareTable(found: readonly Throughput[], bytes: number) {
  return {
    title: `Batches of ${short(bytes / 1e9)} GB: medians, times in ms; 'aim' is the share computed beforehand`,
    head: ['dtype', 'K×m', 'd', 'products', 'GPU', 'call', 'GB/s', 'of copy', 'aim', ''],
    rows: found.map((each) => [
      each.dtype,
      `${each.tasks}×${each.rows / each.tasks}`,
      short(each.d),
      each.inner ? 'yes' : 'no',
      short(each.device.median),
      short(each.wall.median),
      String(Math.round((each.rows * each.d * ELEMENT_BYTES[each.dtype]) / each.device.median / 1e6)),
      percent(each.share),
      percent(each.target),
      each.share >= each.target ? 'met' : 'missed',
    ]),
  };
}

interface Streamed {
  readonly dtype: DeviceDtype;
  readonly d: number;
  /** Of one micro-batch, of several handed in at once. */
  readonly wall: Timing;
  readonly share: number;
}

/** Micro-batches handed in without waiting between them. By the clock of the host: streams do not tell their time. */
const IN_FLIGHT = 8;

async function timeStream(gpu: Gpu, slab: Slab, dtype: DeviceDtype, runs: number): Promise<Streamed> {
  // Half for the gradient; the mean takes as much again elsewhere.
  const d = longestRow(slab.bytes / 2, 1, dtype);
  const shape = { dtype, tasks: 1, rows: 1, d, inner: false, solve: false };
  const stream = new gpu.addon.DeviceMomentStream({
    device: gpu.number,
    tasks: 1,
    dtypes: dtypeNumbers([dtype]),
    lengths: Float64Array.of(d),
    inner: false,
  });
  const source = {
    pointers: rowPointers(slab, shape),
    tensors: null,
    streams: BigUint64Array.of(0n),
    owners: [],
  };
  const walls: number[] = [];
  const copies: number[] = [];
  for (let run = -1; run < runs; run++) {
    const copy = slab.timeCopy();
    const started = performance.now();
    const adds = Array.from({ length: IN_FLIGHT }, () => stream.add(0, source, 4, null, null));
    for (const result of await Promise.all(adds)) if (isStatus(result)) throw toError(result);
    if (run < 0) continue;
    walls.push((performance.now() - started) / IN_FLIGHT);
    copies.push(copy);
  }
  stream.dispose();
  const bytes = d * (ELEMENT_BYTES[dtype] + 8); // the gradient is read, its float32 mean read and written
  return { dtype, d, wall: timing(walls), share: shareOfCopy(bytes, walls, slab.copied, copies) };
}

function streamTable(streamed: readonly Streamed[]) {
  return {
    title: `Streamed, ${IN_FLIGHT} micro-batches in flight: medians per micro-batch, times in ms, of the whole call`,
    head: ['dtype', 'd', 'bytes per element', 'call', 'of copy'],
    rows: streamed.map(({ dtype, d, wall, share }) => [
      dtype,
      short(d),
      String(ELEMENT_BYTES[dtype] + 8),
      short(wall.median),
      percent(share),
    ]),
  };
}

/** What it costs to have the weights solved for in the same launch: 3 tasks of 4 rows of float32. */
async function fusedCost(size: Size) {
  const gpu = new Gpu();
  const shape = { dtype: 'float32', tasks: 3, rows: 12, d: FUSED_ELEMENTS[size], inner: false } as const;
  const slab = new Slab(gpu, shape.rows * shape.d * ELEMENT_BYTES.float32, size);
  const d = Math.min(shape.d, longestRow(slab.bytes, shape.rows, 'float32'));
  slab.fill('float32');
  const bare = timedCall(gpu, slab, { ...shape, d, solve: false });
  const fused = timedCall(gpu, slab, { ...shape, d, solve: true });
  const times: { bare: TimedCall[]; fused: TimedCall[] } = { bare: [], fused: [] };
  for (let run = -2; run < RUNS[size]; run++) {
    const pair = { bare: await bare(), fused: await fused() };
    if (run < 0) continue;
    times.bare.push(pair.bare);
    times.fused.push(pair.fused);
  }
  gpu.release();
  const device = (calls: readonly TimedCall[]) => calls.map((call) => call.milliseconds);
  const ratio = medianRatio(device(times.fused), device(times.bare));
  const what = `time with weights over time without, d = ${short(d)}`;
  return {
    checks: [below(what, ratio, MOST_FUSED_COST)],
    notes: [
      `Solving for the weights in the same launch, 3×4 rows of ${short(d)}: × ${ratio.toFixed(3)} of the time.`,
    ],
    data: { d, ratio, bare: timing(device(times.bare)), fused: timing(device(times.fused)) },
  };
}

function memoryNotes(bytes: number, wanted: number): string[] {
  if (bytes >= wanted) return [];
  return [
    `Only ${short(bytes / 1e9)} GB of memory could be had, not ${short(wanted / 1e9)}: times are shorter.`,
  ];
}
