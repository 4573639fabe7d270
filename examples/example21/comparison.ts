/** Adaptive weights against the best fixed ones, in hindsight, of a grid. */
import { adaptive, fixed, type Problem, train } from './problem.js';

/** Weights of the first task: 0, 0.001, … 1. */
const GRID = Array.from({ length: 1001 }, (_, i) => i / 1000);
/** Losses this close, relative, are equal. */
const TIE = 1e-9;

export interface Moment {
  /** Steps taken. */
  readonly step: number;
  /** Expected loss after them with adaptive weights. */
  readonly loss: number;
  /** Weight of the first task in the last of them. */
  readonly weight: number;
  /** The lowest loss after as many steps of any fixed mixture of the grid, and its weight of the first task. */
  readonly best: { readonly loss: number; readonly weight: number };
  /** The loss after as many steps of the uniform mixture. */
  readonly uniform: number;
}

/** All moments from step 1 to `steps`. */
export function compare(problem: Problem, steps: number): Moment[] {
  const runs = GRID.map((weight) => ({ weight, run: train(problem, fixed(weight)) }));
  const own = train(problem, adaptive);
  return Array.from({ length: steps }, (_, i) => {
    const { loss, weights } = own.next().value;
    const losses = runs.map(({ weight, run }) => ({ weight, loss: run.next().value.loss }));
    const best = losses.reduce((lowest, other) => (other.loss < lowest.loss ? other : lowest));
    return { step: i + 1, loss, weight: weights[0], best, uniform: losses[(GRID.length - 1) / 2]!.loss };
  });
}

/** How far the adaptive loss lies above that of the best fixed mixture, as a share of it; 0 where they are equal. */
export function excess({ loss, best }: Pick<Moment, 'loss' | 'best'>): number {
  const share = loss / best.loss - 1;
  return Math.abs(share) <= TIE ? 0 : share;
}
