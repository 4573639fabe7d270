/**
 * The sums of a measurement in plain loops over float64, as their formulas stand. Shares nothing with the rest of the
 * library but its types: what the reference itself is held against.
 */
import type { MomentsRequest } from '../backends/backend.js';
import type { HostView, TensorMemory } from '../gradients/host-gradient.js';
import type { Dtype } from '../gradients/layout.js';
import type { Moments } from '../statistics/statistics.js';

/** A measurement of gradients in host memory. */
export interface HostRequest extends MomentsRequest {
  readonly rows: readonly (readonly HostView[])[];
  readonly preconditioner: HostView | null;
}

const words = new DataView(new ArrayBuffer(4));

export function numberAt(memory: TensorMemory, dtype: Dtype, index: number): number {
  const bits = memory[index];
  if (dtype === 'float32' || dtype === 'float64') return bits;
  if (dtype === 'bfloat16') {
    words.setUint32(0, bits << 16);
    return words.getFloat32(0);
  }
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** `Moments` as its formulas stand. */
export function plainMoments(request: HostRequest): Moments {
  const { rows, samples, preconditioner } = request;
  const length = rows.flat()[0]?.length ?? 0;
  const columns = (view: HostView) => {
    const values = new Float64Array(view.length);
    let c = 0;
    for (let t = 0; t < view.tensors.length; t++)
      for (let i = 0; i < view.lengths[t]; i++) values[c++] = numberAt(view.tensors[t], view.dtypes[t], i);
    return values;
  };
  const D = preconditioner ? columns(preconditioner) : new Float64Array(length).fill(1);
  const product = (a: Float64Array, b: Float64Array) => {
    let sum = 0;
    for (let c = 0; c < length; c++) sum += a[c] * D[c] * b[c];
    return sum;
  };
  const values = rows.map((task) => task.map(columns));
  const n = samples.map((sizes) => sizes.reduce((a, b) => a + b, 0));
  const means = values.map((task, k) => {
    const mean = new Float64Array(length);
    task.forEach((row, i) => {
      for (let c = 0; c < length; c++) mean[c] += (samples[k][i] / n[k]) * row[c];
    });
    return mean;
  });
  const away = values.map((task, k) => task.map((row) => row.map((x, c) => x - means[k][c])));
  return {
    microBatches: Int32Array.from(rows, (task) => task.length),
    samples: Float64Array.from(n),
    deviation: Float64Array.from(away, (task, k) =>
      task.reduce((sum, row, i) => sum + samples[k][i] * product(row, row), 0),
    ),
    meanNormSquared: Float64Array.from(means, (mean) => product(mean, mean)),
    meanInner: request.inner
      ? Float64Array.from(means.flatMap((a) => means.map((b) => product(a, b))))
      : null,
    rowDeviation: request.rowScalars
      ? Float64Array.from(away.flatMap((task) => task.map((row) => product(row, row))))
      : null,
    rowAlignment: request.rowScalars
      ? Float64Array.from(away.flatMap((task, k) => task.map((row) => product(row, means[k]))))
      : null,
  };
}
