/** How fast gradients are taken in one by one, next to how fast this machine reads two vectors and writes one. */
import { selectBackend } from '../backends/select.js';
import { viewGradient } from '../gradients/gradient.js';
import type { Dtype } from '../gradients/layout.js';
import type { TimedBackend } from './batch.js';
import { allocateRow, ELEMENT_BYTES, type Row } from './memory.js';
import { interleave, type Limits, wallSeconds } from './pairs.js';
import { type Probing, updateProbe } from './probe.js';
import { medianRatio, type Timing, timing } from './timing.js';

/** Gradients that come in turn: one alone would stay in a large cache. */
export const STREAMED_ROWS = 4;

export interface StreamTimed {
  readonly dtype: Dtype;
  readonly threads: number;
  readonly d: number;
  readonly bytesPerElement: number;
  readonly call: Timing;
  /** Of the probe: bytes per second. */
  readonly probeRate: number;
  readonly share: number;
}

/**
 * @param rows the gradients @param probed as many of float32, for the probe
 * @throws PikeError `ERR_NO_BACKEND`
 */
export async function timeStream(
  addon: Probing,
  rows: readonly Row[],
  probed: readonly Row[],
  threads: number,
  limits: Limits,
  choice: TimedBackend = 'cpu',
): Promise<StreamTimed> {
  const { dtype, array } = rows[0];
  const d = array.length;
  const backend = selectBackend(choice, { threads }).source.current;
  const views = rows.map(({ gradient }) => viewGradient(gradient, 'gradient'));
  const stream = backend.stream({ tasks: 1, layout: views[0], inner: false });
  await stream.add(0, views[0], 4, null); // the first only writes
  const mean = allocateRow(d);
  const gradients = probed.map((row) => row.array as Float32Array);
  let turn = 0;
  const times = await interleave(
    {
      probe: updateProbe(addon, mean.array.fill(0) as Float32Array, gradients, threads),
      own: () => wallSeconds(() => stream.add(0, views[turn++ % views.length], 4, null)),
    },
    limits,
  );
  stream.dispose();
  mean.gradient.dispose();
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
