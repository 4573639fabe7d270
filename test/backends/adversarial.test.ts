/** Data made to round badly, to overflow and to vanish: the promise of DESIGN's bound, with every instruction set. */
import { afterAll, describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../lib/backends/reference.js';
import type { Dtype } from '../../lib/gradients/layout.js';
import { DOUBLE_ERROR, WORST_ERROR } from '../../lib/verification/compare.js';
import { type Fill, HOSTILE, held } from '../../lib/verification/hostile.js';
import { mulberry32 } from '../support/gradients.js';
import { InstructionSetProcess, instructionSets } from '../support/instruction-sets.js';
import { expectClose, type HostRequest, tensorOf, viewOf } from './rows.js';

const reference = createReferenceBackend();

/** Sums of 3, 2 and 1 rows, so that a whole block, half a vector and more than a block are summed. */
function requestOf(dtype: Dtype, fill: Fill, length = 5001, microBatches = [3, 2, 1]): HostRequest {
  const random = mulberry32(length);
  let row = 0;
  const rows = microBatches.map((m) =>
    Array.from({ length: m }, () => {
      row++;
      const values = Float64Array.from({ length }, (_, j) => held(fill(j, row, random()), dtype));
      return viewOf([tensorOf(values, dtype)], [dtype]);
    }),
  );
  const samples = rows.map((task) => task.map((_, i) => i + 1));
  return { rows, samples, inner: true, rowScalars: true, preconditioner: null };
}

function withMetric(request: HostRequest, dtype: Dtype, fill: (column: number) => number): HostRequest {
  const values = Float64Array.from({ length: request.rows[0][0].length }, (_, j) => fill(j));
  return { ...request, preconditioner: viewOf([tensorOf(values, dtype)], [dtype]) };
}

describe.each(instructionSets())('%s', (name) => {
  const machine = new InstructionSetProcess(name);
  afterAll(() => machine.stop());

  async function compare(request: HostRequest, epsilon: number, streams = true): Promise<void> {
    expectClose(await machine.moments(request), await reference.moments(request), request, epsilon);
    if (!streams) return;
    const plain = { ...request, rowScalars: false };
    expectClose(await machine.streamed(request), await reference.moments(plain), plain, epsilon);
  }

  describe.each(Object.entries<Fill>(HOSTILE))('%s', (_, fill) => {
    it.each(['float32', 'bfloat16', 'float16', 'float64'] as const)('of %s', async (dtype) => {
      await compare(requestOf(dtype, fill), dtype === 'float64' ? DOUBLE_ERROR : WORST_ERROR);
    });
  });

  it.each(['float32', 'bfloat16'] as const)('%s in a metric of huge, tiny and no numbers', async (dtype) => {
    const request = requestOf(dtype, (_, row, x) => row * (x - 0.3));
    await compare(
      withMetric(request, 'float32', (j) => [1, 1e30, 1e-30, 0][j % 4]),
      WORST_ERROR,
    );
    await compare(
      withMetric(request, 'float32', (j) => (j < 2500 ? 0 : 1e-30)),
      WORST_ERROR,
    );
  });

  it.each(['float32', 'float16', 'float64'] as const)('%s in a metric of float64', async (dtype) => {
    const request = requestOf(dtype, (_, row, x) => row * (x - 0.3));
    const epsilon = dtype === 'float64' ? DOUBLE_ERROR : WORST_ERROR;
    for (const D of [1e60, 1e-60])
      await compare(
        withMetric(request, 'float64', () => D),
        epsilon,
      );
    // Means of floats cannot hold these.
    for (const D of [1e120, 1e-120])
      await compare(
        withMetric(request, 'float64', () => D),
        epsilon,
        false,
      );
  });

  it('a metric whose root is no float where the product is the largest of all', async () => {
    const request = requestOf('float32', (j) => (j === 3 ? 3e38 : 1));
    for (const D of [1e-92, 1e-84])
      await compare(
        withMetric(request, 'float64', (j) => (j === 3 ? D : 1e-28)),
        WORST_ERROR,
      );
  });

  it.each(['float32', 'bfloat16'] as const)('600 rows of %s', async (dtype) => {
    await compare(
      requestOf(dtype, (_, __, x) => x + 1, 600, [600, 1]),
      WORST_ERROR,
      false,
    );
  });

  it.each(['float32', 'bfloat16'] as const)('%s whose rows cancel to a small mean', async (dtype) => {
    // Only the deviations overflow.
    const request = requestOf(dtype, (j, row) => (j % 2 ? 1 : row === 3 ? -1e25 : 1e25), 5001, [3]);
    await compare({ ...request, samples: [[1, 1, 2]] }, WORST_ERROR);
  });

  it.each([8, 128, 192, 193, 256, 512])('%i rows whose mean rounds up each time', async (m) => {
    // One row's share is almost all; of the others every four add a little more than half a unit. Then every
    // term of the mean's square but the first rounds up as well.
    for (const x of [1.0005, 1.002]) {
      const request = requestOf('float32', (j) => (j === 0 ? x : 1.001 * 2 ** -12), 2048, [m]);
      for (const units of [3, 5]) {
        const samples = [[1, ...new Array(m - 1).fill((units * 2 ** -24) / 4)]];
        await compare({ ...request, samples, rowScalars: false }, WORST_ERROR, false);
      }
    }
  });
});

describe('sums of floats', () => {
  it.each(instructionSets())('are what %s forms where they hold the promise', async (name) => {
    const machine = new InstructionSetProcess(name);
    const request = requestOf('float32', (_, __, x) => x - 0.3, 100_000, [2]);
    const [fast, exact] = [await machine.moments(request), await reference.moments(request)];
    machine.stop();
    expect(Math.abs(fast.deviation[0] / exact.deviation[0] - 1)).toBeGreaterThan(1e-12);
  });
});
