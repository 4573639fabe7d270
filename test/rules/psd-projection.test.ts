import { describe, expect, it } from 'vitest';
import { projectOntoPsd } from '../../lib/rules/psd-projection.js';
import { symmetricEigen } from '../../lib/rules/symmetric-eigen.js';
import { largestDifference } from '../support/expect.js';
import { gaussian, mulberry32 } from '../support/gradients.js';
import { psdPart } from '../support/jacobi.js';

type Entry = (i: number, j: number, random: () => number) => number;

/** Spectra that are hard for one reason or another: equal eigenvalues, none, blocks, many magnitudes. */
const MATRICES: readonly (readonly [name: string, entry: Entry])[] = [
  ['random', (_i, _j, random) => 2 * random() - 1],
  ['zero', () => 0],
  ['identity', (i, j) => Number(i === j)],
  ['negative', (i, j) => -Number(i === j)],
  ['ones', () => 1],
  ['minus ones', () => -1],
  ['ones off the diagonal', (i, j) => Number(i !== j)],
  ['diagonal', (i, j) => (i === j ? (i % 3) - 1 : 0)],
  ['tridiagonal', (i, j) => (Math.abs(i - j) === 1 ? 1 : 0)],
  ['blocks', (i, j, random) => (i >> 1 === j >> 1 ? random() - 0.5 : 0)],
  ['antidiagonal', (i, j) => Number((i + j) % 5 === 0)],
  ['graded', (i, j, random) => (random() - 0.5) * 10 ** -(i + j)],
  ['tiny beside one', (i, j, random) => (i + j === 0 ? 1 : 1e-200 * random())],
];
const SIZES = [1, 2, 3, 4, 5, 9, 20, 33];

function matrixOf(entry: Entry, n: number, random: () => number): Float64Array {
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = entry(i, j, random);
  return a;
}

function inner(a: Float64Array, aFirst: number, b: Float64Array, bFirst: number, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += a[aFirst + i] * b[bFirst + i];
  return sum;
}

describe.each(MATRICES)('%s', (_, entry) => {
  it('has the eigenvectors that symmetricEigen finds, orthonormal ones', () => {
    const random = mulberry32(1);
    for (const n of [...SIZES, 128]) {
      const a = matrixOf(entry, n, random);
      const { values, vectors } = symmetricEigen(a.slice(), n);
      const norm = Math.max(1e-300, ...values.map(Math.abs));
      let wrong = 0;
      for (let e = 0; e < n; e++) {
        const vector = vectors.subarray(e * n, e * n + n);
        for (let i = 0; i < n; i++) {
          const product = inner(a, i * n, vector, 0, n);
          wrong = Math.max(wrong, Math.abs(product - values[e] * vector[i]) / norm);
        }
        for (let f = 0; f <= e; f++) {
          const product = inner(vectors, e * n, vectors, f * n, n);
          wrong = Math.max(wrong, Math.abs(product - Number(e === f)));
        }
      }
      expect(wrong).toBeLessThan(1e-14 * n);
    }
  });

  it('is projected as by Jacobi’s eigenvectors', () => {
    const random = mulberry32(2);
    for (const n of SIZES) {
      const a = matrixOf(entry, n, random);
      const { matrix, change } = psdPart(a, n);
      const projected = a.slice();
      const removed = projectOntoPsd(projected, n);
      expect(largestDifference(projected, matrix)).toBeLessThan(1e-13);
      expect(Math.abs(removed - change)).toBeLessThan(1e-13);
      if (removed === 0) expect(projected).toEqual(a);
      expect(projected.map((_, i) => projected[(i % n) * n + Math.floor(i / n)])).toEqual(projected);
      // What is positive semidefinite stays as it is.
      expect(projectOntoPsd(projected.slice(), n)).toBeLessThan(1e-13);
    }
  });
});

it('leaves a Gramian as it is to the last bit, also one of fewer dimensions', () => {
  const random = mulberry32(3);
  for (const [n, dimensions] of [
    [4, 6],
    [9, 3],
    [40, 40],
    [64, 5],
  ]) {
    const vectors = Array.from({ length: n }, () =>
      Array.from({ length: dimensions }, () => gaussian(random)),
    );
    const a = matrixOf(
      (i, j) => vectors[i].reduce((sum, x, q) => sum + (x * vectors[j][q]) / 100, 0),
      n,
      random,
    );
    const before = a.slice();
    expect(projectOntoPsd(a, n)).toBe(0);
    expect(a).toEqual(before);
  }
});
