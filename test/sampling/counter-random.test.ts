import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { philox4x32, purpose, randomWords, seedOf } from '../../lib/sampling/counter-random.js';
import { chiSquareDeviation } from '../support/chi-square.js';

const hex = (words: ArrayLike<number>) => Array.from(words, (word) => word.toString(16).padStart(8, '0'));

/** Philox4x32-10 as the paper writes it, in whole numbers of any size. */
function inBigInts(counter: readonly number[], key: readonly number[]): number[] {
  const u32 = (x: bigint) => BigInt.asUintN(32, x);
  let [c0, c1, c2, c3] = counter.map((x) => u32(BigInt(x)));
  let [k0, k1] = key.map((x) => u32(BigInt(x)));
  for (let round = 0; round < 10; round++) {
    const [p0, p1] = [0xd2511f53n * c0, 0xcd9e8d57n * c2];
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, u32(p1), (p0 >> 32n) ^ c3 ^ k1, u32(p0)];
    [k0, k1] = [u32(k0 + 0x9e3779b9n), u32(k1 + 0xbb67ae85n)];
  }
  return [c0, c1, c2, c3].map(Number);
}

describe('philox4x32', () => {
  // The known answers of Random123 1.14, tests/kat_vectors, lines "philox4x32 10".
  it.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [new Array(4).fill(0xffffffff), new Array(2).fill(0xffffffff), '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    ],
  ])('gives the known answer for %j', (counter, key, answer) => {
    expect(hex(philox4x32(counter, key)).join(' ')).toBe(answer);
  });

  it('is what whole numbers of any size give', () => {
    const word = fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0, 1, 0xffff, 0x10000, 0x7fffffff, 0xffffffff));
    const words = (n: number) => fc.array(word, { minLength: n, maxLength: n });
    fc.assert(
      fc.property(words(4), words(2), (counter, key) => {
        expect(Array.from(philox4x32(counter, key))).toEqual(inBigInts(counter, key));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('randomWords', () => {
  it('differ in every coordinate, also where only high bits differ', () => {
    const at: [number, number, number, number][] = [[0, 1, 0, 0]];
    for (const big of [1, 2 ** 32, 2 ** 51])
      at.push([big, 1, 0, 0], [0, 1, big, 0], [0, 1, 0, big], [big, 2, big, big]);
    at.push([0, 2, 0, 0], [0, 3, 0, 0], [2 ** 53 - 1, 1, 2 ** 53 - 1, 2 ** 52 - 1]);
    expect(new Set(at.map((where) => hex(randomWords(...where)).join())).size).toBe(at.length);
  });

  it('are uniform over streams, indices and seeds', () => {
    for (const wordsOf of [
      (i: number) => randomWords(7, purpose.window, 3, i),
      (i: number) => randomWords(7, purpose.window, i, 3),
      (i: number) => randomWords(i, purpose.window, 7, 3),
    ]) {
      const counts = new Float64Array(256);
      for (let i = 0; i < 20_000; i++) for (const word of wordsOf(i)) counts[word >>> 24]++;
      expect(Math.abs(chiSquareDeviation(counts))).toBeLessThan(4);
    }
  });
});

describe('seedOf', () => {
  it('is another seed for every name and seed, and stays what it was in earlier releases', () => {
    const names = [
      '',
      '\0',
      '\0\0',
      'a',
      'a\0',
      'b',
      'ab',
      'ba',
      'é',
      'a'.repeat(16),
      'a'.repeat(17),
      'a'.repeat(32),
    ];
    const seeds = [0, 1, 2, 2 ** 32, 2 ** 53 - 1];
    const all = seeds.flatMap((seed) => names.map((name) => seedOf(seed, name)));
    expect(new Set(all).size).toBe(all.length);
    for (const seed of all) expect(Number.isSafeInteger(seed) && seed >= 0).toBe(true);
    expect(all.some((seed) => seed > 2 ** 52)).toBe(true);
    expect([seedOf(1, 'de'), seedOf(1, 'en'), seedOf(2, 'de')]).toEqual([
      3965610119703659, 4244848317505994, 5424416144289231,
    ]);
  });
});
