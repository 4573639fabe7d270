/** Which problems are run: every path of the kernels, and whatever could be different about memory. */

import type { Size } from '../../dist/throughput/size.js';
import {
  DEVICE_DTYPES,
  type DeviceDtype,
  type Problem,
  problem,
  type Values,
} from '../../dist/verification/inputs.js';
import { randomNumbers } from '../../dist/verification/random.js';

const repeat = (count: number, rows: number) => new Array<number>(count).fill(rows);

/** Rows per task, with products or without: each path of native/cuda/plan.cpp, and its edges. */
const SHAPES: readonly (readonly [rowsPerTask: readonly number[], inner: boolean])[] = [
  [[2, 2], true],
  [[4, 4, 4, 4], true],
  [[3, 0, 4], true],
  [[8, 5], true],
  [[8, 1, 3], false],
  [repeat(20, 2), false],
  [[5, 2, 2], true],
  [repeat(8, 4), true],
  [repeat(8, 8), true],
  [repeat(16, 8), true],
  [repeat(64, 2), true],
  [[127, 1], true],
  [[33, 0, 2, 17], true],
  [[9, 100, 2], false],
  [repeat(65, 2), true],
  [[129, 3], false],
];

/** Elements of all rows together that a problem is given. */
const ELEMENTS: Readonly<Record<Size, number>> = { full: 3e6, quick: 4e5, tiny: 6000 };

/** Tensors of many lengths, d columns in all. */
function cut(d: number): number[] {
  const small = [0, 1, 5, 77];
  return [Math.max(1, d - 83), ...small];
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

const columns = (rowsPerTask: readonly number[], size: Size) => Math.ceil(ELEMENTS[size] / sum(rowsPerTask));

/** Problems whose error is that of random data. */
export function randomProblems(size: Size): Problem[] {
  const problems: Problem[] = [];
  const dtypes = size === 'tiny' ? DEVICE_DTYPES.slice(0, 2) : DEVICE_DTYPES;
  const add = (given: Parameters<typeof problem<DeviceDtype>>[0]) =>
    problems.push(problem({ ...given, seed: problems.length + 1 }));
  for (const dtype of dtypes)
    for (const [rowsPerTask, inner] of SHAPES.filter((_, i) => size !== 'tiny' || i % 3 === 0)) {
      const lengths = cut(columns(rowsPerTask, size));
      add({ dtype, lengths, rowsPerTask, inner });
      if (size === 'tiny') continue;
      add({ dtype, lengths, rowsPerTask, inner, shift: 3 });
    }
  for (const dtype of dtypes)
    for (const rowsPerTask of [[2, 3], repeat(6, 3)]) {
      const lengths = cut(columns(rowsPerTask, size));
      for (const streamed of [false, true])
        for (const metric of [null, DEVICE_DTYPES])
          for (const inner of [false, true])
            if (streamed || metric) add({ dtype, lengths, rowsPerTask, inner, streamed, metric, shift: 1 });
    }
  // Many tensors: more than there are virtual blocks, most of them smaller than a thread's load.
  const many = size === 'tiny' ? 100 : 3000;
  add({ lengths: Array.from({ length: many }, (_, t) => (t * 7) % 23), rowsPerTask: [4, 4, 4] });
  // More columns than virtual blocks take in one chunk each.
  if (size === 'full')
    for (const streamed of [false, true])
      add({ lengths: [2048 * 8192 + 100_001], rowsPerTask: [2], inner: false, streamed });
  return [...problems, ...anyProblems(size)];
}

/** Shapes that nobody thought of. */
function anyProblems(size: Size): Problem[] {
  const random = randomNumbers(2024);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)];
  const problems: Problem[] = [];
  const most = size === 'full' ? 60 : size === 'quick' ? 20 : 6;
  while (problems.length < most) {
    const rowsPerTask = Array.from({ length: 1 + Math.floor(7 * random()) }, () =>
      pick([0, 1, 2, 2, 3, 4, 4, 7, 12]),
    );
    const lengths = Array.from({ length: 1 + Math.floor(4 * random()) }, () =>
      pick([0, 1, 5, 64, 515, 1031, size === 'tiny' ? 2051 : 300_007]),
    );
    const metric = random() < 0.3 ? [pick(DEVICE_DTYPES), pick(DEVICE_DTYPES)] : null;
    const elements = sum(rowsPerTask) * sum(lengths);
    const given = {
      dtype: pick<DeviceDtype>(DEVICE_DTYPES),
      lengths,
      rowsPerTask,
      inner: random() < 0.5,
      streamed: random() < 0.3,
      metric,
      shift: Math.floor(4 * random()),
      seed: 500 + problems.length,
    };
    if (elements > 0 && elements < 2 * ELEMENTS[size]) problems.push(problem(given));
  }
  return problems;
}

/** Problems that are chosen to make rounding errors add up. */
export function adversarialProblems(size: Size): Problem[] {
  const problems: Problem[] = [];
  for (const values of ['constant', 'magnitudes', 'spike'] as const satisfies readonly Values[])
    for (const dtype of size === 'tiny' ? DEVICE_DTYPES.slice(0, 1) : DEVICE_DTYPES)
      for (const rowsPerTask of [[4, 4], repeat(5, 2), [20, 30]])
        for (const streamed of size === 'tiny' ? [false] : [false, true]) {
          const lengths = [columns(rowsPerTask, size)];
          problems.push(
            problem({ dtype, lengths, rowsPerTask, values, streamed, seed: 900 + problems.length }),
          );
        }
  return problems;
}

/**
 * Problems of which emulated-bits.json holds the results. Small enough for the emulator, large enough that blocks share
 * groups of the tail.
 */
export function bitProblems(): Problem[] {
  const problems: Problem[] = [];
  const add = (given: Parameters<typeof problem<DeviceDtype>>[0]) =>
    problems.push(problem({ ...given, seed: problems.length + 1 }));
  for (const dtype of DEVICE_DTYPES) {
    add({ dtype, lengths: [8192 * 2 + 77, 0, 5], rowsPerTask: [4, 4] });
    add({ dtype, lengths: [8192 + 3, 100], rowsPerTask: repeat(5, 2) });
    add({ dtype, lengths: [1500], rowsPerTask: repeat(8, 4) });
    add({ dtype, lengths: [1031, 9], rowsPerTask: [3, 0, 8], inner: false, metric: DEVICE_DTYPES });
    add({ dtype, lengths: [8192 + 5], rowsPerTask: [2, 3], streamed: true });
    add({
      dtype,
      lengths: [700, 3],
      rowsPerTask: [2, 1, 4],
      streamed: true,
      inner: false,
      metric: ['float32'],
    });
  }
  add({ lengths: [300], rowsPerTask: repeat(16, 8) });
  add({ lengths: [300], rowsPerTask: repeat(64, 2) });
  add({ lengths: [200], rowsPerTask: [129], inner: false, streamed: true });
  add({ lengths: [90_001], rowsPerTask: [2], inner: false });
  add({ lengths: [5000], rowsPerTask: [4, 4], values: 'magnitudes' });
  add({ lengths: [5000], rowsPerTask: repeat(5, 2), values: 'constant' });
  return problems;
}
