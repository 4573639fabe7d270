/** What a Mixer tells about each update, and what it warns of. */
import type { Conflict } from '../statistics/conflict.js';
import type { Statistics } from '../statistics/statistics.js';

/**
 * Why nothing is known of a task this time. The first is also that of a task whose rule goes by losses and that had none.
 * What to do about each stands in the guide.
 */
export type MissReason =
  | 'not measured'
  | 'fewer than two micro-batches'
  | 'non-finite gradient'
  | 'non-finite loss';

/** A task without a usable measurement. */
export interface Miss {
  /** Its name. */
  readonly task: string;
  /** Why. */
  readonly reason: MissReason;
}

/** What an update did, and what it acted on. Lists by task have K entries, in the order of `Mixer.tasks`. */
export interface UpdateReport {
  /** Step of the mixer at this update. */
  readonly step: number;
  /** Weights after the update, length K. */
  readonly weights: Float64Array;
  /** Weights before it. */
  readonly previous: Float64Array;
  /** Factors for the tasks' losses in the training step; all 1 for rules without loss weights. */
  readonly lossWeights: Float64Array;
  /** This measurement alone, unbiased and not clipped; NaN for tasks that were missed. */
  readonly statistics: Statistics;
  /** What the rule acted on: averages over updates, clipped if `clipNorms`; NaN for tasks never measured. */
  readonly smoothed: Statistics;
  /** From the smoothed inner products; null when they are not measured. */
  readonly conflict: Conflict | null;
  /** Mean training losses of this measurement, NaN where unknown; null when none were given. */
  readonly losses: Float64Array | null;
  /** η that came with this update; null when none did, and the option `learningRate` holds. */
  readonly learningRate: number | null;
  /** Tasks without a usable measurement this time. */
  readonly missed: readonly Miss[];
  /** Tasks that take no part any more: weight 0, NaN for what is estimated. */
  readonly retired: readonly string[];
  /** Tasks whose smoothed N was negative and taken as 0. */
  readonly clipped: readonly string[];
  /** Tasks that stand on `minWeight`. */
  readonly floored: readonly string[];
  /** Tasks whose exponent was held at the mean of all, being within `significance` standard errors of it. */
  readonly held: readonly string[];
  /**
   * H: how many times farther PiKE's exponents ζ1 N_k − (ζ2/2b) σ_k² of the smoothed statistics lie apart than their standard
   * errors explain; about 1 where all differences are noise. Null where fewer than two tasks have a standard error.
   */
  readonly heterogeneity: number | null;
  /** Whether `maxLogStep` shortened this update. */
  readonly limited: boolean;
  /**
   * How far `gramian` had to move the smoothed products to make a Gramian of them: Frobenius norm of the difference, in
   * units of a squared gradient norm. 0 where they were positive semidefinite, and for rules that do not ask.
   */
  readonly projected: number;
  /** Times that `due` came and went without an update since the last report. */
  readonly passedOver: number;
  /** Time spent in this measurement and update, in seconds: what mixing cost beside the gradients themselves. */
  readonly seconds: number;
}

/** Something that a user should know of, though the run goes on. What to do about each stands in the guide. */
export interface MixerWarning {
  /** What it is about, for programs. */
  readonly code:
    | 'WARN_BACKEND_FALLBACK'
    | 'WARN_CUDA_UNAVAILABLE'
    | 'WARN_RESUME_NOT_EXACT'
    | 'WARN_INITIAL_WEIGHTS_RAISED'
    | 'WARN_NOTHING_MEASURED'
    | 'WARN_MEASUREMENT_DISCARDED'
    /** The bound that PiKE descends says nothing any more: β <= 0, tasks conflict. */
    | 'WARN_BOUND_BROKEN'
    /** For as long as averages remember no difference between tasks has stood out of its noise: `heterogeneity` <= 1. */
    | 'WARN_ALL_NOISE'
    /** `significance` is asked for, but the standard errors of some tasks are not known. */
    | 'WARN_ERRORS_UNKNOWN'
    /** A `RunLog` could not be written any more, for instance because the disk is full. */
    | 'WARN_LOG_STOPPED';
  /** What it is about, for people. */
  readonly message: string;
  /** Step of the mixer when it was given. */
  readonly step: number;
}

/** The events of a `Mixer`, for `mixer.on(name, listener)`. */
export interface MixerEvents {
  /** After every update, before its promise resolves. */
  update: [report: UpdateReport];
  /** A task's measurement was missed. */
  skip: [
    miss: Miss & {
      /** Step of the mixer at that update. */
      readonly step: number;
    },
  ];
  /** Something that a user should know of; without a listener it becomes a warning of the process. */
  warning: [warning: MixerWarning];
  /** A task was retired. */
  retire: [
    retired: {
      /** Its name. */
      readonly task: string;
      /** Step of the mixer: its first batch without that task. */
      readonly step: number;
    },
  ];
}
