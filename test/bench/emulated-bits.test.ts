/**
 * bench/gpu/emulated-bits.json: what the emulator computes for the problems that a GPU must give the same bits for.
 * `PIKE_TEST_BITS=write npx vitest run test/bench/emulated-bits.test.ts` writes it anew, after a change of the kernels
 * that is meant to change bits.
 */
import { beforeAll, expect, it } from 'vitest';
import { readEmulatedBits, writeEmulatedBits } from '../../bench/gpu/bits.js';
import { bitProblems } from '../../bench/gpu/problems.js';
import type { Moments } from '../../lib/statistics/statistics.js';
import {
  differentBits,
  expectedMoments,
  flatten,
  largestError,
  WORST_ERROR,
} from '../../lib/verification/compare.js';
import { drawInputs, type Problem } from '../../lib/verification/inputs.js';
import { type KernelResult, Kernels } from '../native/kernels.js';

let kernels: Kernels;
beforeAll(async () => {
  kernels = await Kernels.load();
}, 240_000);

function run(problem: Problem): KernelResult {
  const { dtype, lengths, inner, streamed, metric } = problem;
  const { rows, samples, metric: tensors } = drawInputs(problem);
  const dtypes = lengths.map((_, t) => metric?.[t % metric.length] ?? 'float32');
  const preconditioner = tensors ? { preconditioner: { dtypes, tensors } } : {};
  return kernels[streamed ? 'stream' : 'measure']({
    dtype,
    lengths,
    rows,
    samples,
    inner,
    ...preconditioner,
  });
}

/** By the emulator, in the form in which a backend gives it. */
function emulated(problem: Problem): Moments {
  const result = run(problem);
  const { rows, samples } = drawInputs(problem);
  const { inner } = problem;
  const K = rows.length;
  const meanInner = inner ? new Float64Array(K * K) : null;
  for (let k = 0; k < K && meanInner; k++) {
    meanInner[k * K + k] = result.meanNormSquared[k];
    for (let j = 0; j < k; j++)
      meanInner[j * K + k] = meanInner[k * K + j] = result.pairs![(k * (k - 1)) / 2 + j];
  }
  return {
    microBatches: Int32Array.from(rows, (task) => task.length),
    samples: Float64Array.from(samples, (sizes) => sizes.reduce((a, b) => a + b, 0)),
    deviation: result.deviation,
    meanNormSquared: result.meanNormSquared,
    meanInner,
    rowDeviation: result.rowDeviation ?? null,
    rowAlignment: result.rowAlignment ?? null,
  };
}

const problems = bitProblems();

it('problems have names of their own, and take every path', () => {
  expect(new Set(problems.map((problem) => problem.name)).size).toBe(problems.length);
  const paths = problems.map((problem) => {
    const { dtype, streamed } = problem;
    return `${streamed ? 'streamed' : run({ ...problem, lengths: [1] }).path}, ${dtype}`;
  });
  for (const dtype of ['float32', 'bfloat16', 'float16'])
    expect(paths).toEqual(
      expect.arrayContaining(['registers', 'tiles', 'streamed'].map((path) => `${path}, ${dtype}`)),
    );
});

it.each(problems)('$name', async (problem) => {
  const moments = emulated(problem);
  // Right in the first place.
  const error = largestError(moments, await expectedMoments(problem, drawInputs(problem)), false);
  expect(error).toBeLessThan(WORST_ERROR);
  const numbers = flatten(moments);
  expect(numbers.every(Number.isFinite)).toBe(true);
  if (process.env.PIKE_TEST_BITS === 'write') written[problem.name] = numbers;
  else expect(differentBits(numbers, readEmulatedBits()[problem.name] ?? [])).toBe(0);
});

it('the file holds these problems and no others', () => {
  if (process.env.PIKE_TEST_BITS === 'write') writeEmulatedBits(written);
  expect(Object.keys(readEmulatedBits())).toEqual(problems.map((problem) => problem.name));
});

const written: Record<string, readonly number[]> = {};
