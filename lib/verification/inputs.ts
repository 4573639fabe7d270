/**
 * Measurements to verify: shapes, and the numbers that belong to them. A problem gives the same numbers on every machine,
 * so results of one can be held against those of another to the last bit.
 */
import type { DeviceDtype } from '../gradients/device-gradient.js';
import type { Dtype } from '../gradients/layout.js';
import { HOSTILE, type HostileValues, held } from './hostile.js';
import { randomNumbers } from './random.js';

export type { DeviceDtype };
export const DEVICE_DTYPES: readonly DeviceDtype[] = ['float32', 'bfloat16', 'float16'];
export const HOST_DTYPES: readonly Dtype[] = ['float32', 'bfloat16', 'float16', 'float64'];
export const ELEMENT_BYTES: Readonly<Record<Dtype, number>> = {
  float32: 4,
  bfloat16: 2,
  float16: 2,
  float64: 8,
};

/** 16-bit floats are their bits. */
export type DeviceMemory = Float32Array | Uint16Array;
export type Memory = Float32Array | Float64Array | Uint16Array;

/** What gradients are made of. All but the first are chosen to make sums go wrong. */
export type Values = 'random' | 'constant' | 'magnitudes' | 'spike' | 'subnormal' | HostileValues;

/** @typeParam D what the backends in question read */
export interface Problem<D extends Dtype = DeviceDtype> {
  readonly name: string;
  readonly dtype: D;
  /** Element types tensor by tensor in turn, where they are not all `dtype`. */
  readonly mixed?: readonly D[] | undefined;
  /** Of every tensor. */
  readonly lengths: readonly number[];
  /** m_k, of every task. */
  readonly rowsPerTask: readonly number[];
  /** Form the products of the means. */
  readonly inner: boolean;
  /** Hand in row after row, and not all at once. */
  readonly streamed: boolean;
  /** Element types of a preconditioner, tensor by tensor in turn; null for none. */
  readonly metric: readonly D[] | null;
  /** Elements by which row r lies out of alignment: r · shift modulo 8. */
  readonly shift: number;
  readonly values: Values;
  readonly seed: number;
}

export interface Inputs<M extends Memory = Memory> {
  /** `rows[k][i]`: the tensors of micro-batch i of task k. */
  readonly rows: readonly (readonly (readonly M[])[])[];
  /** Samples of each, from 1 to 8. */
  readonly samples: readonly (readonly number[])[];
  /** The tensors of the preconditioner. */
  readonly metric: readonly M[] | null;
}

/** Of each tensor of a row. */
export function dtypesOf({ dtype, mixed, lengths }: Problem<Dtype>): Dtype[] {
  return lengths.map((_, t) => (mixed ? mixed[t % mixed.length] : dtype));
}

export function drawInputs(problem: Problem): Inputs<DeviceMemory>;
export function drawInputs(problem: Problem<Dtype>): Inputs;
export function drawInputs(problem: Problem<Dtype>): Inputs {
  const { lengths, rowsPerTask, metric, values, seed } = problem;
  const random = randomNumbers(seed);
  const dtypes = dtypesOf(problem);
  let row = 0;
  const rows = rowsPerTask.map((count) =>
    Array.from({ length: count }, () => {
      const next = draw(values, problem.dtype, random, ++row);
      return lengths.map((length, t) => fill(dtypes[t], length, next));
    }),
  );
  const samples = rowsPerTask.map((count) =>
    Array.from({ length: count }, () => 1 + Math.floor(8 * random())),
  );
  return {
    rows,
    samples,
    metric: metric && lengths.map((length, t) => fill(metric[t % metric.length], length, random)),
  };
}

const MAGNITUDES = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1e3, 1e4, 1e5, 1e6];

/** Gives the elements of one row, one after the other. No `pow` or `exp`: their last bits differ by machine. */
function draw(values: Values, dtype: Dtype, random: () => number, row: number): () => number {
  let i = 0;
  switch (values) {
    case 'random':
      return () => 2 * random() - 1;
    case 'constant':
      return () => 1 / 3;
    case 'magnitudes':
      return () => MAGNITUDES[i++ % MAGNITUDES.length];
    case 'spike':
      return () => (i++ === 17 ? 30_000 : 2 * random() - 1);
    case 'subnormal':
      return () => (2 * random() - 1) * LEAST_NORMAL[dtype];
    default:
      return () => held(HOSTILE[values](i++, row, random()), dtype);
  }
}

/** All that is closer to 0 is subnormal. */
const LEAST_NORMAL: Readonly<Record<Dtype, number>> = {
  float32: 2 ** -126,
  bfloat16: 2 ** -126,
  float16: 2 ** -14,
  float64: 2 ** -1022,
};

function fill(dtype: Dtype, length: number, next: () => number): Memory {
  if (dtype === 'float32') return Float32Array.from({ length }, next);
  if (dtype === 'float64') return Float64Array.from({ length }, next);
  return Uint16Array.from({ length }, () => encodeHalf(dtype, next()));
}

const asFloat = new Float32Array(1);
const asBits = new Uint32Array(asFloat.buffer);

/** The nearest number towards zero, as bits. What float16 has no normal number for becomes 0 or its largest. */
export function encodeHalf(dtype: 'bfloat16' | 'float16', value: number): number {
  asFloat[0] = value;
  const bits = asBits[0];
  if (dtype === 'bfloat16') return bits >>> 16;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  if (exponent < 1) return sign;
  if (exponent > 30) return sign | 0x7bff;
  return sign | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

/** A problem with the usual in place of what is left out. */
export function problem<D extends Dtype = DeviceDtype>(
  given: Partial<Problem<D>> & Pick<Problem, 'lengths' | 'rowsPerTask'>,
): Problem<D> {
  const whole = {
    dtype: 'float32' as D,
    inner: true,
    streamed: false,
    metric: null,
    shift: 0,
    values: 'random',
    seed: 1,
    ...given,
  } as const;
  return { ...whole, name: given.name ?? describe(whole) };
}

function describe(of: Omit<Problem<Dtype>, 'name'>): string {
  const d = of.lengths.reduce((a, b) => a + b, 0);
  return [
    of.mixed ? of.mixed.join(' and ') : of.dtype,
    `rows ${describeRows(of.rowsPerTask)}`,
    `d ${d}${of.lengths.length > 1 ? ` in ${of.lengths.length} tensors` : ''}`,
    of.inner ? 'with products' : '',
    of.streamed ? 'streamed' : '',
    of.metric ? `in a metric of ${of.metric.join(' and ')}` : '',
    of.shift ? `shift ${of.shift}` : '',
    of.values === 'random' ? '' : of.values,
  ]
    .filter(Boolean)
    .join(', ');
}

/** As in '8×4' for 8 tasks of 4 rows each, else '2+0+5'. */
function describeRows(rowsPerTask: readonly number[]): string {
  const [first] = rowsPerTask;
  if (rowsPerTask.every((m) => m === first)) return `${rowsPerTask.length}×${first}`;
  return rowsPerTask.join('+');
}
