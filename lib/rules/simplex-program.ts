/**
 * The convex quadratic program on the simplex, with an answer that does not depend on the order of tasks: of several
 * minimisers the one with the smallest sum of squares, so that equal tasks get equal shares.
 */
import { ActiveSet } from './active-set.js';
import { Cholesky } from './cholesky.js';
import { addMultiple, dot } from './dense.js';

/** What differs by less than this part of itself counts as a tie. */
const TIE = 2 ** -40;
/** How exact a point with a smaller sum of squares must be to be taken. */
const ACCEPTED = 2 ** -36;

/**
 * min ½ xᵀHx + cᵀx over {x >= 0, sum x = 1}.
 *
 * @param h n×n row-major, symmetric, positive semidefinite, finite
 * @param c n finite numbers
 * @returns x, exact to rounding: the derivatives (Hx + c)_k are equal where x_k > 0 and no smaller elsewhere, to
 *   about 1e-13 of the numbers that they are made of; to 1e-11 where several minimise
 */
export function minimizeOnSimplex(h: Float64Array, c: Float64Array): Float64Array {
  const program = new ActiveSet(h, c, true);
  program.solve();
  program.derive();
  const solution = program.x.slice();
  const even = leastSquares(h, program);
  if (even) {
    program.x.set(even);
    program.derive();
    if (isSolution(program)) solution.set(even);
  }
  let sum = 0;
  for (const part of solution) sum += part;
  return solution.map((part) => part / sum);
}

function isSolution({ x, gradient, scale, level, levelScale }: ActiveSet): boolean {
  for (let k = 0; k < x.length; k++) {
    const slope = gradient[k] - level;
    const rounding = ACCEPTED * (scale[k] + levelScale);
    if (!(slope >= -rounding) || (x[k] > 0 && slope > rounding)) return false;
  }
  return true;
}

/**
 * The point with the smallest sum of squares among those that differ from the solution by what H does not feel, in
 * variables whose derivatives tie with the lowest. Null if there is no other point.
 */
function leastSquares(h: Float64Array, program: ActiveSet): Float64Array | null {
  const { x, gradient, scale, level, levelScale } = program;
  const tied: number[] = [];
  for (let k = 0; k < x.length; k++)
    if (x[k] > 0 || gradient[k] - level <= TIE * (scale[k] + levelScale)) tied.push(k);
  const projector = flatProjector(h, x.length, tied);
  if (!projector) return null;

  const t = tied.length;
  const point = Float64Array.from(tied, (k) => x[k]);
  const nearest = point.map((part, i) => part - dot(projector, i * t, point, 0, t));
  if (nearest.some((part) => part < 0)) {
    // With nothing negative it is `nearest` + Πλ, where λ >= 0 are the multipliers of x >= 0.
    const multipliers = new ActiveSet(projector, nearest, false);
    if (!multipliers.solve()) return null;
    multipliers.derive();
    nearest.set(multipliers.gradient);
  }
  const even = new Float64Array(x.length);
  for (let i = 0; i < t; i++) even[tied[i]] = Math.max(0, nearest[i]);
  return even;
}

/**
 * The orthogonal projector onto the changes of the tied variables that keep their sum and that H does not feel, t×t;
 * null if there is none.
 */
function flatProjector(h: Float64Array, n: number, tied: readonly number[]): Float64Array | null {
  const t = tied.length;
  let tau = 0;
  for (const k of tied) tau = Math.max(tau, h[k * n + k]);
  if (!(tau > 0)) tau = 1;
  // As in ActiveSet: τ11ᵀ feels a change of the sum.
  const rest = new Float64Array(t * t);
  for (let i = 0; i < t; i++) for (let j = 0; j < t; j++) rest[i * t + j] = h[tied[i] * n + tied[j]] + tau;
  const factor = new Float64Array(t * t);
  const order = Int32Array.from(tied.keys());
  const rank = eliminate(rest, factor, order);
  const p = t - rank;
  if (p === 0) return null;

  // Column q of D is a flat change: 1 in a variable that depends on those of the factor, which make up for it.
  const d = new Float64Array(t * t);
  const y = new Float64Array(t);
  for (let q = 0; q < p; q++) {
    const dependent = order[rank + q];
    for (let i = 0; i < rank; i++) y[i] = factor[dependent * t + i];
    for (let i = rank - 1; i >= 0; i--) {
      y[i] /= factor[order[i] * t + i];
      addMultiple(y, 0, -y[i], factor, order[i] * t, i);
      d[order[i] * t + q] = -y[i];
    }
    d[dependent * t + q] = 1;
  }

  // Π = D(DᵀD)⁻¹Dᵀ; DᵀD is at least the identity.
  const square = new Float64Array(p * p);
  for (let i = 0; i < t; i++)
    for (let a = 0; a < p; a++) addMultiple(square, a * p, d[i * t + a], d, i * t, a + 1);
  const inverse = new Cholesky(p);
  for (let a = 0; a < p; a++) {
    for (let b = 0; b < a; b++) inverse.row[b] = square[a * p + b];
    if (!inverse.append(square[a * p + a], 0)) return null;
  }
  const projector = new Float64Array(t * t);
  for (let i = 0; i < t; i++) {
    for (let a = 0; a < p; a++) y[a] = d[i * t + a];
    inverse.solve(y);
    for (let j = 0; j <= i; j++) projector[i * t + j] = projector[j * t + i] = dot(y, 0, d, j * t, p);
  }
  return projector;
}

/**
 * Cholesky with pivots: the row next is the one of which the rows before explain least. Stops where they explain all.
 *
 * @param rest t×t; used up
 * @param factor becomes L by the rows of the matrix, its columns in the order of elimination
 * @param order becomes that order; behind the rank, the rows that depend on those before
 * @returns the rank
 */
function eliminate(rest: Float64Array, factor: Float64Array, order: Int32Array): number {
  const t = order.length;
  const whole = Float64Array.from(order, (i) => rest[i * t + i]);
  for (let k = 0; k < t; k++) {
    let most = TIE;
    let next = -1;
    for (let i = k; i < t; i++) {
      const part = rest[order[i] * t + order[i]] / whole[order[i]];
      if (part > most) {
        most = part;
        next = i;
      }
    }
    if (next < 0) return k;
    const pivot = order[next];
    order[next] = order[k];
    order[k] = pivot;
    const root = Math.sqrt(rest[pivot * t + pivot]);
    for (let i = k; i < t; i++) factor[order[i] * t + k] = rest[pivot * t + order[i]] / root;
    for (let i = k + 1; i < t; i++) {
      const row = order[i] * t;
      const size = factor[row + k];
      for (let j = k + 1; j < t; j++) rest[row + order[j]] -= size * factor[order[j] * t + k];
    }
  }
  return t;
}
