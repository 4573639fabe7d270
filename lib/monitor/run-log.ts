/**
 * A run as JSON Lines, one event per line, written as it happens, so that a crash loses nothing:
 *
 *     { event: 'start' | 'step' | 'update' | 'evaluation' | 'skip' | 'retire' | 'warning' | 'end', run, step, seconds, … }
 *
 * `run` names the run, so several may share a file; `seconds` counts from the start of the run. Counts, weights
 * and losses are objects by task; the statistics of an update are arrays in the order of `start`'s `tasks`. JSON
 * has no NaN, so null stands for "no estimate".
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { PikeError } from '../errors.js';
import type { Mixer } from '../mixer/mixer.js';
import type { Miss, MixerWarning, UpdateReport } from '../mixer/report.js';
import { show } from '../validate.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Of a `RunLog`. */
export interface RunLogOptions {
  /** Name of the run (default 'run'). */
  run?: string;
  /** Anything worth keeping beside it, such as the seed and the model; it goes into the start line. */
  about?: Record<string, unknown>;
  /** Go on at the end of an existing file instead of replacing it (default false). */
  append?: boolean;
}

/**
 * Writes a run as JSON Lines, one event per line, as it happens, so that a crash loses nothing. Updates, misses, retirements
 * and warnings of the mixer are written without being asked for; `step`, `evaluation` and `end` are called by the loop.
 */
export class RunLog {
  readonly #mixer: Mixer;
  readonly #run: string;
  readonly #started = performance.now();
  #file: number | null;

  /**
   * Opens the file, writes the start line, and from then on every update, skip, retirement and warning of `mixer` by itself.
   *
   * @throws PikeError `ERR_INVALID_OPTION` when the file cannot be opened
   */
  constructor(path: string, mixer: Mixer, options: RunLogOptions = {}) {
    const { run = 'run', about = {}, append = false } = options;
    try {
      this.#file = openSync(path, append ? 'a' : 'w');
    } catch (cause) {
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `The run log ${path} cannot be opened: ${(cause as Error).message}`,
        { cause },
      );
    }
    this.#mixer = mixer;
    this.#run = run;
    this.#write('start', {
      versions: { pikeMixer: version, node: process.version },
      tasks: mixer.tasks,
      options: mixer.state().options,
      backend: mixer.backend,
      weights: this.#byTask(mixer.weights),
      about,
    });
    mixer.on('update', this.#onUpdate);
    mixer.on('skip', this.#onSkip);
    mixer.on('retire', this.#onRetire);
    mixer.on('warning', this.#onWarning);
  }

  /** A training step: the batch's counts, the weights they were drawn by, and what else is known, such as `loss`. */
  step(counts: ArrayLike<number>, weights: ArrayLike<number>, details: Record<string, unknown> = {}): void {
    this.#write('step', { ...details, counts: this.#byTask(counts), weights: this.#byTask(weights) });
  }

  /** Held-out losses, length K. */
  evaluation(losses: ArrayLike<number>): void {
    this.#write('evaluation', { losses: this.#byTask(losses) });
  }

  /** Writes the end line and closes the file; events after it are not written. */
  end(details: Record<string, unknown> = {}): void {
    if (this.#file === null) return;
    this.#write('end', { ...details, weights: this.#byTask(this.#mixer.weights) });
    this.#mixer.off('update', this.#onUpdate);
    this.#mixer.off('skip', this.#onSkip);
    this.#mixer.off('retire', this.#onRetire);
    this.#mixer.off('warning', this.#onWarning);
    closeSync(this.#file);
    this.#file = null;
  }

  readonly #onUpdate = (report: UpdateReport): void => {
    const { step: _, weights, previous, lossWeights, losses, seconds, ...rest } = report;
    this.#write('update', {
      weights: this.#byTask(weights),
      previous: this.#byTask(previous),
      lossWeights: this.#byTask(lossWeights),
      losses: losses && this.#byTask(losses),
      mixingSeconds: seconds,
      ...rest,
    });
  };

  readonly #onSkip = ({ task, reason }: Miss): void => this.#write('skip', { task, reason });

  readonly #onRetire = ({ task }: { task: string }): void => this.#write('retire', { task });

  readonly #onWarning = ({ code, message }: MixerWarning): void => this.#write('warning', { code, message });

  #byTask(values: ArrayLike<number>): Record<string, number> {
    const { tasks } = this.#mixer;
    if (values?.length !== tasks.length)
      throw new PikeError(
        'ERR_SHAPE',
        `The run log takes ${tasks.length} numbers, one per task, not ${show(values)}.`,
      );
    return Object.fromEntries(tasks.map((task, k) => [task, values[k]]));
  }

  #write(event: string, details: Record<string, unknown>): void {
    if (this.#file === null) return;
    const head = {
      event,
      run: this.#run,
      step: this.#mixer.step,
      seconds: Number(((performance.now() - this.#started) / 1000).toFixed(6)),
    };
    writeSync(this.#file, JSON.stringify({ ...head, ...details, ...head }, plain) + '\n');
  }
}

/** Typed arrays as lists; JSON.stringify itself would write them as objects by index. */
function plain(_key: string, value: unknown): unknown {
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
    ? Array.from(value as Float64Array)
    : value;
}
