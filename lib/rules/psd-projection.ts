/**
 * The positive semidefinite matrix nearest to a symmetric one: Higham, Linear Algebra Appl. 103 (1988). In the
 * Frobenius norm, it is the matrix with its negative eigenvalues set to 0.
 */
import { Cholesky } from './cholesky.js';
import { addMultiple } from './dense.js';
import { symmetricEigen } from './symmetric-eigen.js';

/**
 * Projects in place.
 *
 * @param matrix n×n row-major, symmetric, its largest entry about 1
 * @returns the Frobenius norm of what was added; 0, and not a bit changed, if the matrix is positive semidefinite to
 *   rounding
 */
export function projectOntoPsd(matrix: Float64Array, n: number): number {
  if (isPositiveDefinite(matrix, n)) return 0;
  const { values, vectors } = symmetricEigen(matrix.slice(), n);
  let norm = 0;
  for (const value of values) norm = Math.max(norm, Math.abs(value));
  let lowest = 0;
  let square = 0;
  let negative = 0;
  for (const value of values) {
    if (!(value < 0)) continue;
    lowest = Math.min(lowest, value);
    square += value * value;
    negative++;
  }
  if (lowest >= -n * 2 ** -52 * norm) return 0;
  // Whichever part has fewer terms: A minus its negative part, or its positive part.
  const subtract = 2 * negative <= n;
  if (!subtract) matrix.fill(0);
  for (let i = 0; i < n; i++) {
    if (values[i] < 0 !== subtract) continue;
    const size = Math.abs(values[i]);
    for (let r = 0; r < n; r++) addMultiple(matrix, r * n, size * vectors[i * n + r], vectors, i * n, r + 1);
  }
  for (let r = 0; r < n; r++) for (let c = 0; c < r; c++) matrix[c * n + r] = matrix[r * n + c];
  return Math.sqrt(square);
}

/** With all pivots clear of rounding. */
function isPositiveDefinite(matrix: Float64Array, n: number): boolean {
  const factor = new Cholesky(n);
  for (let k = 0; k < n; k++) {
    for (let i = 0; i < k; i++) factor.row[i] = matrix[k * n + i];
    if (!factor.append(matrix[k * n + k], n * 2 ** -50)) return false;
  }
  return true;
}
