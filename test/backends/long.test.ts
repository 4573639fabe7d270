/**
 * Ten million elements: what rounding would do to sums that are too long shows nowhere else. PIKE_TEST_LONG=1
 * (`vitest run --mode long`) takes a hundred million.
 */
import { describe, it } from 'vitest';
import { createReferenceBackend } from '../../lib/backends/reference.js';
import { mulberry32 } from '../support/gradients.js';
import { cpu, expectClose, type HostRequest, streamed, viewOf } from './rows.js';

const LENGTH = process.env.PIKE_TEST_LONG ? 100_000_003 : 10_000_003;

function request(fill: (random: () => number, row: number) => Float32Array): HostRequest {
  const random = mulberry32(1);
  const row = (i: number) => viewOf([fill(random, i)], ['float32']);
  return {
    rows: [[row(0), row(1)], [row(2)]],
    samples: [[1, 3], [2]],
    inner: true,
    rowScalars: false,
    preconditioner: null,
  };
}

describe(`${LENGTH} elements`, () => {
  it('random', async () => {
    await compare(
      request((random) => Float32Array.from({ length: LENGTH }, () => random() - 0.4)),
      1e-6,
    );
  }, 300_000);

  it('one huge element, and twelve orders of magnitude', async () => {
    await compare(
      request((random) => {
        const row = Float32Array.from({ length: LENGTH }, () => (random() - 0.5) * 10 ** (12 * random() - 6));
        row[LENGTH >> 1] = 1e12;
        return row;
      }),
      1.6e-5,
    );
  }, 300_000);

  it('constant', async () => {
    await compare(
      request((_, row) => new Float32Array(LENGTH).fill(0.1 * (row + 1))),
      1.6e-5,
    );
  }, 300_000);
});

async function compare(measured: HostRequest, epsilon: number): Promise<void> {
  const expected = await createReferenceBackend().moments(measured);
  expectClose(await cpu().moments(measured), expected, measured, epsilon);
  expectClose(await streamed(cpu(), measured), expected, measured, epsilon);
}
