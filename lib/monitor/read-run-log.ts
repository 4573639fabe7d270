/**
 * Reads run logs, also of runs that crashed or are still going on: a line cut off at the end of a file and lines damaged in
 * the middle cost no more than themselves, and stand in the notices. Files are read line by line and only read.
 */
import { open } from 'node:fs/promises';
import { PikeError } from '../errors.js';
import { show } from '../validate.js';
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
import { RunLogParser } from './run-log-parser.js';

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

const CHUNK_BYTES = 1 << 20;

/**
 * The runs in one file or several, in the order in which they begin. Runs in different files are different runs, whatever
 * their names.
 *
 * @throws PikeError `ERR_RUN_LOG` when a file cannot be read, holds no start line that can be used, or was written by a
 *   later release in a format that this one does not know
 */
export async function readRunLogs(
  paths: string | readonly string[],
  options: ReadRunLogOptions = {},
): Promise<LoggedRun[]> {
  const list = typeof paths === 'string' ? [paths] : paths;
  const runs: LoggedRun[] = [];
  let bytes = 0;
  const onRead = (length: number) => {
    bytes += length;
    options.onRead?.(bytes);
  };
  for (const path of list) runs.push(...(await readFile(path, { ...options, onRead })));
  return withLabels(runs);
}

/**
 * The one run of a file, or the one of that name.
 *
 * @throws PikeError as `readRunLogs`; `ERR_INVALID_OPTION` when there is no such run, or more than one and no name
 */
export async function readRunLog(
  path: string,
  options: ReadRunLogOptions & { run?: string } = {},
): Promise<LoggedRun> {
  const { run, ...rest } = options;
  return pickRun(await readRunLogs(path, rest), run);
}

/** @throws PikeError `ERR_INVALID_OPTION` when there is no such run, or more than one and no name */
export function pickRun(runs: readonly LoggedRun[], name: string | undefined): LoggedRun {
  const labels = runs.map(({ label }) => show(label)).join(', ');
  if (name === undefined) {
    if (runs.length === 1) return runs[0];
    throw new PikeError('ERR_INVALID_OPTION', `There are ${runs.length} runs; name one of ${labels}.`);
  }
  const found = runs.find(({ label }) => label === name) ?? runs.filter((run) => run.name === name);
  if (!Array.isArray(found)) return found as LoggedRun;
  if (found.length === 1) return found[0];
  throw new PikeError(
    'ERR_INVALID_OPTION',
    found.length === 0
      ? `There is no run ${show(name)}. The runs are ${labels}.`
      : `There are ${found.length} runs ${show(name)}; name one of ${labels}.`,
  );
}

async function readFile(path: string, options: ReadRunLogOptions): Promise<LoggedRun[]> {
  const parser = new RunLogParser(path, options);
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    throw unreadable(path, cause);
  }
  try {
    const stream = file.createReadStream({ encoding: 'utf8', highWaterMark: CHUNK_BYTES, autoClose: false });
    for await (const chunk of stream) {
      parser.push(chunk as string);
      options.onRead?.(Buffer.byteLength(chunk as string));
    }
  } catch (error) {
    throw error instanceof PikeError ? error : unreadable(path, error);
  } finally {
    await file.close();
  }
  return parser.end();
}

function unreadable(path: string, cause: unknown): PikeError {
  return new PikeError('ERR_RUN_LOG', `The run log ${path} cannot be read: ${(cause as Error).message}`, {
    cause,
  });
}

function withLabels(runs: LoggedRun[]): LoggedRun[] {
  const count = (label: string) => runs.filter((run) => run.label === label).length;
  const labels = runs.map((run) => (count(run.label) > 1 ? `${run.label} (${run.source})` : run.label));
  return runs.map((run, i) => {
    // The same file twice.
    const earlier = labels.slice(0, i).filter((label) => label === labels[i]).length;
    return {
      ...run,
      label: earlier > 0 ? `${labels[i]} again${earlier > 1 ? ` ${earlier}` : ''}` : labels[i],
    };
  });
}
