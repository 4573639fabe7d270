/** How fast gradients are taken in one by one, as a share of how fast this machine reads two vectors and writes one. */
import { availableParallelism } from 'node:os';
import type { Dtype } from '../../dist/gradients/layout.js';
import { RowPool } from '../../dist/throughput/memory.js';
import { LIMITS } from '../../dist/throughput/pairs.js';
import type { Size } from '../../dist/throughput/size.js';
import { STREAMED_ROWS, type StreamTimed, timeStream } from '../../dist/throughput/streamed.js';
import { atLeast, type Check, type PartReport, partReport, percent, short } from '../report.js';
import { requireAddon } from './addon.js';
import { COLUMNS } from './shapes.js';
import { LEAST_STREAMING_SHARE } from './targets.js';
import { TINY_NOTE } from './throughput.js';

export async function streaming(size: Size): Promise<PartReport> {
  const addon = requireAddon();
  const threads = availableParallelism();
  const dtypes: readonly Dtype[] =
    size === 'tiny' ? ['float32'] : ['float32', 'bfloat16', 'float16', 'float64'];
  const d = COLUMNS[size];
  const probed = new RowPool('float32').take(STREAMED_ROWS, d);
  const found: StreamTimed[] = [];
  for (const dtype of dtypes) {
    const rows = dtype === 'float32' ? probed : new RowPool(dtype).take(STREAMED_ROWS, d);
    found.push(await timeStream(addon, rows, probed, threads, LIMITS[size]));
    if (dtype === 'float32' && threads > 1)
      found.push(await timeStream(addon, rows, probed, 1, LIMITS[size]));
  }
  return partReport({
    checks: size === 'tiny' ? [] : found.flatMap((each) => streamingCheck(each, threads)),
    tables: [streamingTable(found)],
    notes: size === 'tiny' ? [TINY_NOTE] : [],
    data: found,
  });
}

export function streamingCheck({ dtype, threads, share, d }: StreamTimed, all: number): Check[] {
  if (dtype !== 'float32' || threads !== all) return [];
  return [
    atLeast(`share of the update probe: streaming, float32, ${short(d)}`, share, LEAST_STREAMING_SHARE),
  ];
}

function streamingTable(found: readonly StreamTimed[]) {
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
