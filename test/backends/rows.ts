/**
 * Random gradients of every element type, and the sums over them in plain loops: what both paths of the native
 * backend are held against. Shares nothing with the library but its types.
 */
import { expect } from 'vitest';
import type { Backend, MomentsRequest } from '../../lib/backends/backend.js';
import { createCpuBackend } from '../../lib/backends/cpu.js';
import type { HostView, TensorMemory } from '../../lib/gradients/host-gradient.js';
import type { Dtype } from '../../lib/gradients/layout.js';
import type { Moments } from '../../lib/statistics/statistics.js';
import { type HostRequest, numberAt, plainMoments } from '../../lib/verification/plain-sums.js';
import { mulberry32 } from '../support/gradients.js';

export { type HostRequest, numberAt, plainMoments };

/** The backend under test. Tests of native code must fail, not be skipped, where it is not built. */
export function cpu(threads?: number): Backend {
  const backend = createCpuBackend({ threads });
  if ('unavailable' in backend) throw new Error(`run \`npm run build:native\` first: ${backend.unavailable}`);
  return backend;
}

/** ε of the promise for random data: sums over doubles are doubles, all others floats of bounded length. */
export function promised(request: HostRequest): number {
  return request.rows.flat().every((row) => row.dtypes.every((dtype) => dtype === 'float64')) ? 1e-12 : 1e-6;
}

const words = new DataView(new ArrayBuffer(4));

/** A number that is exact in bfloat16 or float16, and its bits. (Cut off, not rounded; no subnormals.) */
function toHalf(value: number, dtype: Dtype): number {
  words.setFloat32(0, value);
  const bits = words.getUint32(0);
  if (dtype === 'bfloat16') return bits >>> 16;
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  const sign = (bits >>> 16) & 0x8000;
  if (exponent <= 0) return sign;
  if (exponent >= 31) return sign | 0x7c00;
  return sign | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

export function tensorOf(values: ArrayLike<number>, dtype: Dtype): TensorMemory {
  if (dtype === 'float32') return Float32Array.from(values);
  if (dtype === 'float64') return Float64Array.from(values);
  return Uint16Array.from(values, (value) => toHalf(value, dtype));
}

export function viewOf(tensors: readonly TensorMemory[], dtypes: readonly Dtype[]): HostView {
  const lengths = tensors.map((tensor) => tensor.length);
  return { memory: 'host', tensors, dtypes, lengths, length: lengths.reduce((a, b) => a + b, 0) };
}

/** A flat float32 gradient. */
export function flat(...values: number[]): HostView {
  return viewOf([Float32Array.from(values)], ['float32']);
}

export interface Shape {
  readonly dtypes: readonly Dtype[];
  readonly lengths: readonly number[];
}

export function randomRow(shape: Shape, random: () => number, positive = false): HostView {
  const tensors = shape.lengths.map((length, t) => {
    const values = Float64Array.from({ length }, () => 4 * random() - 1.5);
    return tensorOf(positive ? values.map(Math.abs) : values, shape.dtypes[t]);
  });
  return viewOf(tensors, shape.dtypes);
}

export interface RandomRequest {
  readonly shape: Shape;
  /** m_k */
  readonly microBatches: readonly number[];
  readonly seed: number;
  readonly inner?: boolean;
  readonly rowScalars?: boolean;
  /** Element types of D, if there is to be one. */
  readonly metric?: readonly Dtype[] | null;
}

/** A measurement of unequal micro-batches. */
export function randomRequest(options: RandomRequest): HostRequest {
  const { shape, microBatches, seed, inner = true, rowScalars = true, metric = null } = options;
  const random = mulberry32(seed);
  return {
    rows: microBatches.map((m) => Array.from({ length: m }, () => randomRow(shape, random))),
    samples: microBatches.map((m) => Array.from({ length: m }, () => 1 + Math.floor(random() * 9))),
    inner,
    rowScalars,
    preconditioner: metric && randomRow({ dtypes: metric, lengths: shape.lengths }, random, true),
  };
}

/** The same gradient in memory that every thread may read. */
export function shared(view: HostView): HostView {
  const copies = view.tensors.map((tensor) => {
    const ArrayType = tensor.constructor as new (buffer: SharedArrayBuffer) => TensorMemory;
    const copy = new ArrayType(new SharedArrayBuffer(tensor.byteLength));
    copy.set(tensor);
    return copy;
  });
  return viewOf(copies, view.dtypes);
}

/** A list of more than one chunk, with a metric. */
export function big(seed = 1, length = 1_000_003): HostRequest {
  return randomRequest({
    shape: { dtypes: ['float32', 'bfloat16', 'float64'], lengths: [length - 70_001, 1, 70_000] },
    microBatches: [3, 2],
    seed,
    metric: ['float32', 'float32', 'float16'],
  });
}

/** One task, one flat row. */
export function single(row: HostView, preconditioner: HostView | null = null): HostRequest {
  return { rows: [[row]], samples: [[1]], inner: false, rowScalars: false, preconditioner };
}

/** The same measurement by the streaming path; `order` gives the tasks of successive calls. */
export async function streamed(
  backend: Backend,
  request: MomentsRequest,
  order?: number[],
): Promise<Moments> {
  const { rows, samples, inner, preconditioner } = request;
  const stream = backend.stream({ tasks: rows.length, layout: rows.flat()[0], inner });
  const next = rows.map(() => 0);
  for (const k of order ?? rows.flatMap((task, k) => task.map(() => k))) {
    const i = next[k]++;
    await stream.add(k, rows[k][i], samples[k][i], preconditioner);
  }
  const moments = await stream.moments();
  stream.dispose();
  return moments;
}

/** DESIGN's promise for sums, with u_k the largest norm of a row of task k. */
export function expectClose(actual: Moments, expected: Moments, request: HostRequest, epsilon: number): void {
  const K = request.rows.length;
  const u = request.rows.map((task) =>
    Math.max(
      0,
      ...task.map((row) => plainMoments({ ...request, rows: [[row]], samples: [[1]] }).meanNormSquared[0]),
    ),
  );
  const close = (what: string, a: number, b: number, scale: number) => {
    if (!(Math.abs(a - b) <= epsilon * scale)) expect.fail(`${what}: ${a} instead of ${b}, scale ${scale}`);
  };
  expect(actual.microBatches).toEqual(expected.microBatches);
  expect(actual.samples).toEqual(expected.samples);
  let row = 0;
  for (let k = 0; k < K; k++) {
    const m = request.rows[k].length;
    close(`deviation of ${k}`, actual.deviation[k], expected.deviation[k], m * expected.samples[k] * u[k]);
    close(`norm of ${k}`, actual.meanNormSquared[k], expected.meanNormSquared[k], u[k]);
    for (let j = 0; request.inner && j < K; j++) {
      const at = j * K + k;
      close(`inner of ${j}, ${k}`, actual.meanInner![at], expected.meanInner![at], Math.sqrt(u[j] * u[k]));
    }
    for (let i = 0; actual.rowDeviation && i < m; i++, row++) {
      close(`deviation of row ${row}`, actual.rowDeviation[row], expected.rowDeviation![row], 4 * u[k]);
      close(`alignment of row ${row}`, actual.rowAlignment![row], expected.rowAlignment![row], 4 * u[k]);
    }
  }
  expect(actual.meanInner === null).toBe(!request.inner);
}
