/** What a reader of run logs gets, and may ask for. */
import type {
  EndEvent,
  EvaluationEvent,
  RetireEvent,
  RunEvent,
  SkipEvent,
  StartEvent,
  StepEvent,
  UnknownEvent,
  UpdateEvent,
  WarningEvent,
} from './events.js';

/** Something about a file that a reader should know, and that kept nobody from reading it. */
export interface RunLogNotice {
  /** What it is about, for programs. */
  readonly code: /** The last line has no end: the writer crashed, or is at it. */
    | 'CUT_OFF'
    /** A line that is none; all others count. */
    | 'DAMAGED_LINE'
    /** An event or a field that a later release may have added. It is kept. Told once of each kind. */
    | 'UNKNOWN_EVENT'
    | 'UNKNOWN_FIELD'
    /** Lines of a run without a start line; told once of each run. They are left out. */
    | 'NO_START'
    /** A start line under the name of a run that stands there already, but does not go on from it: a run of its own. */
    | 'SAME_NAME'
    /** A run went on from an earlier step than the one it had come to; what came after that step is left out. */
    | 'RESUMED_EARLIER';
  /** The same, for people. */
  readonly message: string;
  /** Counted from 1. */
  readonly line: number;
  /** Path of the file. */
  readonly source: string;
}

/** One run. Lists are in the order of the file, without what a resumed process did again. */
export interface LoggedRun {
  /** As in the file. Runs that share it are told apart by `label`. */
  readonly name: string;
  /** Unlike that of every other run read along with it: the name, with the number of the run or the file if need be. */
  readonly label: string;
  /** Path of the file. */
  readonly source: string;
  /** Names of the K tasks. */
  readonly tasks: readonly string[];
  /** The first start line. */
  readonly start: StartEvent;
  /** It and those of every process that went on with the run. */
  readonly starts: readonly StartEvent[];
  /** Of each of these processes: the clock of its log at the last of its lines that are kept here. */
  readonly seconds: readonly number[];
  /** Training steps. */
  readonly steps: readonly StepEvent[];
  /** Updates of the weights. */
  readonly updates: readonly UpdateEvent[];
  /** Held-out losses. */
  readonly evaluations: readonly EvaluationEvent[];
  /** Measurements that were missed. */
  readonly skips: readonly SkipEvent[];
  /** Tasks that left the mixture. */
  readonly retirements: readonly RetireEvent[];
  /** Warnings of the mixer. */
  readonly warnings: readonly WarningEvent[];
  /** null: it crashed, or is still going on. */
  readonly end: EndEvent | null;
  /** Lines of events that this release does not know. */
  readonly others: readonly UnknownEvent[];
  /** Starts, updates, skips, retirements, warnings and the end, all in one list: for whoever needs the order of things. */
  readonly history: readonly Exclude<RunEvent, StepEvent | EvaluationEvent>[];
  /** Of the file. */
  readonly notices: readonly RunLogNotice[];
}

/** Of `readRunLog` and `readRunLogs`. */
export interface ReadRunLogOptions {
  /** false: leaves `steps` empty, for a long log of which only the updates matter (default true). */
  steps?: boolean;
  /** Called as reading goes on. @param bytes read so far, of all files together */
  onRead?: (bytes: number) => void;
}
