import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { permutation } from '../../lib/sampling/permutation.js';
import { chiSquareDeviation } from '../support/chi-square.js';
import { expectError } from '../support/expect.js';

const orderOf = (size: number, seed: number, epoch: number, part = 0) =>
  Array.from({ length: size }, (_, place) => place).map(permutation(size, seed, epoch, part));

/** Whether `numbers` are 0 … n − 1, each once. */
function isBijection(numbers: readonly number[]): boolean {
  const seen = new Uint8Array(numbers.length);
  for (const x of numbers) if (Number.isInteger(x) && x >= 0 && x < numbers.length) seen[x]++;
  return seen.every((times) => times === 1);
}

describe('permutation', () => {
  it('is a bijection of 1 to 2000 numbers', () => {
    for (let size = 1; size <= 2000; size++)
      expect(isBijection(orderOf(size, size, size % 7)), `size ${size}`).toBe(true);
  });

  it.each([65_536, 2 ** 17 - 1, 10 ** 6 + 3])('is a bijection of %i numbers', (size) => {
    expect(isBijection(orderOf(size, 5, 1))).toBe(true);
  });

  it('takes no number twice and none outside, up to 2⁵⁰ of them', () => {
    const size = fc.oneof(
      fc.integer({ min: 2000, max: 2 ** 50 }),
      fc.constantFrom(2 ** 32, 2 ** 32 + 1, 2 ** 50),
    );
    const large = fc.maxSafeNat();
    fc.assert(
      fc.property(size, large, large, fc.double({ min: 0, max: 1, noNaN: true }), (n, seed, epoch, at) => {
        const numberAt = permutation(n, seed, epoch);
        const start = Math.floor(at * (n - 500));
        const numbers = Array.from({ length: 500 }, (_, i) => numberAt(start + i));
        for (const x of numbers) expect(Number.isInteger(x) && x >= 0 && x < n, `${x} of ${n}`).toBe(true);
        expect(new Set(numbers).size).toBe(500);
      }),
      { numRuns: 300 },
    );
  });

  it('is another one for every epoch, seed and part', () => {
    const size = 1000;
    const orders = [
      [1, 0, 0],
      [1, 1, 0],
      [1, 2 ** 32, 0],
      [2, 0, 0],
      [2 ** 32 + 1, 0, 0],
      [2 ** 53 - 1, 0, 0],
      [1, 0, 1],
      [1, 0, 2 ** 33],
    ].map(([seed, epoch, part]) => orderOf(size, seed, epoch, part));
    for (const [i, a] of orders.entries())
      for (const b of orders.slice(i + 1)) {
        // Two random orders agree in one place on average, in more than ten about once in 10⁸ pairs.
        const agreeing = a.filter((x, place) => x === b[place]).length;
        expect(agreeing).toBeLessThanOrEqual(10);
      }
  });

  it('is the same in every release: saved positions are places in it', () => {
    expect(orderOf(10, 1, 0)).toEqual([3, 8, 1, 0, 4, 7, 2, 9, 6, 5]);
    expect(orderOf(10, 1, 1)).toEqual([1, 7, 8, 0, 4, 5, 9, 2, 6, 3]);
    expect([0, 1, 2].map(permutation(10 ** 12, 2 ** 40, 3, 4))).toEqual([
      880314520639, 157610056195, 199701141056,
    ]);
  });

  it('refuses what it cannot shuffle', async () => {
    await expectError('ERR_INVALID_OPTION', /At most 1125899906842624/, () => permutation(2 ** 50 + 1, 1, 0));
  });
});

describe('orders are uniform', () => {
  it.each([2, 3, 4, 5, 6])('whole orders of %i numbers', (size) => {
    const factorial = [1, 1, 2, 6, 24, 120, 720][size];
    const counts = new Map<string, number>();
    for (let epoch = 0; epoch < 60_000; epoch++) {
      const order = orderOf(size, 7, epoch).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(factorial);
    expect(Math.abs(chiSquareDeviation([...counts.values()]))).toBeLessThan(4);
  });

  it.each<[string, (i: number) => [number, number, number]]>([
    ['epochs', (i) => [3, i, 0]],
    ['seeds', (i) => [i, 3, 0]],
    ['parts', (i) => [3, 3, i]],
  ])('every number in every place, over %s', (_, named) => {
    for (const size of [7, 50, 300]) {
      const counts = new Float64Array(size * size);
      for (let i = 0; i < 2_000_000 / size / 10; i++) {
        const numberAt = permutation(size, ...named(i));
        for (let place = 0; place < size; place++) counts[size * place + numberAt(place)]++;
      }
      expect(Math.abs(chiSquareDeviation(counts, (size - 1) ** 2)), `size ${size}`).toBeLessThan(4);
    }
  });

  it('every pair of numbers in the first two places', () => {
    for (const size of [7, 20, 30]) {
      const counts = new Map<number, number>();
      for (let epoch = 0; epoch < 100_000; epoch++) {
        const numberAt = permutation(size, 9, epoch);
        const pair = size * numberAt(0) + numberAt(1);
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
      expect(counts.size).toBe(size * (size - 1));
      expect(Math.abs(chiSquareDeviation([...counts.values()])), `size ${size}`).toBeLessThan(4);
    }
  });

  it('neighbours, and the same place in two epochs, say nothing of each other', () => {
    const size = 100_003;
    const [first, second] = [orderOf(size, 1, 0), orderOf(size, 1, 1)];
    const buckets = 100;
    const bucketOf = (x: number) => Math.floor((x / size) * buckets);
    for (const [name, other] of [
      ['place', (place: number) => place],
      ['next', (place: number) => first[(place + 1) % size]],
      ['other epoch', (place: number) => second[place]],
    ] as const) {
      const joint = new Float64Array(buckets * buckets);
      for (let place = 0; place < size; place++)
        joint[buckets * bucketOf(first[place]) + bucketOf(other(place))]++;
      expect(Math.abs(chiSquareDeviation(joint, (buckets - 1) ** 2)), name).toBeLessThan(4);
    }
  });
});
