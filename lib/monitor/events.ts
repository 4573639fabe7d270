/**
 * The lines of a run log, one JSON object each; docs/run-log.md and run-log.schema.json say the same. `RunLog` writes these
 * types and `readRunLogs` gives them back.
 *
 * JSON has no NaN and no Infinity: null stands for both, and means "no estimate" unless a field says otherwise.
 */
import type { BackendName } from '../backends/backend.js';
import type { MissReason, MixerWarning } from '../mixer/report.js';
import type { MixerState, OptionsState } from '../mixer/state.js';

/** What `format` of a start line says. */
export const LOG_FORMAT = 'pike-mixer run log';
/** Logs of version 1 have neither `format` nor `version`, nor what is marked "since version 2" below. */
export const LOG_VERSION = 2;

/** A number for each of the K tasks, by name. */
export type ByTask = Readonly<Record<string, number>>;
/** The same, where some may be unknown. */
export type PartlyByTask = Readonly<Record<string, number | null>>;
/** Numbers in the order of the start line's `tasks`. */
export type Numbers = readonly (number | null)[];

/** What every line has. */
export interface LogLine {
  /** Name of the run: several may share a file. */
  readonly run: string;
  /** Batches that the mixer had drawn. */
  readonly step: number;
  /** Since the log was opened, in seconds. */
  readonly seconds: number;
}

/** The first line of a run, and again the first of every process that goes on with it. */
export interface StartEvent extends LogLine {
  /** Which event it is. */
  readonly event: 'start';
  /** Since version 2. */
  readonly format?: typeof LOG_FORMAT;
  /** Of the format; left out in version 1. */
  readonly version?: number;
  /** When the log was opened, in UTC, as ISO 8601. Since version 2. */
  readonly time?: string;
  /** Of what wrote it. */
  readonly versions: {
    /** Of this package. */
    readonly pikeMixer: string;
    /** Of Node.js, as `process.version`. */
    readonly node: string;
  };
  /** Names of the K tasks. */
  readonly tasks: readonly string[];
  /** Every option of the mixer, defaults filled in; the rule by its name. */
  readonly options: OptionsState;
  /** As `Mixer.backend` was then. */
  readonly backend: {
    /** Which one it is. */
    readonly name: BackendName;
    /** Of the CPU kernels in use, if it is those. */
    readonly instructionSet?: string;
    /** Name of the GPU in use, if it is one. */
    readonly device?: string;
    /** Why this one. */
    readonly reason: string;
  };
  /** Those that the log begins with. */
  readonly weights: ByTask;
  /** What the mixer remembered, unless it was as new: all that `Mixer.restore` needs. Since version 2. */
  readonly state?: MixerState;
  /** Whatever the caller wished to keep. */
  readonly about: Readonly<Record<string, unknown>>;
}

/** A training step. More fields may follow, the caller's. */
export interface StepEvent extends LogLine {
  /** Which event it is. */
  readonly event: 'step';
  /** Samples of each task in the batch. */
  readonly counts: ByTask;
  /** The weights that they were drawn by. */
  readonly weights: ByTask;
  /** Training loss of the batch, if the caller gave it. */
  readonly loss?: number | null;
  readonly [detail: string]: unknown;
}

/** As `Statistics`; null for a task that was missed or is retired. */
export interface LoggedStatistics {
  /** K. */
  readonly tasks: number;
  /** m_k. */
  readonly microBatches: readonly number[];
  /** n_k. */
  readonly samples: readonly number[];
  /** N_k, in units of a squared gradient norm. */
  readonly normSquared: Numbers;
  /** σ_k² per sample, in the same units. */
  readonly variance: Numbers;
  /** G_jk, K×K row-major; null when not measured. */
  readonly inner: Numbers | null;
  /** Of `normSquared` and `variance`; null when none are known. */
  readonly standardError: {
    /** Of N_k. */
    readonly normSquared: Numbers;
    /** Of σ_k². */
    readonly variance: Numbers;
  } | null;
}

/** As `Conflict`. */
export interface LoggedConflict {
  /** Cosines of the expected gradients, K×K row-major; null for a pair with an N <= 0 or without an estimate. */
  readonly cosine: Numbers;
  /** c, from 0 to ½. */
  readonly conflict: number;
  /** c̄, from 0 to 1. */
  readonly alignment: number;
  /** null for −Infinity: a weight of 0 where tasks conflict. */
  readonly beta: number | null;
  /** γ of the bound. */
  readonly gamma: number;
  /** β > 0. */
  readonly boundHolds: boolean;
  /** Some pair was left out. */
  readonly uncertain: boolean;
}

/** An update of the weights: the whole `UpdateReport`. */
export interface UpdateEvent extends LogLine {
  /** Which event it is. */
  readonly event: 'update';
  /** After the update; 0 for a retired task. */
  readonly weights: ByTask;
  /** Before it. */
  readonly previous: ByTask;
  /** Factors for the tasks' losses in the training step. */
  readonly lossWeights: ByTask;
  /** Mean training losses; null where not given or not finite, and altogether when none was given. */
  readonly losses: PartlyByTask | null;
  /** η if it came with this update, else null. Since version 2. */
  readonly learningRate?: number | null;
  /** Time that measuring and updating took, in seconds, beside the gradients themselves. */
  readonly mixingSeconds: number;
  /** This measurement alone: what `replay` starts from. */
  readonly statistics: LoggedStatistics;
  /** What the rule acted on. */
  readonly smoothed: LoggedStatistics;
  /** From the smoothed inner products; null when they are not measured. */
  readonly conflict: LoggedConflict | null;
  /** Tasks without a usable measurement. */
  readonly missed: readonly {
    /** Its name. */
    readonly task: string;
    /** Why. */
    readonly reason: MissReason;
  }[];
  /** Tasks that take no part any more. */
  readonly retired: readonly string[];
  /** Tasks whose smoothed N was negative and taken as 0. */
  readonly clipped: readonly string[];
  /** Tasks that stand on `minWeight`. */
  readonly floored: readonly string[];
  /** Tasks that `significance` held back. */
  readonly held: readonly string[];
  /** How many times farther exponents lie apart than their standard errors explain; null where fewer than two are known. */
  readonly heterogeneity: number | null;
  /** `maxLogStep` shortened the step. */
  readonly limited: boolean;
  /** Frobenius norm of what `gramian` added to the products. */
  readonly projected: number;
  /** Times that `due` came and went since the last update. */
  readonly passedOver: number;
}

/** Held-out losses. */
export interface EvaluationEvent extends LogLine {
  /** Which event it is. */
  readonly event: 'evaluation';
  /** null for a task that was not evaluated, or whose loss is not finite. */
  readonly losses: PartlyByTask;
}

/** A task's measurement was missed; the update's `missed` tells of it too. */
export interface SkipEvent extends LogLine {
  /** Which event it is. */
  readonly event: 'skip';
  /** Its name. */
  readonly task: string;
  /** Why. */
  readonly reason: MissReason;
}

/** A task has left the mixture. */
export interface RetireEvent extends LogLine {
  /** Which event it is. */
  readonly event: 'retire';
  /** Its name. */
  readonly task: string;
  /** Those after it. Since version 2. */
  readonly weights?: ByTask;
}

/** A warning of the mixer. */
export interface WarningEvent extends LogLine {
  /** Which event it is. */
  readonly event: 'warning';
  /** What it is about, for programs. */
  readonly code: MixerWarning['code'];
  /** The same, for people. */
  readonly message: string;
}

/** The run was ended on purpose: without it, it crashed or goes on. More fields may follow, the caller's. */
export interface EndEvent extends LogLine {
  /** Which event it is. */
  readonly event: 'end';
  /** Those that the run ended with. */
  readonly weights: ByTask;
  readonly [detail: string]: unknown;
}

/** A line of a run log. */
export type RunEvent =
  | StartEvent
  | StepEvent
  | UpdateEvent
  | EvaluationEvent
  | SkipEvent
  | RetireEvent
  | WarningEvent
  | EndEvent;

/** What lines can tell of. */
export type EventName = RunEvent['event'];

/** A line of an event that this release does not know. */
export interface UnknownEvent extends LogLine {
  /** Which event it is. */
  readonly event: string;
  readonly [field: string]: unknown;
}
