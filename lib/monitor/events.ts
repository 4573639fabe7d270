/**
 * The lines of a run log, one JSON object each; docs/run-log.md and run-log.schema.json say the same. `RunLog` writes these
 * types and `readRunLogs` gives them back.
 *
 * JSON has no NaN and no Infinity: null stands for both, and means "no estimate" unless a field says otherwise.
 */
import type { BackendName } from '../backends/backend.js';
import type { MissReason, MixerWarning } from '../mixer/report.js';
import type { MixerState, OptionsState } from '../mixer/state.js';

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
  readonly event: 'start';
  /** Since version 2. */
  readonly format?: typeof LOG_FORMAT;
  /** Of the format; left out in version 1. */
  readonly version?: number;
  /** When the log was opened, in UTC, as ISO 8601. Since version 2. */
  readonly time?: string;
  readonly versions: { readonly pikeMixer: string; readonly node: string };
  /** Names of the K tasks. */
  readonly tasks: readonly string[];
  /** Every option of the mixer, defaults filled in; the rule by its name. */
  readonly options: OptionsState;
  readonly backend: {
    readonly name: BackendName;
    readonly instructionSet?: string;
    readonly device?: string;
    readonly reason: string;
  };
  readonly weights: ByTask;
  /** What the mixer remembered, unless it was as new: all that `Mixer.restore` needs. Since version 2. */
  readonly state?: MixerState;
  /** Whatever the caller wished to keep. */
  readonly about: Readonly<Record<string, unknown>>;
}

/** A training step. More fields may follow, the caller's. */
export interface StepEvent extends LogLine {
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
  readonly standardError: { readonly normSquared: Numbers; readonly variance: Numbers } | null;
}

/** As `Conflict`. */
export interface LoggedConflict {
  readonly cosine: Numbers;
  readonly conflict: number;
  readonly alignment: number;
  /** null for −Infinity: a weight of 0 where tasks conflict. */
  readonly beta: number | null;
  readonly gamma: number;
  readonly boundHolds: boolean;
  readonly uncertain: boolean;
}

/** An update of the weights: the whole `UpdateReport`. */
export interface UpdateEvent extends LogLine {
  readonly event: 'update';
  readonly weights: ByTask;
  readonly previous: ByTask;
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
  readonly conflict: LoggedConflict | null;
  readonly missed: readonly { readonly task: string; readonly reason: MissReason }[];
  readonly retired: readonly string[];
  readonly clipped: readonly string[];
  readonly floored: readonly string[];
  readonly held: readonly string[];
  readonly heterogeneity: number | null;
  readonly limited: boolean;
  readonly projected: number;
  readonly passedOver: number;
}

/** Held-out losses. */
export interface EvaluationEvent extends LogLine {
  readonly event: 'evaluation';
  readonly losses: PartlyByTask;
}

/** A task's measurement was missed; the update's `missed` tells of it too. */
export interface SkipEvent extends LogLine {
  readonly event: 'skip';
  readonly task: string;
  readonly reason: MissReason;
}

/** A task has left the mixture. */
export interface RetireEvent extends LogLine {
  readonly event: 'retire';
  readonly task: string;
  /** Those after it. Since version 2. */
  readonly weights?: ByTask;
}

export interface WarningEvent extends LogLine {
  readonly event: 'warning';
  readonly code: MixerWarning['code'];
  readonly message: string;
}

/** The run was ended on purpose: without it, it crashed or goes on. More fields may follow, the caller's. */
export interface EndEvent extends LogLine {
  readonly event: 'end';
  readonly weights: ByTask;
  readonly [detail: string]: unknown;
}

export type RunEvent =
  | StartEvent
  | StepEvent
  | UpdateEvent
  | EvaluationEvent
  | SkipEvent
  | RetireEvent
  | WarningEvent
  | EndEvent;

export type EventName = RunEvent['event'];

/** A line of an event that this release does not know. */
export interface UnknownEvent extends LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}
