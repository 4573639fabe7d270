/**
 * A Cholesky factor that grows by a row and column at a time, and shrinks: what active-set methods solve with.
 */
import { addMultiple, dot } from './dense.js';

/** A = LLᵀ of `size` rows, at most `capacity`. */
export class Cholesky {
  size = 0;
  /** Where the next row of A goes: its first `size` entries, left of the diagonal. `append` makes it a row of L. */
  row: Float64Array;
  /** Of the last `append`: what the diagonal has beyond the span of the rows before. */
  pivot = 0;
  readonly #factor: Float64Array;
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#factor = new Float64Array(capacity * capacity);
    this.row = this.#factor.subarray(0, capacity);
  }

  /**
   * Takes in the row of A that stands in `row`, whose diagonal is `diagonal`.
   *
   * @returns false, and the size stays, where the pivot is at most `rounding` of the diagonal: the new row depends on
   *   the others, by the coefficients that `dependence` then gives
   */
  append(diagonal: number, rounding: number): boolean {
    const { size, row } = this;
    for (let i = 0; i < size; i++) {
      const first = i * this.#capacity;
      row[i] = (row[i] - dot(this.#factor, first, row, 0, i)) / this.#factor[first + i];
    }
    this.pivot = diagonal - dot(row, 0, row, 0, size);
    if (!(this.pivot > rounding * diagonal)) return false;
    this.#take(Math.sqrt(this.pivot));
    return true;
  }

  /** Takes in the row that `append` refused, as if its pivot were the one given. */
  force(pivot: number): void {
    this.#take(Math.sqrt(pivot));
  }

  /** After a refusal: sets y to A⁻¹a, a the refused row. */
  dependence(y: Float64Array): void {
    for (let i = 0; i < this.size; i++) y[i] = this.row[i];
    this.#solveTransposed(y);
  }

  /** y ← A⁻¹y. */
  solve(y: Float64Array): void {
    for (let i = 0; i < this.size; i++) {
      const first = i * this.#capacity;
      y[i] = (y[i] - dot(this.#factor, first, y, 0, i)) / this.#factor[first + i];
    }
    this.#solveTransposed(y);
  }

  /** Takes row and column `index` out of A: Givens rotations of the columns behind it. */
  remove(index: number): void {
    const a = this.#factor;
    const n = this.#capacity;
    for (let i = index + 1; i < this.size; i++) a.copyWithin((i - 1) * n, i * n, i * n + i + 1);
    this.size--;
    for (let i = index; i < this.size; i++) {
      const x = a[i * n + i];
      const y = a[i * n + i + 1];
      const length = Math.sqrt(x * x + y * y);
      const c = x / length;
      const s = y / length;
      a[i * n + i] = length;
      for (let k = i + 1; k < this.size; k++) {
        const left = a[k * n + i];
        const right = a[k * n + i + 1];
        a[k * n + i] = c * left + s * right;
        a[k * n + i + 1] = c * right - s * left;
      }
    }
    this.#aim();
  }

  clear(): void {
    this.size = 0;
    this.#aim();
  }

  #take(root: number): void {
    this.row[this.size++] = root;
    this.#aim();
  }

  #aim(): void {
    const first = this.size * this.#capacity;
    this.row = this.#factor.subarray(first, first + this.#capacity);
  }

  #solveTransposed(y: Float64Array): void {
    for (let i = this.size - 1; i >= 0; i--) {
      const first = i * this.#capacity;
      y[i] /= this.#factor[first + i];
      addMultiple(y, 0, -y[i], this.#factor, first, i);
    }
  }
}
