/**
 * Measurements to run on a GPU: shapes, and the numbers that belong to them. A problem gives the same numbers on every
 * machine, so results of the emulator can be held against those of a GPU to the last bit.
 */
import { randomNumbers } from '../random.js';

export type DeviceDtype = 'float32' | 'bfloat16' | 'float16';
export const DEVICE_DTYPES: readonly DeviceDtype[] = ['float32', 'bfloat16', 'float16'];
export const ELEMENT_BYTES: Readonly<Record<DeviceDtype, number>> = { float32: 4, bfloat16: 2, float16: 2 };

/** 16-bit floats are their bits. */
export type Memory = Float32Array | Uint16Array;

/** What gradients are made of. All but the first are chosen to make sums go wrong. */
export type Values = 'random' | 'constant' | 'magnitudes' | 'spike';

export interface Problem {
  readonly name: string;
  readonly dtype: DeviceDtype;
  /** Of every tensor. */
  readonly lengths: readonly number[];
  /** m_k, of every task. */
  readonly rowsPerTask: readonly number[];
  /** Form the products of the means. */
  readonly inner: boolean;
  /** Hand in row after row, and not all at once. */
  readonly streamed: boolean;
  /** Element types of a preconditioner, tensor by tensor in turn; null for none. */
  readonly metric: readonly DeviceDtype[] | null;
  /** Elements by which row r lies out of alignment: r · shift modulo 8. */
  readonly shift: number;
  readonly values: Values;
  readonly seed: number;
}

export interface Inputs {
  /** `rows[k][i]`: the tensors of micro-batch i of task k. */
  readonly rows: readonly (readonly (readonly Memory[])[])[];
  /** Samples of each, from 1 to 8. */
  readonly samples: readonly (readonly number[])[];
  /** The tensors of the preconditioner. */
  readonly metric: readonly Memory[] | null;
}

export function drawInputs(problem: Problem): Inputs {
  const { dtype, lengths, rowsPerTask, metric, values, seed } = problem;
  const random = randomNumbers(seed);
  const draw = drawers[values];
  const rows = rowsPerTask.map((count) =>
    Array.from({ length: count }, () => {
      const next = draw(random);
      return lengths.map((length) => fill(dtype, length, next));
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

/** Each gives the elements of one row, one after the other. No `pow` or `exp`: their last bits differ by machine. */
const drawers: Readonly<Record<Values, (random: () => number) => () => number>> = {
  random: (random) => () => 2 * random() - 1,
  constant: () => () => 1 / 3,
  magnitudes: () => {
    let i = 0;
    return () => MAGNITUDES[i++ % MAGNITUDES.length];
  },
  spike: (random) => {
    let i = 0;
    return () => (i++ === 17 ? 30_000 : 2 * random() - 1);
  },
};

function fill(dtype: DeviceDtype, length: number, next: () => number): Memory {
  if (dtype === 'float32') return Float32Array.from({ length }, next);
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
export function problem(given: Partial<Problem> & Pick<Problem, 'lengths' | 'rowsPerTask'>): Problem {
  const whole = {
    dtype: 'float32',
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

function describe(of: Omit<Problem, 'name'>): string {
  const d = of.lengths.reduce((a, b) => a + b, 0);
  return [
    of.dtype,
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
