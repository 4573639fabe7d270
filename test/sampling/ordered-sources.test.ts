/** Sources of a known size: arrays and index spaces. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arraySource, indexSpace, type Json } from '../../lib/index.js';
import { expectResumable, pass, readAll } from '../support/cursors.js';
import { expectError } from '../support/expect.js';

const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);
const upTo = (size: number) => Array.from({ length: size }, (_, i) => i);

describe('indexSpace', () => {
  it('gives every index once in each pass, in another order each time', async () => {
    const source = indexSpace(100);
    expect(source.size).toBe(100);
    const passes = [await pass(source, 0), await pass(source, 1), await pass(source, 0, 2)];
    for (const { samples, indices } of passes) {
      expect(sorted(samples)).toEqual(upTo(100));
      expect(indices).toEqual(samples);
    }
    expect(passes[1].samples).not.toEqual(passes[0].samples);
    expect(passes[2].samples).not.toEqual(passes[0].samples);
    expect(await pass(source, 0)).toEqual(passes[0]);
  });

  it('does so for every size and every length of read, which change nothing', async () => {
    const sizes = fc.integer({ min: 0, max: 300 });
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.maxSafeNat(),
        fc.maxSafeNat(),
        fc.array(fc.integer({ min: 1, max: 50 })),
        async (size, epoch, seed, counts) => {
          const source = indexSpace(size);
          const whole = await pass(source, epoch, seed, 400);
          expect(sorted(whole.samples)).toEqual(upTo(size));
          let i = 0;
          const inPieces = await readAll(source.open(epoch, seed), () => counts[i++ % counts.length] ?? 5);
          expect(inPieces).toEqual(whole);
        },
      ),
    );
  });

  it('goes on from every position', async () => {
    for (const size of [0, 1, 2, 23])
      for (const count of [1, 4]) await expectResumable(() => indexSpace(size), { epoch: 3, seed: 9, count });
    await expectResumable(() => indexSpace(10, { shuffle: false }));
  });

  it('keeps its own order when asked to, in every epoch', async () => {
    expect((await pass(indexSpace(20, { shuffle: false }), 5)).samples).toEqual(upTo(20));
  });

  it('holds nothing, whatever its size', async () => {
    const cursor = indexSpace(2 ** 50).open(0, 1);
    const { samples } = await cursor.read(1000);
    expect(new Set(samples).size).toBe(1000);
    expect(Math.max(...samples)).toBeGreaterThan(2 ** 49);
  });

  it('refuses sizes and options that are none', async () => {
    for (const size of [-1, 1.5, Number.NaN, 2 ** 50 + 1, '3' as never])
      await expectError('ERR_INVALID_OPTION', /./, () => indexSpace(size));
    await expectError('ERR_INVALID_OPTION', /shuffel/, () => indexSpace(3, { shuffel: true } as never));
    await expectError('ERR_INVALID_OPTION', /shuffle must be/, () => indexSpace(3, { shuffle: 1 as never }));
  });

  it('refuses positions of other sources', async () => {
    const source = indexSpace(10);
    for (const [position, message] of [
      [{ taken: 3, size: 11 }, /3th of 11 samples, but an index space has 10/],
      [{ taken: 11, size: 10 }, /11th of 10/],
      [{ taken: -1, size: 10 }, /taken must be a whole number/],
      [{ taken: 1 }, /size must be/],
      [{ taken: 1, size: 10, byte: 0 }, /"byte"/],
      [3, /is no position in an index space: 3/],
      [[1, 2], /array/],
      ['x', /"x"/],
    ] as [Json, RegExp][])
      await expectError('ERR_STATE', message, () => source.open(0, 1, position));
    for (const [epoch, seed] of [
      [-1, 0],
      [0, 0.5],
    ])
      await expectError('ERR_INVALID_OPTION', /must be an integer/, () => source.open(epoch, seed));
  });

  it('takes nothing in a read that is refused, and none after close', async () => {
    const cursor = indexSpace(10).open(0, 1);
    const reason = new Error('enough');
    await expect(cursor.read(2, AbortSignal.abort(reason))).rejects.toBe(reason);
    for (const count of [0, -1, 1.5])
      await expectError('ERR_INVALID_OPTION', /count/, () => cursor.read(count));
    expect(cursor.position()).toEqual({ taken: 0, size: 10, shuffle: true });
    await cursor.close();
    await cursor.close();
    await expectError('ERR_DISPOSED', /closed/, () => cursor.read(1));
  });
});

describe('arraySource', () => {
  const letters = [...'abcdefghijklm'];

  it('gives every element once in each pass, with its index', async () => {
    const source = arraySource(letters);
    expect(source.size).toBe(13);
    const { samples, indices } = await pass(source);
    expect(sorted(indices)).toEqual(upTo(13));
    expect(samples).toEqual(indices.map((index) => letters[index]));
    expect(samples).not.toEqual(letters);
    expect((await pass(arraySource(letters, { shuffle: false }))).samples).toEqual(letters);
  });

  it('goes on from every position, and is passed over in the order of an index space', async () => {
    await expectResumable(() => arraySource(letters), { epoch: 1 });
    expect((await pass(arraySource(letters), 4, 5)).indices).toEqual(
      (await pass(indexSpace(13), 4, 5)).samples,
    );
  });

  it('notices an array that has changed its length, and takes nothing then', async () => {
    const items = [1, 2, 3, 4];
    const cursor = arraySource(items).open(0, 1);
    await cursor.read(1);
    items.push(5);
    await expectError('ERR_SOURCE', /4 samples has 5 now/, () => cursor.read(2));
    expect(cursor.position()).toEqual({ taken: 1, size: 4, shuffle: true });
    items.pop();
    expect((await readAll(cursor)).samples).toHaveLength(3);
  });

  it('refuses what is no array', async () => {
    for (const given of [undefined, null, 'abc', new Float32Array(3), { length: 2 }])
      await expectError('ERR_INVALID_OPTION', /takes an array/, () => arraySource(given as never));
  });
});
