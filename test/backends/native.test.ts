import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Dtype } from '../../lib/gradients/layout.js';
import { expectError } from '../support/expect.js';
import {
  big,
  cpu,
  expectClose,
  flat,
  type HostRequest,
  numberAt,
  plainMoments,
  promised,
  randomRequest,
  shared,
  single,
  streamed,
  viewOf,
} from './rows.js';

const DTYPES: Dtype[] = ['float32', 'float64', 'bfloat16', 'float16'];

const tensors = fc.array(
  fc.tuple(fc.constantFrom(...DTYPES), fc.oneof(fc.nat(9), fc.constantFrom(255, 256, 257, 600))),
  { minLength: 1, maxLength: 5 },
);

/** Any mix of dtypes, tensors without elements, tasks without rows, with and without a metric. */
const requests = fc
  .tuple(
    tensors,
    fc.array(fc.nat(5), { minLength: 1, maxLength: 4 }),
    fc.integer(),
    fc.boolean(),
    fc.option(fc.infiniteStream(fc.constantFrom(...DTYPES))),
  )
  .map(([list, microBatches, seed, inner, metric]) => {
    const lengths = list.map(([, length]) => length);
    const dtypes = list.map(([dtype]) => dtype);
    return {
      shape: { dtypes, lengths },
      microBatches,
      seed,
      inner,
      metric: metric && lengths.map(() => metric.next().value as Dtype),
    };
  });

describe('batch kernel', () => {
  it('agrees with the formulas for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(requests, fc.boolean(), async (options, rowScalars) => {
        const request = randomRequest({ ...options, rowScalars });
        expectClose(await cpu(2).moments(request), plainMoments(request), request, promised(request));
      }),
      { numRuns: 150 },
    );
  });

  it.each([1, 7, 1_000_003])(
    'agrees with the formulas for %i columns',
    async (length) => {
      for (const dtype of DTYPES) {
        const request = randomRequest({
          shape: { dtypes: [dtype], lengths: [length] },
          microBatches: [2, 1],
          seed: 3,
        });
        expectClose(await cpu(2).moments(request), plainMoments(request), request, promised(request));
      }
    },
    120_000,
  );

  it('reads every 16-bit float there is', async () => {
    for (const dtype of ['bfloat16', 'float16'] as const) {
      // Task k has the rows k (as bits) and 1, so that the sign of k counts.
      const one = viewOf([Uint16Array.of(dtype === 'float16' ? 0x3c00 : 0x3f80)], [dtype]);
      const rows = Array.from({ length: 65536 }, (_, bits) => [viewOf([Uint16Array.of(bits)], [dtype]), one]);
      const { meanNormSquared } = await cpu().moments({
        rows,
        samples: rows.map(() => [1, 1]),
        inner: false,
        rowScalars: false,
        preconditioner: null,
      });
      for (let bits = 0; bits < 65536; bits++) {
        const mean = 0.5 * (numberAt(Uint16Array.of(bits), dtype, 0) - 1) + 1; // rounded as the kernels do
        if (!Object.is(meanNormSquared[bits], mean * mean))
          expect(meanNormSquared[bits], `${dtype} ${bits}`).toBe(mean * mean);
      }
    }
  });

  it('gives the same bits for any number of threads', async () => {
    const request = big();
    const [one, ...others] = await Promise.all([1, 2, 3, 8].map((threads) => cpu(threads).moments(request)));
    for (const other of others) expect(other).toStrictEqual(one);
  });

  it('takes more rows and tasks than anyone has', async () => {
    const shape = { dtypes: ['float32'] as const, lengths: [5] };
    const request = randomRequest({ shape, microBatches: [700, ...new Array(99).fill(1)], seed: 5 });
    expectClose(await cpu(2).moments(request), plainMoments(request), request, 1e-12);
  });

  it('does not overflow on huge float32', async () => {
    const huge = Math.fround(1e30);
    const { meanNormSquared } = await cpu().moments(single(flat(huge, -huge)));
    expect(meanNormSquared[0]).toBe(2 * huge * huge);
  });

  it('reads a SharedArrayBuffer as well', async () => {
    const request = big();
    const inShared: HostRequest = {
      ...request,
      rows: request.rows.map((task, k) => task.map((row, i) => (i + k > 0 ? shared(row) : row))),
      preconditioner: shared(request.preconditioner!),
    };
    expect(await cpu().moments(inShared)).toStrictEqual(await cpu().moments(request));
  });
});

describe('streaming kernel', () => {
  it('agrees with the formulas for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (options) => {
        const request = randomRequest({ ...options, rowScalars: false });
        fc.pre(request.rows.flat().length > 0);
        // Means of doubles if any tensor is one.
        const epsilon = options.shape.dtypes.includes('float64') ? 1e-12 : 1e-6;
        expectClose(await streamed(cpu(2), request), plainMoments(request), request, epsilon);
      }),
      { numRuns: 100 },
    );
  });

  it('agrees with the batch kernel on a long list, for any number of threads', async () => {
    const request = { ...big(), rowScalars: false };
    const results = await Promise.all([1, 2, 3, 8].map((threads) => streamed(cpu(threads), request)));
    for (const result of results) expect(result).toStrictEqual(results[0]);
    expectClose(results[0], await cpu().moments(request), request, promised(request));
  }, 120_000);

  it('takes tasks in any order when products are wanted', async () => {
    const shape = { dtypes: ['float64'] as const, lengths: [40_000] };
    const request = randomRequest({ shape, microBatches: [2, 0, 3], seed: 8, rowScalars: false });
    const mixed = await streamed(cpu(), request, [2, 0, 2, 0, 2]);
    expect(mixed).toStrictEqual(await streamed(cpu(), request));
  });

  it('goes on after moments()', async () => {
    const stream = cpu().stream({ tasks: 1, layout: flat(0), inner: false });
    await stream.add(0, flat(1), 1, null);
    expect((await stream.moments()).deviation[0]).toBe(0);
    await stream.add(0, flat(3), 1, null);
    const { deviation, meanNormSquared } = await stream.moments();
    expect([deviation[0], meanNormSquared[0]]).toEqual([2, 4]);
  });

  it('finishes calls in flight when disposed, and refuses later ones', async () => {
    const stream = cpu().stream({ tasks: 2, layout: flat(0), inner: false });
    const add = stream.add(0, flat(3), 1, null);
    const moments = stream.moments();
    stream.dispose();
    await add;
    expect((await moments).meanNormSquared[0]).toBe(9);
    await expectError('ERR_DISPOSED', /disposed/, () => stream.add(0, flat(1), 1, null));
    await expectError('ERR_DISPOSED', /disposed/, () => stream.moments());
    stream.dispose();
  });

  it('says when the vectors do not fit into memory', async () => {
    const row = viewOf([new Float32Array(1e6)], ['float32']);
    const stream = cpu().stream({ tasks: 1 << 20, layout: row, inner: true });
    await expectError('ERR_MEMORY', /1048576 mean vectors of 1000000 elements/, () =>
      stream.add(0, row, 1, null),
    );
    expect(
      (
        await cpu()
          .stream({ tasks: 1 << 20, layout: row, inner: false })
          .moments()
      ).samples[0],
    ).toBe(0);
  });
});

describe('numbers that are not finite', () => {
  const shape = { dtypes: ['float32', 'float16'] as const, lengths: [300, 20] };

  it.each([
    [Infinity, 0x7c00],
    [-Infinity, 0xfc00],
    [Number.NaN, 0x7e01],
  ])('%f spoils its own task only', async (value, half) => {
    for (const [tensor, index] of [
      [0, 0],
      [0, 299],
      [1, 19],
    ]) {
      for (const microBatches of [
        [1, 2],
        [3, 2],
      ]) {
        const request = randomRequest({ shape, microBatches, seed: 4, rowScalars: false });
        const clean = await cpu().moments(request);
        request.rows[0][microBatches[0] - 1].tensors[tensor][index] = tensor === 0 ? value : half;
        for (const spoilt of [await cpu().moments(request), await streamed(cpu(), request)]) {
          expect(spoilt.meanNormSquared[0]).not.toSatisfy(Number.isFinite);
          if (microBatches[0] > 1) expect(spoilt.deviation[0]).not.toSatisfy(Number.isFinite);
          expect(spoilt.meanInner![1]).not.toSatisfy(Number.isFinite);
          expect(Math.abs(spoilt.meanNormSquared[1] / clean.meanNormSquared[1] - 1)).toBeLessThan(1e-6);
          expect(Math.abs(spoilt.deviation[1] / clean.deviation[1] - 1)).toBeLessThan(1e-6);
        }
      }
    }
  });

  it('is seen even where D is zero', async () => {
    const request = single(flat(1, Infinity), flat(1, 0));
    expect((await cpu().moments(request)).meanNormSquared[0]).toBeNaN();
    expect((await streamed(cpu(), request)).meanNormSquared[0]).toBeNaN();
  });

  it.each([-0.5, -Infinity, Infinity, Number.NaN])(
    '%f in a preconditioner is refused and named',
    async (value) => {
      const request = big();
      const before = await streamed(cpu(), request);
      const D = request.preconditioner!;
      const good = D.tensors[0].slice();
      for (const index of [131_072, 131_071]) D.tensors[0][index] = value; // in two chunks; the first is named, whoever finds it
      const message = new RegExp(`element 131071 of its tensor 0 is -?(${Math.abs(value)}|inf|nan)`);
      for (const threads of [1, 8])
        await expectError('ERR_INVALID_OPTION', message, () => cpu(threads).moments(request));

      // A stream is as it was before the call.
      const stream = cpu().stream({ tasks: 2, layout: request.rows[0][0], inner: true });
      for (let k = 0; k < 2; k++)
        for (let i = 0; i < request.rows[k].length; i++) {
          const [row, samples] = [request.rows[k][i], request.samples[k][i]];
          for (const at of [131_072, 131_071]) D.tensors[0][at] = value;
          await expectError('ERR_INVALID_OPTION', message, () => stream.add(k, row, samples, D));
          D.tensors[0].set(good);
          await stream.add(k, row, samples, D);
        }
      expect(await stream.moments()).toStrictEqual(before);
    },
    120_000,
  );
});
