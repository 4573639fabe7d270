/**
 * Eigenvalues and eigenvectors of a symmetric matrix: Householder's reduction to tridiagonal form, then QL iterations
 * with implicit shifts (Bowdler, Martin, Reinsch and Wilkinson, Numer. Math. 11, 1968; EISPACK's tred2 and tql2).
 * Everything runs along rows, and eigenvectors are the rows of the result.
 */
import { addMultiple, dot } from './dense.js';

export interface SymmetricEigen {
  /** Eigenvalues λ_i, in no order. */
  readonly values: Float64Array;
  /** n×n row-major; row i is the eigenvector of λ_i, of length 1. */
  readonly vectors: Float64Array;
}

/** QL iterations for one eigenvalue. Two or three are usual. */
const MOST_ITERATIONS = 60;

/**
 * @param matrix n×n row-major, finite, of which the lower triangle is read and overwritten. Entries that are smaller
 *   than the largest by a factor of 1e-154 or more count as 0, so the largest should be about 1.
 * @returns exact for a matrix that differs from the given one by a few n·2⁻⁵³ of its norm
 */
export function symmetricEigen(matrix: Float64Array, n: number): SymmetricEigen {
  const values = new Float64Array(n);
  // e[i] couples i and i + 1.
  const e = new Float64Array(n);
  const vectors = new Float64Array(n * n);
  tridiagonalize(matrix, n, values, e, vectors);
  diagonalize(values, e, vectors, n);
  return { values, vectors };
}

/** A = Q T Qᵀ: sets the diagonal d and the subdiagonal e of T, and the rows of `basis` to the columns of Q. */
function tridiagonalize(
  a: Float64Array,
  n: number,
  d: Float64Array,
  e: Float64Array,
  basis: Float64Array,
): void {
  const p = new Float64Array(n);
  // ½‖v‖² of the reflection I − vvᵀ/(½‖v‖²) whose v row i holds; 0 for none.
  const half = new Float64Array(n);
  for (let i = n - 1; i > 1; i--) {
    const row = i * n;
    const last = a[row + i - 1];
    const square = dot(a, row, a, row, i - 1);
    if (!(square > 0)) {
      e[i - 1] = last;
      continue;
    }
    const length = Math.sqrt(square + last * last);
    const g = last > 0 ? -length : length;
    e[i - 1] = g;
    a[row + i - 1] = last - g;
    half[i] = square + last * last - last * g;
    reflect(a, n, i, half[i], p);
  }
  if (n > 1) e[0] = a[n];
  for (let i = 0; i < n; i++) d[i] = a[i * n + i];

  for (let i = 0; i < n; i++) basis[i * n + i] = 1;
  for (let i = 2; i < n; i++) {
    if (half[i] === 0) continue;
    for (let r = 0; r < i; r++) {
      const along = dot(basis, r * n, a, i * n, i) / half[i];
      if (along !== 0) addMultiple(basis, r * n, -along, a, i * n, i);
    }
  }
}

/** A ← HAH for the leading i×i block, H the reflection by v, which row i holds. `p` is scratch. */
function reflect(a: Float64Array, n: number, i: number, half: number, p: Float64Array): void {
  const v = i * n;
  p.fill(0, 0, i);
  for (let r = 0; r < i; r++) {
    const row = r * n;
    addMultiple(p, 0, a[v + r], a, row, r);
    p[r] += dot(a, row, a, v, r) + a[row + r] * a[v + r];
  }
  for (let r = 0; r < i; r++) p[r] /= half;
  addMultiple(p, 0, -dot(p, 0, a, v, i) / (2 * half), a, v, i);
  for (let r = 0; r < i; r++) {
    const row = r * n;
    const vr = a[v + r];
    const pr = p[r];
    for (let c = 0; c <= r; c++) a[row + c] -= vr * p[c] + pr * a[v + c];
  }
}

/** Turns d into the eigenvalues of the tridiagonal matrix of d and e, and the rows of `basis` with it. */
function diagonalize(d: Float64Array, e: Float64Array, basis: Float64Array, n: number): void {
  let norm = 0;
  for (let i = 0; i < n; i++) norm = Math.max(norm, Math.abs(d[i]) + Math.abs(e[i]));
  const negligible = norm * 2 ** -53;
  for (let l = 0; l < n; l++)
    for (let iteration = 0; iteration < MOST_ITERATIONS; iteration++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]) > negligible) m++;
      if (m === l) break;
      sweep(d, e, basis, n, l, m);
    }
}

/** One QL step on the block l…m, with Wilkinson's shift. */
function sweep(d: Float64Array, e: Float64Array, basis: Float64Array, n: number, l: number, m: number): void {
  const slope = (d[l + 1] - d[l]) / (2 * e[l]);
  const root = Math.sqrt(slope * slope + 1);
  let g = d[m] - d[l] + e[l] / (slope + (slope < 0 ? -root : root));
  let s = 1;
  let c = 1;
  let p = 0;
  for (let i = m - 1; i >= l; i--) {
    const f = s * e[i];
    const b = c * e[i];
    const r = Math.sqrt(f * f + g * g);
    e[i + 1] = r;
    if (r === 0) {
      // The block falls apart here.
      d[i + 1] -= p;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - p;
    const t = (d[i] - g) * s + 2 * c * b;
    p = s * t;
    d[i + 1] = g + p;
    g = c * t - b;
    rotate(basis, (i + 1) * n, i * n, c, s, n);
  }
  d[l] -= p;
  e[l] = g;
  e[m] = 0;
}

/** (upper, lower) ← (s·lower + c·upper, c·lower − s·upper), two rows. Four entries at a time: half of all is done here. */
function rotate(z: Float64Array, upper: number, lower: number, c: number, s: number, n: number): void {
  const whole = n & ~3;
  let k = 0;
  for (; k < whole; k += 4) {
    const u = upper + k;
    const l = lower + k;
    const f0 = z[u];
    const f1 = z[u + 1];
    const f2 = z[u + 2];
    const f3 = z[u + 3];
    const g0 = z[l];
    const g1 = z[l + 1];
    const g2 = z[l + 2];
    const g3 = z[l + 3];
    z[u] = s * g0 + c * f0;
    z[u + 1] = s * g1 + c * f1;
    z[u + 2] = s * g2 + c * f2;
    z[u + 3] = s * g3 + c * f3;
    z[l] = c * g0 - s * f0;
    z[l + 1] = c * g1 - s * f1;
    z[l + 2] = c * g2 - s * f2;
    z[l + 3] = c * g3 - s * f3;
  }
  for (; k < n; k++) {
    const f = z[upper + k];
    const g = z[lower + k];
    z[upper + k] = s * g + c * f;
    z[lower + k] = c * g - s * f;
  }
}
