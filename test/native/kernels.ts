/**
 * The CUDA kernels in the emulator, as tests call them, and measurements to call them with.
 */
import { createReferenceBackend } from '../../lib/backends/reference.js';
import { type Gradient, viewGradient } from '../../lib/gradients/gradient.js';
import type { Moments } from '../../lib/statistics/statistics.js';
import { loadTestAddon, type Source } from './compile.js';
import { EMULATOR_SOURCES } from './emulator/sources.js';

export type DeviceDtype = 'float32' | 'bfloat16' | 'float16';
export const DEVICE_DTYPES: readonly DeviceDtype[] = ['float32', 'bfloat16', 'float16'];
type Memory = Float32Array | Uint16Array;

/** native/core/dtype.h */
const DTYPE_NUMBERS: Record<DeviceDtype, number> = { float32: 0, bfloat16: 2, float16: 3 };

/** A measurement: `rows[k][i]` is micro-batch i of task k, a list of tensors. */
export interface Measurement {
  readonly dtype: DeviceDtype;
  readonly lengths: readonly number[];
  readonly rows: readonly (readonly (readonly Memory[])[])[];
  readonly samples: readonly (readonly number[])[];
  readonly inner: boolean;
  readonly preconditioner?: { readonly dtypes: readonly DeviceDtype[]; readonly tensors: readonly Memory[] };
}

export interface Run {
  /** Index in the list of schedules. */
  readonly schedule?: number;
  /** Blocks that share the virtual blocks; as many when left out. */
  readonly blocks?: number;
  /** Launches one after the other with the same workspace. */
  readonly launches?: number;
  readonly update?: {
    readonly options: Record<string, number>;
    readonly counts: Float64Array;
    readonly inputs: Float64Array;
  };
}

export interface KernelResult {
  readonly path: 'registers' | 'tiles' | 'welford';
  readonly rowDeviation?: Float64Array;
  readonly rowAlignment?: Float64Array;
  readonly deviation: Float64Array;
  readonly meanNormSquared: Float64Array;
  /** Products (0,1), (0,2), (1,2), (0,3), …; none without `inner`. */
  readonly pairs?: Float64Array;
  readonly outputs?: Float64Array;
  readonly measured?: boolean;
  readonly limited?: boolean;
  readonly atRest: boolean;
  readonly virtualBlocks: number;
  readonly firstInvalid: number;
}

interface KernelsAddon {
  readonly shortSchedules: readonly string[];
  readonly thoroughSchedules: readonly string[];
  release(): void;
  measure(request: object): KernelResult;
  stream(request: object): KernelResult;
}

const SOURCES = [
  'test/native/kernels_addon.cpp',
  'native/cuda/plan.cpp',
  'native/cuda/check_metric.cu',
  'native/cuda/launch.cu',
  'native/cuda/finish.cu',
  ...DEVICE_DTYPES.map((dtype) => `native/cuda/kernels_${dtype}.cu`),
  ...EMULATOR_SOURCES,
];

/** The kernels as they are, or with some sources replaced. */
export class Kernels {
  readonly #addon: KernelsAddon;
  readonly schedules: { readonly short: readonly string[]; readonly thorough: readonly string[] };

  private constructor(addon: KernelsAddon) {
    this.#addon = addon;
    this.schedules = { short: addon.shortSchedules, thorough: addon.thoroughSchedules };
  }

  /** @param replaced other files in the place of some of the sources */
  static async load(replaced: Readonly<Record<string, Source>> = {}): Promise<Kernels> {
    const sources = [...new Set(SOURCES.map((source) => replaced[source] ?? source))];
    return new Kernels(await loadTestAddon<KernelsAddon>({ name: 'kernels', sources }));
  }

  /** All rows in one launch. */
  measure(measurement: Measurement, run: Run = {}): KernelResult {
    return this.#addon.measure(request(measurement, run));
  }

  /** Gives memory of the emulator back, for whoever loads many builds. */
  release(): void {
    this.#addon.release();
  }

  /** Row after row by Welford's update, then the products of the means. */
  stream(measurement: Measurement, run: Run = {}): KernelResult {
    return this.#addon.stream(request(measurement, run));
  }
}

function request(measurement: Measurement, run: Run): object {
  const { dtype, lengths, rows, samples, inner, preconditioner } = measurement;
  return {
    ...run,
    dtype: DTYPE_NUMBERS[dtype],
    lengths,
    rowsPerTask: rows.map((task) => task.length),
    inner,
    tensors: rows.flat(2),
    rowSamples: samples.flat(),
    preconditioner: preconditioner && {
      dtypes: preconditioner.dtypes.map((name) => DTYPE_NUMBERS[name]),
      tensors: preconditioner.tensors,
    },
  };
}

/** Numbers of a dtype whose squares are far from the limits of float32. */
export function drawMemory(dtype: DeviceDtype, length: number, random: () => number, shift = 0): Memory {
  // Kernels read sixteen aligned bytes at once where they can; `shift` elements keep them from it.
  const array =
    dtype === 'float32'
      ? new Float32Array(length + shift).subarray(shift)
      : new Uint16Array(length + shift).subarray(shift);
  for (let i = 0; i < length; i++)
    array[i] = dtype === 'float32' ? 2 * random() - 1 : drawBits(dtype, random);
  return array;
}

function drawBits(dtype: DeviceDtype, random: () => number): number {
  const sign = random() < 0.5 ? 0 : 0x8000;
  if (dtype === 'bfloat16') return sign | (Math.floor(112 + 18 * random()) << 7) | Math.floor(128 * random());
  return sign | Math.floor(0x4000 * random()); // below 2, down to the subnormal numbers
}

export interface MeasurementOptions {
  readonly dtype?: DeviceDtype;
  readonly lengths: readonly number[];
  readonly rowsPerTask: readonly number[];
  readonly inner?: boolean;
  readonly metric?: readonly DeviceDtype[];
  /** Elements by which row r is out of alignment. */
  readonly shift?: (row: number) => number;
}

export function drawMeasurement(options: MeasurementOptions, random: () => number): Measurement {
  const { dtype = 'float32', lengths, rowsPerTask, inner = true, metric, shift = () => 0 } = options;
  let row = 0;
  const rows = rowsPerTask.map((count) =>
    Array.from({ length: count }, () => {
      const by = shift(row++);
      return lengths.map((length) => drawMemory(dtype, length, random, by));
    }),
  );
  const samples = rows.map((task) => task.map(() => 1 + Math.floor(8 * random())));
  const base = { dtype, lengths, rows, samples, inner };
  if (!metric) return base;
  const tensors = lengths.map((length, t) => {
    const D = drawMemory(metric[t % metric.length], length, random);
    return D instanceof Float32Array ? D.map(Math.abs) : D.map((bits) => bits & 0x7fff);
  });
  return { ...base, preconditioner: { dtypes: lengths.map((_, t) => metric[t % metric.length]), tensors } };
}

function toGradient(tensors: readonly Memory[], dtypes: readonly DeviceDtype[]): Gradient {
  return tensors.map((memory, t) =>
    memory instanceof Float32Array
      ? memory
      : { data: memory, dtype: dtypes[t % dtypes.length] as 'bfloat16' | 'float16' },
  );
}

/** The same sums by the TypeScript reference, and u_k = max_i ‖g_ki‖. */
export async function referenceMoments(
  measurement: Measurement,
): Promise<{ moments: Moments; largestNorm: Float64Array }> {
  const { rows, samples, inner, preconditioner, dtype } = measurement;
  const backend = createReferenceBackend();
  const views = rows.map((task) => task.map((row) => viewGradient(toGradient(row, [dtype]), 'row')));
  const metric = preconditioner
    ? viewGradient(toGradient(preconditioner.tensors, preconditioner.dtypes), 'preconditioner')
    : null;
  const ask = { preconditioner: metric, inner, rowScalars: true };
  const moments = await backend.moments({ ...ask, rows: views, samples });
  const alone = views.flat().map((view) => [view]);
  const norms = await backend.moments({ ...ask, inner: false, rows: alone, samples: alone.map(() => [1]) });
  let first = 0;
  const largestNorm = Float64Array.from(views, (task) => {
    const own = norms.meanNormSquared.slice(first, first + task.length);
    first += task.length;
    return Math.sqrt(Math.max(0, ...own));
  });
  return { moments, largestNorm };
}

/**
 * The largest error of a result as a share of what the promise allows at ε = 1: u_j u_k for products, u_k² for norms
 * and what belongs to a row, n_k (m_k − 1) u_k² for deviations.
 */
export function largestError(
  result: KernelResult,
  { moments, largestNorm }: Awaited<ReturnType<typeof referenceMoments>>,
): number {
  const K = largestNorm.length;
  const { microBatches: m, samples: n } = moments;
  if (moments.meanInner && !result.pairs?.length && K > 1) throw new Error('the products are missing');
  let largest = 0;
  const compare = (actual: number, expected: number, scale: number) => {
    if (actual === expected) return;
    const error = Math.abs(actual - expected) / scale;
    largest = Math.max(largest, Number.isNaN(error) ? Infinity : error);
  };
  let row = 0;
  for (let k = 0; k < K; k++) {
    const u = largestNorm[k];
    compare(result.meanNormSquared[k], moments.meanNormSquared[k], u * u);
    compare(result.deviation[k], moments.deviation[k], n[k] * Math.max(1, m[k] - 1) * u * u);
    for (let j = 0; j < k && result.pairs?.length; j++)
      compare(result.pairs[(k * (k - 1)) / 2 + j], moments.meanInner![j * K + k], u * largestNorm[j]);
    for (let i = 0; i < m[k]; i++, row++) {
      if (!result.rowDeviation) continue;
      compare(result.rowDeviation[row], moments.rowDeviation![row], 4 * u * u);
      compare(result.rowAlignment![row], moments.rowAlignment![row], 2 * u * u);
    }
  }
  return largest;
}
