/**
 * The seam between the library and whatever computes sums over gradients. A backend knows rows and sums;
 * it knows nothing of rules, weights or batches.
 */
import type { GradientLayout, GradientView } from '../gradients/gradient.js';
import type { Moments } from '../statistics/statistics.js';

export type BackendName = 'reference' | 'cpu' | 'cuda';

/** The batch path: all rows of a measurement at once. Everything has been checked before it gets here. */
export interface MomentsRequest {
  /** `rows[k][i]`: micro-batch i of task k; a task may have none. All of one layout. */
  readonly rows: readonly (readonly GradientView[])[];
  /** `samples[k][i]` > 0: samples in that micro-batch. */
  readonly samples: readonly (readonly number[])[];
  /** Form the K×K products of the means. */
  readonly inner: boolean;
  /** Form the two scalars per row that standard errors need. */
  readonly rowScalars: boolean;
  /** Diagonal D of the metric: every product becomes sum_i a_i D_i b_i. Same tensor lengths, any dtypes. */
  readonly preconditioner: GradientView | null;
  readonly signal?: AbortSignal | undefined;
}

/** The streaming path: what is fixed over one measurement. */
export interface MomentStreamRequest {
  /** K. */
  readonly tasks: number;
  readonly layout: GradientLayout;
  /** true: K mean vectors, any order; false: one mean vector, tasks one after the other. */
  readonly inner: boolean;
}

/**
 * One measurement in progress, by Welford's update: with δ = g − mean, n' = n + s
 *   deviation ← deviation + (s n / n') ‖δ‖²,   mean ← mean + (s/n') δ.
 */
export interface MomentStream {
  /**
   * Adds one micro-batch of `samples` samples to `task`. With `inner: false` the caller never returns to an
   * earlier task. An abort is honoured until the update of the vector begins; a rejected call changes nothing.
   */
  add(
    task: number,
    gradient: GradientView,
    samples: number,
    preconditioner: GradientView | null,
    signal?: AbortSignal,
  ): Promise<void>;
  /** The sums so far (`rowDeviation` and `rowAlignment` are null). More may be added afterwards. */
  moments(signal?: AbortSignal): Promise<Moments>;
  /** Frees the vectors. Calls in flight finish first. */
  dispose(): void;
}

export interface Backend {
  readonly name: BackendName;
  /** Instruction set of the CPU kernels in use. */
  readonly instructionSet?: string;
  /** Name of the GPU in use. */
  readonly device?: string;
  /** Why this backend is the one in use, and why the better ones are not. */
  readonly reason: string;
  /**
   * @throws PikeError `ERR_INVALID_OPTION` when the preconditioner holds a negative or non-finite element,
   *   `ERR_DETACHED` when memory has gone since it was checked, `ERR_MEMORY`; or the signal's reason.
   */
  moments(request: MomentsRequest): Promise<Moments>;
  /** Opens a measurement. Memory: `inner ? K : 1` vectors of d elements, in float64 if any gradient dtype is, else float32. */
  stream(request: MomentStreamRequest): MomentStream;
}
