/**
 * Convex quadratic programs on the simplex or the non-negative orthant, exactly to rounding, by an active-set method:
 *
 *     min ½ xᵀHx + cᵀx   over {x >= 0, sum x = 1}, or over {x >= 0}
 *
 * H is positive semidefinite and may be singular. As in the algorithms of Lawson and Hanson (Solving Least Squares
 * Problems, 1974, ch. 23) and of Wolfe (Math. Programming 11, 1976), the set of variables off their bound grows by the
 * one that promises most, and shrinks where the way to the minimum on that face leads out of x >= 0. H stays positive
 * definite on every face that is visited: what a new variable would add to the null space is first moved along, until
 * something reaches 0 and leaves. So every face has one minimum, the objective falls from face to face, and the
 * method ends.
 */
import { Cholesky } from './cholesky.js';
import { addMultiple } from './dense.js';

/** A derivative counts as 0 below this part of the numbers that it is the sum of. */
const OPTIMAL = 2 ** -46;
/** That part at most, for programs so badly conditioned that rounding alone keeps them moving. */
const TOLERATED = 2 ** -38;
/** A pivot counts as 0 below this part of its diagonal. */
const DEPENDENT = 2 ** -44;
/** Newton steps on one face. One would do without rounding. */
const REFINEMENTS = 3;

export class ActiveSet {
  /** The solution. */
  readonly x: Float64Array;
  /** Hx + c. */
  readonly gradient: Float64Array;
  /** |c_k| + max_j |H_kj|: what the derivatives are made of. */
  readonly scale: Float64Array;
  /** On the simplex: the derivative that all x_k > 0 have, and what it is made of. Else 0. */
  level = 0;
  levelScale = 0;
  /** Rounds that it took. */
  rounds = 0;
  /** OPTIMAL, or more after many rounds. */
  #optimal = OPTIMAL;
  readonly #h: Float64Array;
  readonly #c: Float64Array;
  readonly #n: number;
  readonly #simplex: boolean;
  readonly #factor: Cholesky;
  /** The variables off their bound, in the order of the factor. */
  readonly #support: number[] = [];
  readonly #inside: Uint8Array;
  /** Variables that left as soon as they had entered: rounding said that they should enter. */
  readonly #refused: Uint8Array;
  readonly #direction: Float64Array;
  readonly #ones: Float64Array;
  /**
   * Where sum x is fixed, τ(sum x)² changes no minimum, and H + τ11ᵀ is positive definite on a face if H is so in
   * the directions along it. τ is about as large as H on the face.
   */
  #tau: number;

  constructor(h: Float64Array, c: Float64Array, simplex: boolean) {
    const n = c.length;
    this.#h = h;
    this.#c = c;
    this.#n = n;
    this.#simplex = simplex;
    this.#tau = simplex ? 1 : 0;
    this.#factor = new Cholesky(n);
    this.#inside = new Uint8Array(n);
    this.#refused = new Uint8Array(n);
    this.#direction = new Float64Array(n);
    this.#ones = new Float64Array(n);
    this.x = new Float64Array(n);
    this.gradient = new Float64Array(n);
    this.scale = new Float64Array(n);
    for (let k = 0; k < n; k++) {
      let largest = 0;
      for (let j = 0; j < n; j++) largest = Math.max(largest, Math.abs(h[k * n + j]));
      this.scale[k] = Math.abs(c[k]) + largest;
    }
  }

  /**
   * Returns false where there is no minimum, which only the orthant can lack, or where rounding alone keeps x moving to
   * the end, which then is as good as rounding lets it be.
   */
  solve(): boolean {
    if (this.#simplex) this.#startInBestCorner();
    let refinements = 0;
    // Usual are a round to enter a variable, one to step, and now and then one to let another leave.
    const patience = 20 + 3 * this.#n;
    for (this.rounds = 0; this.#optimal <= TOLERATED; this.rounds++) {
      if (this.rounds > patience && this.rounds % 16 === 0) this.#optimal *= 2;
      this.derive();
      if (refinements < REFINEMENTS && !this.#isBestOfFace()) {
        this.#setNewtonDirection();
        refinements = this.#walk() ? 0 : refinements + 1;
        continue;
      }
      const next = this.#mostPromising();
      if (next < 0) return true;
      if (!this.#enter(next)) return false;
      refinements = 0;
    }
    return false;
  }

  /** Sets gradient and level to those of x. */
  derive(): void {
    const { x, gradient, scale } = this;
    const n = this.#n;
    this.level = 0;
    this.levelScale = 0;
    gradient.set(this.#c);
    for (let k = 0; k < n; k++) if (x[k] !== 0) addMultiple(gradient, 0, x[k], this.#h, k * n, n);
    if (!this.#simplex) return;
    for (let k = 0; k < n; k++) {
      this.level += x[k] * gradient[k];
      this.levelScale += x[k] * scale[k];
    }
  }

  #startInBestCorner(): void {
    let best = 0;
    let least = Infinity;
    for (let k = 0; k < this.#n; k++) {
      const value = this.#c[k] + this.#h[k * this.#n + k] / 2;
      if (value < least) {
        least = value;
        best = k;
      }
    }
    this.x[best] = 1;
    this.#append(best);
  }

  #isBestOfFace(): boolean {
    for (const k of this.#support) {
      const size = this.scale[k] + this.levelScale;
      if (Math.abs(this.gradient[k] - this.level) > this.#optimal * size) return false;
    }
    return true;
  }

  /** The variable on its bound with the steepest descent, or −1. */
  #mostPromising(): number {
    let steepest = 0;
    let next = -1;
    for (let k = 0; k < this.#n; k++) {
      if (this.#inside[k] || this.#refused[k]) continue;
      const slope = this.gradient[k] - this.level;
      if (slope < -this.#optimal * (this.scale[k] + this.levelScale) && slope < steepest) {
        steepest = slope;
        next = k;
      }
    }
    return next;
  }

  /** From x to the minimum of the face's affine hull, along the support. */
  #setNewtonDirection(): void {
    const support = this.#support;
    const direction = this.#direction;
    for (let i = 0; i < support.length; i++) direction[i] = this.gradient[support[i]] - this.level;
    this.#factor.solve(direction);
    let shift = 0;
    if (this.#simplex) {
      this.#ones.fill(1, 0, support.length);
      this.#factor.solve(this.#ones);
      let total = 0;
      for (let i = 0; i < support.length; i++) {
        shift += direction[i];
        total += this.#ones[i];
      }
      shift /= total;
    }
    for (let i = 0; i < support.length; i++)
      direction[i] = this.#simplex ? shift * this.#ones[i] - direction[i] : -direction[i];
  }

  /** Goes along the direction to its end, or until a variable comes to 0, which then leaves. Returns whether one did. */
  #walk(): boolean {
    const { length, leaving } = this.#firstToLeave(1);
    this.#move(length);
    if (leaving < 0) return false;
    if (length === 0 && leaving === this.#support.length - 1) this.#refused[this.#support[leaving]] = 1;
    this.#remove(leaving);
    return true;
  }

  /** How far the direction leads before something comes to 0, and its place in the support; −1 for nothing. */
  #firstToLeave(longest: number): { length: number; leaving: number } {
    let length = longest;
    let leaving = -1;
    for (let i = 0; i < this.#support.length; i++) {
      if (!(this.#direction[i] < 0)) continue;
      const room = this.x[this.#support[i]] / -this.#direction[i];
      if (room < length) {
        length = room;
        leaving = i;
      }
    }
    return { length, leaving };
  }

  #move(length: number): void {
    if (length > 0) this.#refused.fill(0);
    for (let i = 0; i < this.#support.length; i++) {
      const k = this.#support[i];
      this.x[k] = Math.max(0, this.x[k] + length * this.#direction[i]);
    }
  }

  /** Takes variable k, on whose bound the objective falls, into the support. False: it falls for ever. */
  #enter(k: number): boolean {
    while (!this.#append(k)) {
      // H is flat along the direction in which k grows and the support makes up for it.
      this.#factor.dependence(this.#direction);
      for (let i = 0; i < this.#support.length; i++) this.#direction[i] = -this.#direction[i];
      const { length, leaving } = this.#firstToLeave(Infinity);
      // Next to flat: it may still rise before anything comes to 0. Then the slope is nothing but rounding.
      const slope = this.gradient[k] - this.level;
      if (this.x[k] === 0 && this.#factor.pivot * length >= -slope) {
        this.#refused[k] = 1;
        return true;
      }
      if (leaving < 0) return false;
      this.#move(length);
      this.x[k] += length;
      this.#remove(leaving);
    }
    return true;
  }

  #append(k: number): boolean {
    const support = this.#support;
    const factor = this.#factor;
    const diagonal = this.#h[k * this.#n + k];
    if (this.#simplex && (support.length === 0 || diagonal > 4 * this.#tau)) {
      this.#tau = diagonal > 0 ? diagonal : 1;
      this.#refactor();
    }
    for (let i = 0; i < support.length; i++) factor.row[i] = this.#h[k * this.#n + support[i]] + this.#tau;
    if (!factor.append(diagonal + this.#tau, DEPENDENT)) return false;
    support.push(k);
    this.#inside[k] = 1;
    return true;
  }

  #remove(index: number): void {
    const support = this.#support;
    const [k] = support.splice(index, 1);
    this.x[k] = 0;
    this.#inside[k] = 0;
    this.#factor.remove(index);
    if (!this.#simplex) return;
    let largest = 0;
    for (const j of support) largest = Math.max(largest, this.#h[j * this.#n + j]);
    if (!(largest > 0 && largest < this.#tau / 4096)) return;
    this.#tau = largest;
    this.#refactor();
  }

  #refactor(): void {
    const support = this.#support;
    const factor = this.#factor;
    factor.clear();
    for (let i = 0; i < support.length; i++) {
      const row = support[i] * this.#n;
      const diagonal = this.#h[row + support[i]] + this.#tau;
      for (let j = 0; j < i; j++) factor.row[j] = this.#h[row + support[j]] + this.#tau;
      if (!factor.append(diagonal, DEPENDENT)) factor.force(DEPENDENT * diagonal);
    }
  }
}
