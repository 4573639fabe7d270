/** How fast gradients are taken in one by one, as a share of how fast this machine reads two vectors and writes one. */
import { availableParallelism } from 'node:os';
import { createCpuBackend } from '../../dist/backends/cpu.js';
import { viewGradient } from '../../dist/gradients/gradient.js';
import type { Dtype } from '../../dist/gradients/layout.js';
import { RefusedError } from '../part-process.js';
import { atLeast, type Check, type PartReport, partReport, percent, short } from '../report.js';
import type { Size } from '../size.js';
import { medianRatio, type Timing, timing } from '../statistics.js';
import { allocateRow, ELEMENT_BYTES, type Row, RowPool } from './memory.js';
import { interleave, LIMITS, wallSeconds } from './pairs.js';
import { updateProbe } from './probe.js';
import { COLUMNS } from './shapes.js';
import { LEAST_STREAMING_SHARE } from './targets.js';
import { TINY_NOTE } from './throughput.js';

/** Gradients that come in turn: one alone would stay in a large cache. */
const GRADIENTS = 4;

export interface Streaming {
  readonly dtype: Dtype;
  readonly threads: number;
  readonly d: number;
  readonly bytesPerElement: number;
  readonly call: Timing;
  /** Of the probe: bytes per second. */
  readonly probeRate: number;
  readonly share: number;
}

export async function streaming(size: Size): Promise<PartReport> {
  const threads = availableParallelism();
  const dtypes: readonly Dtype[] =
    size === 'tiny' ? ['float32'] : ['float32', 'bfloat16', 'float16', 'float64'];
  const d = COLUMNS[size];
  const probed = new RowPool('float32').take(GRADIENTS, d);
  const found: Streaming[] = [];
  for (const dtype of dtypes) {
    const rows = dtype === 'float32' ? probed : new RowPool(dtype).take(GRADIENTS, d);
    found.push(await timeStream(rows, probed, threads, size));
    if (dtype === 'float32' && threads > 1) found.push(await timeStream(rows, probed, 1, size));
  }
  return partReport({
    checks: size === 'tiny' ? [] : found.flatMap((each) => streamingCheck(each, threads)),
    tables: [streamingTable(found)],
    notes: size === 'tiny' ? [TINY_NOTE] : [],
    data: found,
  });
}

async function timeStream(
  rows: readonly Row[],
  probed: readonly Row[],
  threads: number,
  size: Size,
): Promise<Streaming> {
  const { dtype, array } = rows[0];
  const d = array.length;
  const backend = createCpuBackend({ threads, byName: true });
  if ('unavailable' in backend) throw new RefusedError(backend.unavailable);
  const views = rows.map(({ gradient }) => viewGradient(gradient, 'gradient'));
  const stream = backend.stream({ tasks: 1, layout: views[0], inner: false });
  await stream.add(0, views[0], 4, null); // the first only writes
  const mean = allocateRow(d).array.fill(0) as Float32Array;
  const gradients = probed.map((row) => row.array as Float32Array);
  let turn = 0;
  const times = await interleave(
    {
      probe: updateProbe(mean, gradients, threads),
      own: () => wallSeconds(() => stream.add(0, views[turn++ % views.length], 4, null)),
    },
    LIMITS[size],
  );
  stream.dispose();
  // The gradient is read, its mean read and written: in float32, or in float64 for float64.
  const bytesPerElement = ELEMENT_BYTES[dtype] + (dtype === 'float64' ? 16 : 8);
  return {
    dtype,
    threads,
    d,
    bytesPerElement,
    call: timing(times.own),
    probeRate: (12 * d) / timing(times.probe).median,
    share: (bytesPerElement / 12) * medianRatio(times.probe, times.own),
  };
}

export function streamingCheck({ dtype, threads, share, d }: Streaming, all: number): Check[] {
  if (dtype !== 'float32' || threads !== all) return [];
  return [
    atLeast(`share of the update probe: streaming, float32, ${short(d)}`, share, LEAST_STREAMING_SHARE),
  ];
}

function streamingTable(found: readonly Streaming[]) {
  return {
    title: 'Streamed, one micro-batch after the other: medians of whole calls',
    head: ['dtype', 'd', 'threads', 'bytes per element', 'ms', 'GB/s', 'probe GB/s', 'of probe'],
    rows: found.map(({ dtype, d, threads, bytesPerElement, call, probeRate, share }) => [
      dtype,
      short(d),
      String(threads),
      String(bytesPerElement),
      short(1000 * call.median),
      short((bytesPerElement * d) / call.median / 1e9),
      short(probeRate / 1e9),
      percent(share),
    ]),
  };
}
