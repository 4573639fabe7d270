/**
 * A run as JSON Lines, one event per line (events.ts says which), written as it happens: when the process is killed, every line
 * is there. docs/run-log.md describes them.
 */
import { PikeError } from '../errors.js';
import type { Mixer } from '../mixer/mixer.js';
import type { Miss, MixerWarning, UpdateReport } from '../mixer/report.js';
import { hasMethods, requireBoolean, requireOptions, show } from '../validate.js';
import { VERSION } from '../version.js';
import {
  type ByTask,
  type EventName,
  LOG_FORMAT,
  LOG_VERSION,
  type LogLine,
  type PartlyByTask,
  type RetireEvent,
  type SkipEvent,
  type StartEvent,
  type UpdateEvent,
  type WarningEvent,
} from './events.js';
import { holds, LogFile } from './log-file.js';
import { isAsNew } from './new-state.js';
import { numbersByTask, toLoggedReport } from './report-line.js';

/** Of a `RunLog`. */
export interface RunLogOptions {
  /** Name of the run (default 'run'). */
  run?: string;
  /** Anything worth keeping beside it that JSON can hold, such as the seed and the model; it goes into the start line. */
  about?: Record<string, unknown>;
  /**
   * Go on at the end of an existing file instead of replacing it (default false): for another run, or for the same one, restored
   * from a saved state. A run that goes on must not replace a log, nor may any replace a file that is none.
   */
  append?: boolean;
}

/** What an event adds to every line. */
type Content<E extends LogLine> = Omit<E, keyof LogLine | 'event'>;

/**
 * Writes a run as JSON Lines, one event per line, as it happens, so that a crash loses nothing. Updates, misses, retirements
 * and warnings of the mixer are written without being asked for; `step`, `evaluation` and `end` are called by the loop.
 */
export class RunLog {
  readonly #mixer: Mixer;
  readonly #path: string;
  readonly #run: string;
  readonly #started = performance.now();
  readonly #file: LogFile;
  #failure: PikeError | null = null;

  /**
   * Opens the file, writes the start line, and from then on every update, skip, retirement and warning of `mixer` by itself.
   *
   * @param path of the file; a run log that stands there is replaced, unless `append`
   * @throws PikeError `ERR_INVALID_OPTION`; `ERR_RUN_LOG` when the file cannot be opened or written, when it is no run log, or
   *   when it is one and `mixer` is beyond its first step: then `append` was forgotten. All before anything is replaced
   */
  constructor(path: string, mixer: Mixer, options: RunLogOptions = {}) {
    if (typeof path !== 'string' || path === '')
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `A run log needs the path of a file, but it is ${show(path)}.`,
      );
    if (!hasMethods(mixer, ['state', 'on', 'off', 'emit', 'listenerCount']))
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `A run log needs a Mixer to listen to, but it is ${show(mixer)}.`,
      );
    requireOptions('RunLog', options, ['run', 'about', 'append']);
    const { run = 'run', about = {}, append = false } = options;
    requireBoolean('append', append);
    if (typeof run !== 'string' || run === '')
      throw new PikeError('ERR_INVALID_OPTION', `run must be a name, but is ${show(run)}.`);
    if (typeof about !== 'object' || about === null || Array.isArray(about))
      throw new PikeError('ERR_INVALID_OPTION', `about must be an object, but is ${show(about)}.`);
    this.#mixer = mixer;
    this.#path = path;
    this.#run = run;
    const start = this.#line('start', this.#start(about));
    if (!append) refuseToReplace(path, mixer.step);
    try {
      this.#file = new LogFile(path, start, append);
    } catch (cause) {
      throw new PikeError(
        'ERR_RUN_LOG',
        `The run log ${path} cannot be opened and written: ${(cause as Error).message}`,
        { cause },
      );
    }
    mixer.on('update', this.#onUpdate);
    mixer.on('skip', this.#onSkip);
    mixer.on('retire', this.#onRetire);
    mixer.on('warning', this.#onWarning);
  }

  /** Why nothing is written any more, such as a full disk, which the mixer has warned of; null while all is well. */
  get failure(): PikeError | null {
    return this.#failure;
  }

  /**
   * A training step.
   *
   * @param counts K sample counts of the batch
   * @param weights the K weights they were drawn by
   * @param details what else is known of it that JSON can hold, such as `loss`
   * @throws PikeError `ERR_SHAPE`, `ERR_NON_FINITE`, `ERR_INVALID_OPTION`, also for counts that are no whole numbers >= 0:
   *   those of weights may have taken their place
   */
  step(counts: ArrayLike<number>, weights: ArrayLike<number>, details: Record<string, unknown> = {}): void {
    const counted = this.#finite('counts', counts);
    for (const [task, count] of Object.entries(counted))
      if (!Number.isSafeInteger(count) || count < 0)
        throw new PikeError(
          'ERR_INVALID_OPTION',
          `The run log takes counts, whole numbers >= 0, and then weights; but the count of ${show(task)} is ${count}.`,
        );
    this.#write('step', { ...details, counts: counted, weights: this.#finite('weights', weights) });
  }

  /**
   * Held-out losses.
   *
   * @param losses K numbers; NaN for a task that was not evaluated
   * @throws PikeError `ERR_SHAPE`
   */
  evaluation(losses: ArrayLike<number>): void {
    this.#write('evaluation', { losses: this.#byTask('losses', losses) });
  }

  /**
   * Writes the end line and closes the file; events after it are not written.
   *
   * @param details what is worth keeping that JSON can hold
   * @throws PikeError `ERR_INVALID_OPTION` for details that cannot be written; the log is still open then
   */
  end(details: Record<string, unknown> = {}): void {
    if (!this.#file.isOpen) return;
    this.#write('end', { ...details, weights: this.#finite('weights', this.#mixer.weights) });
    this.#close();
  }

  #start(about: Record<string, unknown>): Content<StartEvent> {
    const { tasks, backend, weights } = this.#mixer;
    const state = this.#mixer.state();
    return {
      format: LOG_FORMAT,
      version: LOG_VERSION,
      time: new Date().toISOString(),
      versions: { pikeMixer: VERSION, node: process.version },
      tasks,
      options: state.options,
      backend,
      weights: this.#finite('weights', weights),
      ...(isAsNew(state) ? {} : { state }),
      about,
    };
  }

  readonly #onUpdate = (report: UpdateReport): void => {
    const line: Content<UpdateEvent> = toLoggedReport(report, this.#mixer.tasks);
    this.#write('update', line);
  };

  readonly #onSkip = ({ task, reason }: Miss): void => {
    const line: Content<SkipEvent> = { task, reason };
    this.#write('skip', line);
  };

  readonly #onRetire = ({ task }: { task: string }): void => {
    const line: Content<RetireEvent> = { task, weights: this.#finite('weights', this.#mixer.weights) };
    this.#write('retire', line);
  };

  readonly #onWarning = ({ code, message }: MixerWarning): void => {
    const line: Content<WarningEvent> = { code, message };
    this.#write('warning', line);
  };

  #byTask(name: string, values: ArrayLike<number>): PartlyByTask {
    const { tasks } = this.#mixer;
    const fits = values?.length === tasks.length && Array.from(values).every((x) => typeof x === 'number');
    if (!fits)
      throw new PikeError(
        'ERR_SHAPE',
        `The run log takes ${tasks.length} numbers as ${name}, one per task, not ${show(values)}.`,
      );
    return numbersByTask(tasks, values);
  }

  #finite(name: string, values: ArrayLike<number>): ByTask {
    const byTask = this.#byTask(name, values);
    for (const [task, value] of Object.entries(byTask))
      if (value === null)
        throw new PikeError(
          'ERR_NON_FINITE',
          `The run log takes finite ${name}, but that of ${show(task)} is not.`,
        );
    return byTask as ByTask;
  }

  #write(event: EventName, content: object): void {
    if (!this.#file.isOpen) return;
    const line = this.#line(event, content);
    try {
      this.#file.line(line);
    } catch (cause) {
      this.#stop(cause);
    }
  }

  /** No field of the caller's takes the place of what a line is. */
  #line(event: EventName, content: object): string {
    const head = {
      event,
      run: this.#run,
      step: this.#mixer.step,
      seconds: Number(((performance.now() - this.#started) / 1000).toFixed(6)),
    };
    try {
      return JSON.stringify({ ...head, ...content, ...head }, plain);
    } catch (cause) {
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `This cannot be written into a run log as JSON: ${(cause as Error).message}`,
        { cause },
      );
    }
  }

  /** Training goes on without a log: an update has taken place, whether it can be written or not. */
  #stop(cause: unknown): void {
    const { step } = this.#mixer;
    const message =
      `The run log ${this.#path} could not be written at step ${step}, and nothing is added to it any more: ` +
      `${(cause as Error).message}. Training goes on; all that was logged before is there.`;
    this.#failure = new PikeError('ERR_RUN_LOG', message, { cause });
    this.#close();
    const warning: MixerWarning = { code: 'WARN_LOG_STOPPED', message, step };
    if (this.#mixer.listenerCount('warning') > 0) this.#mixer.emit('warning', warning);
    else process.emitWarning(message, { type: 'PikeMixerWarning', code: warning.code });
  }

  #close(): void {
    this.#mixer.off('update', this.#onUpdate);
    this.#mixer.off('skip', this.#onSkip);
    this.#mixer.off('retire', this.#onRetire);
    this.#mixer.off('warning', this.#onWarning);
    try {
      this.#file.close();
    } catch {
      // Some file systems only tell now that a line before has not arrived; there is nobody left to tell it to.
    }
  }
}

/** A slip of the hand must cost no file, and a resumed run not what it had logged before. */
function refuseToReplace(path: string, step: number): void {
  let there: ReturnType<typeof holds>;
  try {
    there = holds(path);
  } catch (cause) {
    throw new PikeError(
      'ERR_RUN_LOG',
      `${path} cannot be read, so that it is not known what a run log would replace: ${(cause as Error).message}`,
      { cause },
    );
  }
  if (there === 'something else')
    throw new PikeError(
      'ERR_RUN_LOG',
      `${path} is no run log, and one would replace it: choose another name, or delete it first.`,
    );
  if (there === 'run log' && step > 0)
    throw new PikeError(
      'ERR_RUN_LOG',
      `${path} is a run log already, and this mixer goes on from step ${step}: pass append: true to add to it, or choose another name.`,
    );
}

/** Typed arrays as lists; JSON.stringify itself would write them as objects by index. */
function plain(_key: string, value: unknown): unknown {
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
    ? Array.from(value as Float64Array)
    : value;
}
