/**
 * The seam between the library and whatever computes sums over gradients. A backend knows rows and sums;
 * it knows nothing of rules, weights or batches.
 */
import type { GradientView } from '../gradients/gradient.js';
import type { GradientLayout } from '../gradients/layout.js';
import type { Average } from '../statistics/average.js';
import type { Moments } from '../statistics/statistics.js';

/** 'cpu' and 'cuda' are of the native addon, 'reference' is plain TypeScript. */
export type BackendName = 'reference' | 'cpu' | 'cuda';

/** The batch path: all rows of a measurement at once. Everything has been checked before it gets here. */
export interface MomentsRequest {
  /** `rows[k][i]`: micro-batch i of task k; a task may have none. All of one layout and in one memory. */
  readonly rows: readonly (readonly GradientView[])[];
  /** `samples[k][i]` > 0: samples in that micro-batch. */
  readonly samples: readonly (readonly number[])[];
  /** Form the K×K products of the means. */
  readonly inner: boolean;
  /** Form the two scalars per row that standard errors need. 'optional': where that costs no further pass over the rows. */
  readonly rowScalars: boolean | 'optional';
  /** Diagonal D of the metric: every product becomes sum_i a_i D_i b_i. Same tensor lengths and memory, any dtypes. */
  readonly preconditioner: GradientView | null;
  /** Aborts the call, which then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Whose calls keep their order, and take turns with those of others (default: the backend itself). */
  readonly caller?: object;
}

/** A rule whose weights a backend can solve for. */
export type SolvedRule = 'pike' | 'mirror' | 'conceptual' | 'balanced';

/** What K weights are to be solved from, beside the sums. Meanings as in the options of a Mixer. */
export interface WeightUpdate {
  readonly rule: SolvedRule;
  readonly options: SolverOptions;
  /** The last weights; normalised, −Infinity is legal. */
  readonly logWeights: Float64Array;
  readonly lossWeights: Float64Array;
  /** Averages of N and σ² over the updates so far. */
  readonly normSquared: Average;
  readonly variance: Average;
  /** What `priorPull` pulls to. */
  readonly logPrior: Float64Array;
  /** Mean training losses, NaN where unknown; null when none were given. */
  readonly losses: Float64Array | null;
  /** Tasks that are missed whatever is measured. */
  readonly excluded: readonly boolean[];
}

export interface SolverOptions {
  readonly batchSize: number;
  readonly zeta1: number;
  readonly zeta2: number;
  readonly scale: 'relative' | 'absolute';
  readonly minWeight: number;
  readonly maxLogStep: number;
  readonly priorPull: number;
  readonly smoothing: number;
  readonly clipNorms: boolean;
  readonly tau: number;
  readonly lossScale: 'mean' | 'paper';
  readonly learningRate?: number | undefined;
  readonly smoothness?: number | undefined;
  readonly alpha?: number | undefined;
  readonly beta: number;
  readonly gamma: number;
}

/** The next weights of K tasks, and how they came about. */
export interface SolvedWeights {
  readonly logWeights: Float64Array;
  readonly lossWeights: Float64Array;
  readonly normSquared: Average;
  readonly variance: Average;
  /** N and σ² of this measurement; NaN for a task that is missed. */
  readonly raw: { readonly normSquared: Float64Array; readonly variance: Float64Array };
  /** What the rule acted on: averages, clipped if `clipNorms`; NaN where never known. */
  readonly smoothed: { readonly normSquared: Float64Array; readonly variance: Float64Array };
  readonly missed: readonly boolean[];
  /** Indices of the tasks whose smoothed N was negative and taken as 0. */
  readonly clipped: readonly number[];
  /** Indices of the tasks that stand on `minWeight`. */
  readonly floored: readonly number[];
  /** false: every task was missed, and weights and averages are as they were. */
  readonly measured: boolean;
  /** `maxLogStep` shortened the step. */
  readonly limited: boolean;
}

/** As many tasks as a backend solves for; `kMostSolvedTasks` in native/cuda/tables.h. */
export const MOST_SOLVED_TASKS = 128;

/** The streaming path: what is fixed over one measurement. */
export interface MomentStreamRequest {
  /** K. */
  readonly tasks: number;
  /** Of every gradient. */
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

/** What computes sums over gradients. Rows and sums are all it knows. */
export interface Backend {
  /** Which one it is. */
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
  /**
   * `moments` and the next weights at once, for at most `MOST_SOLVED_TASKS` tasks: nothing waits for the host in
   * between. Not all backends can.
   *
   * @throws PikeError as `moments`
   * @internal
   */
  solve?(
    request: MomentsRequest,
    update: WeightUpdate,
  ): Promise<{ readonly moments: Moments; readonly solved: SolvedWeights }>;
  /** Opens a measurement. Memory: `inner ? K : 1` vectors of d elements, in float64 if any gradient dtype is, else float32. */
  stream(request: MomentStreamRequest): MomentStream;
}
