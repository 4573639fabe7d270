/** What `pike-mixer verify` measures: every kind of shape, and numbers made to go wrong, in every element type. */
import type { Dtype } from '../gradients/layout.js';
import { DOUBLE_ERROR, TYPICAL_ERROR, WORST_ERROR } from './compare.js';
import { HOSTILE, type HostileValues } from './hostile.js';
import { type Problem, problem, type Values } from './inputs.js';
import { randomNumbers } from './random.js';

export type HostProblem = Problem<Dtype>;

export interface Posed {
  /** Kind of shape or of numbers, by which results are summed up. */
  readonly group: string;
  readonly problem: HostProblem;
  /** ε that is promised for it. */
  readonly promised: number;
}

export interface ProblemSetOptions {
  readonly size: VerificationSize;
  /** Other numbers, and other shapes where they are random. */
  readonly seed: number;
  /** What the backend reads. */
  readonly dtypes: readonly Dtype[];
  /** Whether one gradient may hold tensors of several element types. */
  readonly mixed: boolean;
}

/** All, less of everything, or only whether it runs ('tiny', for tests). */
export type VerificationSize = 'full' | 'quick' | 'tiny';

const repeat = (count: number, rows: number) => new Array<number>(count).fill(rows);

/** Rows per task, with products or without. The first ones are those of `quick`. */
const SHAPES: readonly (readonly [rowsPerTask: readonly number[], inner: boolean])[] = [
  [[2], false],
  [[2, 2], true],
  [[4, 4, 4, 4], true],
  [[3, 0, 4], true],
  [[8, 1, 3], false],
  [[17, 2], true],
  [repeat(32, 2), true],
  [[5, 2, 2], true],
  [repeat(8, 4), true],
  [repeat(8, 8), true],
  [repeat(20, 2), false],
  [repeat(64, 2), true],
  [[127, 1], true],
  [[33, 0, 2, 17], true],
  [[9, 100, 2], false],
  [[200, 3], false],
];
const QUICK_SHAPES = 7;

/** Elements of all rows of a problem together. */
const ELEMENTS: Readonly<Record<VerificationSize, number>> = { full: 2e6, quick: 1e5, tiny: 3000 };
const LONG_ROW: Readonly<Record<VerificationSize, number>> = {
  full: 3_000_017,
  quick: 300_007,
  tiny: 5003,
};
const RANDOM_SHAPES: Readonly<Record<VerificationSize, number>> = { full: 200, quick: 30, tiny: 4 };

const HOSTILE_VALUES: readonly Values[] = [
  'constant',
  'magnitudes',
  'spike',
  'subnormal',
  ...(Object.keys(HOSTILE) as HostileValues[]),
];

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

export function problemSet(options: ProblemSetOptions): Posed[] {
  const posed: Posed[] = [];
  const add = (
    group: string,
    given: Omit<Partial<HostProblem>, 'seed'> & Pick<HostProblem, 'lengths' | 'rowsPerTask'>,
  ) => {
    const own = problem<Dtype>({ ...given, seed: 1000 * options.seed + posed.length });
    posed.push({ group, problem: own, promised: promisedFor(own) });
  };
  addShapes(options, add);
  addMetrics(options, add);
  addLists(options, add);
  addRandomShapes(options, add);
  addHostile(options, add);
  return posed;
}

type Add = (
  group: string,
  given: Partial<HostProblem> & Pick<HostProblem, 'lengths' | 'rowsPerTask'>,
) => void;

/** ε of DESIGN's promise: that of random data, of any data, and of float64. */
function promisedFor({ dtype, mixed, values }: HostProblem): number {
  if ((mixed ?? [dtype]).every((each) => each === 'float64')) return DOUBLE_ERROR;
  return values === 'random' ? TYPICAL_ERROR : WORST_ERROR;
}

/** A few odd tensors behind a long one, d columns in all. */
function cut(rowsPerTask: readonly number[], size: VerificationSize): number[] {
  const columns = Math.ceil(ELEMENTS[size] / Math.max(1, sum(rowsPerTask)));
  return [Math.max(1, columns - 83), 0, 1, 5, 77];
}

function addShapes({ size, dtypes }: ProblemSetOptions, add: Add): void {
  for (const dtype of dtypes) {
    for (const [rowsPerTask, inner] of size === 'full' ? SHAPES : SHAPES.slice(0, QUICK_SHAPES))
      for (const shift of size === 'full' ? [0, 3] : [rowsPerTask.length % 2 ? 3 : 0])
        add('rows at once', { dtype, lengths: cut(rowsPerTask, size), rowsPerTask, inner, shift });
    for (const rowsPerTask of [[2], [2, 3], repeat(6, 3)])
      for (const inner of [false, true])
        add('streamed', {
          dtype,
          lengths: cut(rowsPerTask, size),
          rowsPerTask,
          inner,
          streamed: true,
          shift: 1,
        });
    for (const streamed of [false, true])
      add('long rows', { dtype, lengths: [LONG_ROW[size]], rowsPerTask: [2, 3], streamed });
    for (const length of size === 'full' ? [1, 7, 17, 255, 511, 2047, 2049] : [1, 17, 2049])
      add('odd lengths', { dtype, lengths: [length], rowsPerTask: [2, 3, 2], shift: 5 });
  }
}

function addMetrics({ size, dtypes }: ProblemSetOptions, add: Add): void {
  for (const dtype of dtypes)
    for (const rowsPerTask of size === 'full' ? [[2, 3], repeat(6, 3)] : [[2, 3]])
      for (const streamed of [false, true])
        for (const inner of [false, true])
          add('preconditioned', {
            dtype,
            lengths: cut(rowsPerTask, size),
            rowsPerTask,
            inner,
            streamed,
            metric: dtypes,
            shift: 1,
          });
}

function addLists({ size, dtypes, mixed }: ProblemSetOptions, add: Add): void {
  const lengths = Array.from({ length: size === 'full' ? 3000 : 300 }, (_, t) => (t * 7) % 23);
  const kinds: (readonly Dtype[] | undefined)[] = dtypes.map(() => undefined);
  for (const streamed of [false, true]) {
    for (const [i, dtype] of dtypes.entries())
      add('many tensors', { dtype, lengths, rowsPerTask: [4, 4, 2], streamed, mixed: kinds[i] });
    if (mixed) add('tensors of all types', { lengths, rowsPerTask: [4, 4, 2], streamed, mixed: dtypes });
  }
}

/** Shapes that nobody thought of. */
function addRandomShapes({ size, seed, dtypes, mixed }: ProblemSetOptions, add: Add): void {
  const random = randomNumbers(seed ^ 0x5eed);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)];
  for (let count = 0; count < RANDOM_SHAPES[size]; ) {
    const rowsPerTask = Array.from({ length: 1 + Math.floor(7 * random()) }, () =>
      pick([0, 1, 2, 2, 3, 4, 4, 7, 12]),
    );
    const lengths = Array.from({ length: 1 + Math.floor(4 * random()) }, () =>
      pick([0, 1, 5, 64, 515, 1031, size === 'full' ? 100_003 : 2051]),
    );
    const given = {
      dtype: pick(dtypes),
      mixed: mixed && random() < 0.2 ? [pick(dtypes), pick(dtypes)] : undefined,
      lengths,
      rowsPerTask,
      inner: random() < 0.5,
      streamed: random() < 0.3,
      metric: random() < 0.3 ? [pick(dtypes), pick(dtypes)] : null,
      shift: Math.floor(4 * random()),
    };
    const elements = sum(rowsPerTask) * sum(lengths);
    if (elements === 0 || elements > 2 * ELEMENTS[size]) continue;
    count++;
    add('random shapes', given);
  }
}

function addHostile({ size, dtypes }: ProblemSetOptions, add: Add): void {
  for (const values of HOSTILE_VALUES)
    for (const dtype of dtypes)
      for (const rowsPerTask of size === 'full'
        ? [
            [3, 2, 1],
            [4, 4],
            [20, 30],
          ]
        : [[3, 2, 1]])
        for (const streamed of [false, true])
          add('hostile numbers', {
            dtype,
            lengths: [size === 'tiny' ? 1001 : 5001],
            rowsPerTask,
            values,
            streamed,
          });
}
