/**
 * The conductor: gradients → statistics → rule → counts of the next batch. It computes nothing itself; it keeps
 * the order of calls, the state, and tells what happened.
 *
 * Calls are queued in call order. A rejected or aborted call changes nothing: every update is computed beside
 * the state and takes its place in one synchronous step.
 */
import { EventEmitter } from 'node:events';
import type { BackendName } from '../backends/backend.js';
import { checkPreconditioner, checkRows, tooFewMicroBatches } from '../backends/measure.js';
import { PikeError } from '../errors.js';
import { type Gradient, viewGradient } from '../gradients/gradient.js';
import type { Place } from '../gradients/layout.js';
import { momentsOf } from '../statistics/subset.js';
import { refuseUnknown, requireOptions, requirePositiveInteger, requireSignal, show } from '../validate.js';
import { Announcer } from './announcer.js';
import { BackendInUse } from './backend-in-use.js';
import { CallQueue } from './call-queue.js';
import { measureRows } from './measure-rows.js';
import { checkLosses, checkTaskLosses, Measurement } from './measurement.js';
import { Mixture } from './mixture.js';
import {
  checkUpdateOptions,
  type MeasureOptions,
  type MixerOptions,
  type ObserveOptions,
  type ResolvedOptions,
  resolveOptions,
  type UpdateOptions,
} from './options.js';
import type { MixerEvents, UpdateReport } from './report.js';
import { Schedule } from './schedule.js';
import { spreadReport } from './spread-report.js';
import { StandingConditions } from './standing-conditions.js';
import {
  checkSmoothing,
  checkState,
  encodeOptions,
  type MixerState,
  restoredOptions,
  STATE_FORMAT,
  STATE_VERSION,
} from './state.js';
import { type ComputedUpdate, computeUpdate } from './update.js';

/**
 * Decides how many samples of each task go into the next batch, and moves the mixture by what is measured of the tasks'
 * gradients. A loop draws counts with `next`, and whenever `due` is true measures every task, by `observe` and `update` or
 * by `measure`. Calls are served in the order in which they come; one that rejects has changed nothing.
 *
 * Events are `update`, `skip`, `warning` and `retire`: see `MixerEvents`.
 *
 * Source: PiKE, Li et al., NeurIPS 2025, arXiv 2502.06244; the default rule is its Algorithm 1.
 */
export class Mixer extends EventEmitter<MixerEvents> {
  /** Names of the K tasks. */
  readonly tasks: readonly string[];
  /** m: micro-batches to measure per task. */
  readonly microBatches: number;
  /** s: samples per measured micro-batch. */
  readonly microBatchSize: number;
  readonly #options: ResolvedOptions;
  readonly #backend: BackendInUse;
  readonly #announcer = new Announcer(this);
  readonly #conditions: StandingConditions;
  readonly #mixture: Mixture;
  #schedule: Schedule;
  #measurement: Measurement | null = null;
  /** Updates called and not yet settled. */
  #updating = 0;
  readonly #calls = new CallQueue();
  #disposed = false;

  /**
   * @param options `tasks` and `batchSize` are enough
   * @throws PikeError `ERR_INVALID_OPTION`, `ERR_SHAPE`, `ERR_TOO_FEW_MICROBATCHES` for fewer than two `microBatches`,
   *   `ERR_NO_BACKEND`
   */
  constructor(options: MixerOptions) {
    super();
    this.#options = resolveOptions(options);
    const { tasks } = this.#options;
    this.#backend = new BackendInUse(this.#options);
    this.#conditions = new StandingConditions(this.#options);
    this.tasks = tasks;
    this.microBatches = this.#options.microBatches;
    this.microBatchSize = this.#options.microBatchSize;
    this.#schedule = new Schedule(this.#options.updateInterval);
    this.#mixture = new Mixture(this.#options);
    const { fallback } = this.#backend;
    if (fallback) this.#announcer.warnLater('WARN_BACKEND_FALLBACK', fallback);
    if (this.#options.backend === 'auto') void this.#announcer.warnOfCuda();
    const { initialWeights, minWeight } = this.#options;
    const raised = tasks.filter((_, k) => initialWeights[k] < minWeight);
    if (raised.length > 0)
      this.#announcer.warnLater(
        'WARN_INITIAL_WEIGHTS_RAISED',
        `The initial weights of ${raised.join(', ')} are below minWeight ${minWeight} and were raised to it, also as the prior; set minWeight to keep them.`,
      );
  }

  /** A copy of the current weights, length K, summing to 1; 0 for retired tasks. */
  get weights(): Float64Array {
    return this.#mixture.weights;
  }

  /** A copy of the factors for the tasks' losses in the training step, length K; all 1 for rules without. */
  get lossWeights(): Float64Array {
    return this.#mixture.lossWeights;
  }

  /** Names of the tasks that have not been retired: those to be measured. */
  get activeTasks(): readonly string[] {
    return this.#mixture.active.names;
  }

  /** Whether `retire` can be called: a rule of one's own that remembers more than weights must say how. */
  get canRetire(): boolean {
    return this.#mixture.canRetire;
  }

  /** Batches drawn so far. */
  get step(): number {
    return this.#schedule.step;
  }

  /** Whether it is time to measure: until `update`, or until the second `next` after it became true. */
  get due(): boolean {
    return this.#schedule.due;
  }

  /** What is to be measured: for a rule without gradients `update` is enough, with the losses if it needs them. */
  get needs(): {
    /** Gradients, by `observe` or `measure`. */
    gradients: boolean;
    /** The tasks' mean training losses. */
    losses: boolean;
    /** The inner products between tasks' gradients, which cost K vectors of memory. */
    inner: boolean;
  } {
    const { inner } = this.#options;
    const { gradients = true, losses = false } = this.#options.rule.needs;
    return { gradients: gradients || inner, losses, inner };
  }

  /** b: samples per training batch. */
  get batchSize(): number {
    return this.#options.batchSize;
  }

  /** Where statistics are computed now, and why there: under 'auto' that is where the gradients lie. */
  get backend(): {
    /** 'cpu' and 'cuda' are of the native addon, 'reference' is plain TypeScript. */
    name: BackendName;
    /** Of the kernels in use, when that is the CPU: 'avx512', 'avx2', 'neon' or 'portable'. */
    instructionSet?: string;
    /** Name of the GPU in use, if it is one. */
    device?: string;
    /** Why this one is in use, and why the better ones are not. */
    reason: string;
  } {
    const { name, instructionSet, device, reason } = this.#backend.current;
    return {
      name,
      ...(instructionSet === undefined ? {} : { instructionSet }),
      ...(device === undefined ? {} : { device }),
      reason,
    };
  }

  /**
   * Draws the next batch: K sample counts that sum to the batch size. Advances the step. During an update that
   * has not settled yet, the old weights hold.
   *
   * @param atMost samples that each task has left, K whole numbers, Infinity where there is no end to them: a task gets
   *   no more, and what it lacks goes to the others by their weights
   * @throws PikeError `ERR_SHAPE`, `ERR_INVALID_OPTION`, also when the limits together do not fill a batch
   */
  next(atMost?: ArrayLike<number>): Int32Array {
    this.#assertAlive();
    const counts = this.#mixture.next(atMost);
    this.#schedule.advance();
    // Gradients of parameters that have since moved on must not meet those of the next measurement.
    if (this.#measurement && this.#schedule.isPast(this.#measurement.begun))
      this.#discardLater(this.#measurement);
    return counts;
  }

  /** The counts that `next` would return now. Nothing is changed: with other weights by then, they are others. */
  peek(atMost?: ArrayLike<number>): Int32Array {
    this.#assertAlive();
    return this.#mixture.peek(atMost);
  }

  /**
   * Takes a task out of the mixture for good, for instance because its data has come to an end: its weight goes to the
   * others in proportion to theirs, at once, and the rule goes on with these. Reports and counts still have K
   * entries, with weight 0 for this task, and nothing has to be measured of it any more. A measurement in progress goes
   * on without it. To retire a task again changes nothing.
   *
   * @throws PikeError `ERR_INVALID_OPTION` when there is no such task, when it is the last one, or when the rule is one of
   *   your own that remembers more than weights and has no `retire`
   */
  retire(task: string): void {
    this.#assertAlive();
    if (!this.#mixture.active.includes(task)) return;
    this.#mixture.retire(task, this.step);
    this.#announcer.tell('retire', { task, step: this.step });
  }

  /**
   * Takes one micro-batch gradient into the current measurement.
   *
   * @param task its name
   * @param gradient d elements: the gradient of the mean loss over `samples` samples of this task, unscaled and
   *   unclipped, at parameters that stand still during one measurement. A gradient that is not finite makes
   *   the task a miss of this update. The memory is the caller's again when the promise settles.
   * @throws PikeError `ERR_INVALID_OPTION`, `ERR_SHAPE`, `ERR_DTYPE`, `ERR_DETACHED`, `ERR_MEMORY`,
   *   `ERR_ORDER` when, without inner products, a task comes back after another one, `ERR_NO_BACKEND` for a gradient
   *   on a GPU where there is none to measure it, `ERR_CUDA`, `ERR_CUDA_FATAL`; or the signal's reason
   */
  async observe(task: string, gradient: Gradient, options: ObserveOptions): Promise<void> {
    this.#assertAlive();
    const k = this.#mixture.active.requireActive(task);
    refuseUnknown('observe', options ?? {}, ['samples', 'loss', 'preconditioner', 'signal']);
    const samples = requirePositiveInteger('samples', options?.samples);
    const { loss, signal } = options;
    if (loss !== undefined && typeof loss !== 'number')
      throw new PikeError('ERR_INVALID_OPTION', `loss must be a number, but is ${show(loss)}.`);
    requireSignal(signal);
    const view = viewGradient(gradient, 'gradient');
    const begun = this.step;
    const preconditioner = checkPreconditioner(options.preconditioner, view, 'gradient');
    this.#backend.assertTakes(view, preconditioner, 'gradient');
    await this.#calls.inTurn(signal, async () => {
      const measurement = this.#measurement ?? this.#newMeasurement(begun);
      this.#measurement = measurement;
      const started = performance.now();
      await measurement.add({ task: k, gradient: view, samples, loss, preconditioner }, signal);
      measurement.milliseconds += performance.now() - started;
    });
  }

  /**
   * Ends the measurement that `observe` built up and moves the weights by the rule. Tasks with fewer than two
   * micro-batches or with non-finite values are reported as missed. With no task measured, nothing changes but
   * `due`, and a warning says so; but a rule that needs no gradients (`needs`) acts without any.
   *
   * @throws PikeError `ERR_INVALID_OPTION`, `ERR_SHAPE` for losses that do not fit, `ERR_MEMORY`, `ERR_CUDA`, `ERR_CUDA_FATAL`, or what a rule throws; or the signal's reason.
   *   Nothing has changed then.
   */
  async update(options: UpdateOptions = {}): Promise<UpdateReport> {
    this.#assertAlive();
    requireOptions('update', options, ['losses', 'learningRate', 'signal']);
    const given = options.losses === undefined ? null : checkTaskLosses(options.losses, this.tasks);
    checkUpdateOptions(options);
    return await this.#serve(options.signal, async () => {
      const measurement = this.#measurement ?? this.#newMeasurement(this.step);
      const started = performance.now();
      if (given && measurement.losses.means())
        throw new PikeError(
          'ERR_INVALID_OPTION',
          'losses were given to observe and to update: one of them is too much.',
        );
      const moments = await measurement.moments(options.signal);
      const { active } = this.#mixture;
      const next = computeUpdate(
        this.#updateInput(),
        momentsOf(moments, active.indices),
        active.pickLosses(given ?? measurement.losses),
        options.learningRate,
      );
      this.#measurement = null;
      measurement.dispose();
      return this.#commit(next, measurement.place, measurement.milliseconds + performance.now() - started);
    });
  }

  /**
   * `observe` and `update` in one call, for gradients that are all there at once: read in one pass, and on a GPU
   * one launch for sums and weights by the built-in rules.
   *
   * @param rows `rows[k][i]`: gradient of micro-batch i of task k, d elements each; a task with fewer than two is
   *   a miss, and a retired one has none
   * @throws PikeError as `observe` and `update`; `ERR_TOO_FEW_MICROBATCHES` when no task has two micro-batches,
   *   `ERR_ORDER` while a measurement begun by `observe` is open
   */
  async measure(rows: readonly (readonly Gradient[])[], options: MeasureOptions): Promise<UpdateReport> {
    this.#assertAlive();
    refuseUnknown('measure', options ?? {}, [
      'samples',
      'losses',
      'preconditioner',
      'learningRate',
      'signal',
    ]);
    if (Array.isArray(rows) && rows.length !== this.tasks.length)
      throw new PikeError(
        'ERR_SHAPE',
        `rows has ${rows.length} tasks, but this mixer has ${this.tasks.length}: ${this.tasks.join(', ')}.`,
      );
    const checked = checkRows(rows, options?.samples, options?.preconditioner);
    for (const [k, task] of this.tasks.entries())
      if (checked.rows[k].length > 0) this.#mixture.active.requireActive(task);
    if (checked.rows.every((task) => task.length < 2)) throw tooFewMicroBatches('No task has two');
    const first = checked.rows.flat()[0];
    this.#backend.assertTakes(first, checked.preconditioner, 'a gradient in rows');
    const losses = checkLosses(options.losses, checked.samples);
    checkUpdateOptions(options);
    return await this.#serve(options.signal, async () => {
      if (this.#measurement?.observations)
        throw new PikeError(
          'ERR_ORDER',
          'measure was called while a measurement begun by observe is open; call update or discard first.',
        );
      const started = performance.now();
      const input = () => this.#updateInput();
      const next = await measureRows(this.#backend, this.#mixture, input, checked, losses, options);
      return this.#commit(next, first, performance.now() - started);
    });
  }

  /** Abandons the measurement that `observe` has built up, for instance when a gradient could not be computed. */
  async discard(): Promise<void> {
    this.#assertAlive();
    await this.#calls.inTurn(undefined, async () => {
      this.#measurement?.dispose();
      this.#measurement = null;
    });
  }

  /**
   * Everything needed to go on in another process, as plain JSON. Between the first `observe` and the end of
   * `update` it is the state before that measurement, which then starts anew.
   */
  state(): MixerState {
    const measuring = this.#updating > 0 || (this.#measurement?.observations ?? 0) > 0;
    return {
      format: STATE_FORMAT,
      version: STATE_VERSION,
      origin: this.#backend.origin(),
      options: encodeOptions(this.#options),
      ...this.#schedule.state(measuring),
      ...this.#mixture.state(),
    };
  }

  /**
   * A mixer that goes on where `state` was taken. Bit for bit so on the same backend, instruction set and Node
   * version; otherwise it warns.
   *
   * @param state what `state()` returned, also after a trip through JSON
   * @param overrides options to change on the way, such as `backend`; not the tasks nor the rule. Every other
   *   option stays as it was saved, also one whose default was derived from one that changes.
   * @throws PikeError `ERR_STATE` when the state is of another version or shape, or damaged; as the constructor
   */
  static restore(state: MixerState, overrides: Partial<MixerOptions> = {}): Mixer {
    const saved = checkState(state);
    const mixer = new Mixer(restoredOptions(saved, overrides));
    const { tasks, inner } = mixer.#options;
    checkSmoothing(saved.smoothing, tasks.length - saved.retired.length, inner);
    mixer.#mixture.restore(saved);
    mixer.#schedule = new Schedule(mixer.#options.updateInterval, saved);
    const changed = mixer.#backend.resume(saved.origin);
    if (changed) mixer.#announcer.warnLater('WARN_RESUME_NOT_EXACT', changed);
    return mixer;
  }

  /** Frees native memory once the calls in flight are done; every later call is refused. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    void this.#calls.inTurn(undefined, async () => this.#measurement?.dispose());
  }

  /** As `dispose`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** A call that serves a pending measurement: `due` goes out with the call, and comes back if it fails. */
  async #serve(signal: AbortSignal | undefined, work: () => Promise<UpdateReport>): Promise<UpdateReport> {
    const moment = this.#schedule.take();
    this.#updating++;
    try {
      return await this.#calls.inTurn(signal, work);
    } catch (error) {
      if (moment !== undefined) this.#schedule.giveBack(moment);
      throw error;
    } finally {
      this.#updating--;
    }
  }

  /** Puts a computed update in place and tells of it. Nothing in here can fail. */
  #commit(next: ComputedUpdate, place: Place | null, milliseconds: number): UpdateReport {
    const changed = this.#backend.measured(place);
    this.#mixture.commit(next);
    this.#schedule.reported();
    const spread = spreadReport(next.report, this.#mixture.active);
    const report: UpdateReport = { ...spread, seconds: milliseconds / 1000 };
    if (changed) this.#announcer.warn('WARN_RESUME_NOT_EXACT', changed);
    this.#announcer.tellOfUpdate(report, next.acted, this.#conditions.after(report));
    return report;
  }

  #updateInput() {
    return this.#mixture.input(this.step, this.#schedule.passedOver);
  }

  #newMeasurement(begun: number): Measurement {
    return new Measurement(this.#backend.open, this.tasks, this.#options.inner, begun);
  }

  /** After the calls before it: an update among them may still end the measurement properly. */
  #discardLater(measurement: Measurement): void {
    void this.#calls.inTurn(undefined, async () => {
      if (this.#measurement !== measurement) return;
      this.#measurement = null;
      measurement.dispose();
      if (measurement.observations > 0)
        this.#announcer.warn(
          'WARN_MEASUREMENT_DISCARDED',
          `A measurement of ${measurement.observations} micro-batches was never ended by update and was discarded.`,
        );
    });
  }

  #assertAlive(): void {
    if (this.#disposed) throw new PikeError('ERR_DISPOSED', 'This mixer was disposed.');
  }
}
