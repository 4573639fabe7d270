import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  indexSpace,
  iterableSource,
  jsonLines,
  onePassSource,
  type SampleSource,
  shuffled,
  textLines,
} from '../../lib/index.js';
import { chiSquareDeviation } from '../support/chi-square.js';
import { expectResumable, pass } from '../support/cursors.js';
import { expectError } from '../support/expect.js';

const folder = mkdtempSync(join(tmpdir(), 'pike-mixer-shuffled-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'lines.txt');
writeFileSync(path, Array.from({ length: 53 }, (_, i) => `line ${i + 1}\n`).join(''));

const upTo = (size: number) => Array.from({ length: size }, (_, i) => i);
const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);
const inOrder = (size: number) => indexSpace(size, { shuffle: false });

describe('shuffled', () => {
  it('gives every sample once, with its number, in another order each pass', async () => {
    const source = shuffled(textLines(path), 10);
    const passes = await Promise.all([0, 1].map((epoch) => pass(source, epoch)));
    for (const { samples, indices } of passes) {
      expect(sorted(indices)).toEqual(upTo(53).map((i) => i + 1));
      expect(samples).toEqual(indices.map((line) => `line ${line}`));
    }
    expect(passes[0].indices).not.toEqual(passes[1].indices);
    expect((await pass(source, 0, 2)).indices).not.toEqual(passes[0].indices);
  });

  it('goes on from every position, for any source, window and read', async () => {
    const makers: (() => SampleSource<unknown>)[] = [
      () => textLines(path),
      () => iterableSource(() => upTo(23)),
      () => onePassSource(upTo(23)),
      () => inOrder(0),
      () => inOrder(1),
      () => indexSpace(20),
      () => shuffled(inOrder(23), 4),
    ];
    for (const make of makers)
      for (const window of [1, 2, 7, 20, 100])
        for (const count of [1, 5])
          await expectResumable(() => shuffled(make(), window), {
            epoch: make().once ? 0 : 2,
            seed: window,
            count,
          });
  });

  it('is not changed by how it is read, and holds at most a window', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(60),
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 70 }),
        fc.nat(9),
        async (size, window, count, epoch) => {
          const whole = await pass(shuffled(inOrder(size), window), epoch, 1, 200);
          expect(await pass(shuffled(inOrder(size), window), epoch, 1, count)).toEqual(whole);
          // No sample comes earlier or later than by one window.
          for (const [place, index] of whole.samples.entries())
            expect(Math.abs(place - index)).toBeLessThan(window);
        },
      ),
    );
  });

  it('mixes evenly: samples of a window in every place of it, and the edges in other places each pass', async () => {
    const window = 8;
    const counts = new Float64Array(window * window);
    // Of the first window's length.
    const edges = new Float64Array(window);
    const source = shuffled(inOrder(3 * window), window);
    for (let epoch = 0; epoch < 4000; epoch++) {
      const first = source.open(epoch, 1);
      let length = 0;
      do {
        await first.read(1);
        length++;
      } while ((first.position() as { window: number }).window === 0);
      edges[length - 1]++;
      const from = { taken: 0, size: 3 * window, shuffle: false };
      const cursor = source.open(epoch, 1, { from, window: 1, taken: 0, length: window });
      const { samples } = await cursor.read(window);
      for (const [place, index] of samples.entries()) counts[window * place + index]++;
    }
    expect(Math.abs(chiSquareDeviation(edges))).toBeLessThan(4);
    expect(Math.abs(chiSquareDeviation(counts, (window - 1) ** 2))).toBeLessThan(4);
  });

  it('takes nothing in a read that fails, also when it had loaded windows', async () => {
    const broken = join(folder, 'broken.jsonl');
    writeFileSync(broken, `${upTo(20).join('\n')}\nnothing\n21\n`);
    const cursor = shuffled(jsonLines(broken), 6).open(0, 1);
    const reference = shuffled(inOrder(20), 6).open(0, 1);
    expect((await cursor.read(2)).samples).toEqual((await reference.read(2)).samples);
    const position = cursor.position();
    for (let i = 0; i < 2; i++) {
      await expectError('ERR_SOURCE', /Line 21 of .* is no JSON/, () => cursor.read(20));
      expect(cursor.position()).toEqual(position);
    }
    expect((await cursor.read(4)).samples).toEqual((await reference.read(4)).samples);
    await cursor.close();
    const reason = new Error('stop');
    const aborted = shuffled(textLines(path), 6).open(0, 1);
    await expect(aborted.read(1, AbortSignal.abort(reason))).rejects.toBe(reason);
    await aborted.close();
  });

  it('closes the source beneath, and gives nothing then', async () => {
    let closed = 0;
    const source = iterableSource(function* () {
      try {
        yield* upTo(9);
      } finally {
        closed++;
      }
    });
    const cursor = shuffled(source, 2).open(0, 1);
    await cursor.read(1);
    await cursor.close();
    await cursor.close();
    expect(closed).toBe(1);
    await expectError('ERR_DISPOSED', /closed/, () => cursor.read(1));
  });

  it('passes on size and once', () => {
    expect(shuffled(inOrder(5), 2).size).toBe(5);
    expect(shuffled(onePassSource([1]), 2).once).toBe(true);
    expect('size' in shuffled(textLines(path), 2)).toBe(false);
  });

  it('refuses positions, windows and sources that are none', async () => {
    const source = shuffled(inOrder(9), 3);
    const at = (taken: number) => ({ taken, size: 9, shuffle: false });
    for (const position of [3, {}, { from: at(0), window: 1, length: 3 }, { window: 0, taken: 0, length: 3 }])
      await expectError('ERR_STATE', /./, () => source.open(0, 1, position));
    const end = source.open(0, 1, { from: at(9), window: 4, taken: 2, length: 3 });
    await expectError('ERR_STATE', /has 0 samples, but 2 of it/, () => end.read(1));
    for (const window of [0, -1, 2.5, undefined])
      await expectError('ERR_INVALID_OPTION', /window/, () => shuffled(inOrder(3), window as never));
    await expectError('ERR_INVALID_OPTION', /takes a source/, () => shuffled([1, 2] as never, 2));
  });
});
