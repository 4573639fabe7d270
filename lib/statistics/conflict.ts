/**
 * How far tasks pull against each other, and whether PiKE's bound says anything (PiKE, section 3):
 * c-conflicted (Def. 3.1), c̄-aligned (Def. 3.2), and β, γ of the descent bound (8), which holds while β > 0.
 */
import { PikeError } from '../errors.js';
import { requireWeights } from '../validate.js';
import type { Statistics } from './statistics.js';

/** How far K tasks pull against each other, and what that makes of PiKE's bound (Li et al., section 3). */
export interface Conflict {
  /** Cosines of the expected gradients, K×K row-major; NaN for a pair with an N <= 0 or without an estimate. */
  readonly cosine: Float64Array;
  /** Smallest c >= 0 with −c(N_j + N_k) <= G_jk for all j ≠ k, clamped to at most ½. */
  readonly conflict: number;
  /** Smallest c̄ >= 0 with G_jk <= c̄ √(N_j N_k) for all j ≠ k, clamped to at most 1. */
  readonly alignment: number;
  /** min_k (1 + c(2 − K − 1/w_k)); −Infinity where c > 0 and a weight is 0. */
  readonly beta: number;
  /** 1 + c̄(K − 1). */
  readonly gamma: number;
  /** β > 0. */
  readonly boundHolds: boolean;
  /** Some pair was left out: its norms drown in noise, or it was never measured. */
  readonly uncertain: boolean;
}

/**
 * How far tasks pull against each other: cosines, c-conflict (Def. 3.1), c̄-alignment (Def. 3.2), and whether the bound (8)
 * that PiKE descends holds at these weights. Li et al., arXiv 2502.06244.
 *
 * @param statistics smoothed statistics; on single estimates c > ½ is common
 * @param options.weights the K current weights
 * @returns null when `statistics.inner` is null: without inner products nothing is known of conflict
 * @throws PikeError `ERR_SHAPE`, `ERR_INVALID_OPTION` for weights that are not a point of the simplex
 */
export function conflict(statistics: Statistics, options: { weights: ArrayLike<number> }): Conflict | null {
  const { tasks: K, normSquared: N, inner: G } = statistics;
  const weights = requireWeights('weights', options?.weights, K);
  if (!G) return null;
  if (G.length !== K * K)
    throw new PikeError('ERR_SHAPE', `inner must hold ${K * K} numbers, but holds ${G.length}.`);
  const cosine = new Float64Array(K * K).fill(Number.NaN);
  let c = 0;
  let alignment = 0;
  let uncertain = false;
  for (let j = 0; j < K; j++) {
    if (N[j] > 0) cosine[j * K + j] = 1;
    for (let k = j + 1; k < K; k++) {
      const product = G[j * K + k];
      if (!(N[j] > 0 && N[k] > 0) || Number.isNaN(product)) {
        uncertain = true;
        continue;
      }
      const cos = product / (Math.sqrt(N[j]) * Math.sqrt(N[k]));
      cosine[j * K + k] = cosine[k * K + j] = cos;
      // Halves: the sum of two of the largest numbers is none.
      c = Math.max(c, -(product / 2) / (N[j] / 2 + N[k] / 2));
      alignment = Math.max(alignment, cos);
    }
  }
  c = Math.min(c, 0.5);
  alignment = Math.min(alignment, 1);
  let beta = 1;
  if (c > 0) for (const w of weights) beta = Math.min(beta, 1 + c * (2 - K - 1 / w));
  return {
    cosine,
    conflict: c,
    alignment,
    beta,
    gamma: 1 + alignment * (K - 1),
    boundHolds: beta > 0,
    uncertain,
  };
}
