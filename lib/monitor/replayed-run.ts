/** A logged run while it is replayed: the mixture as it would have been, and the log that it would have left. */
import { Allocator } from '../batching/allocation.js';
import { PikeError } from '../errors.js';
import { ActiveTasks } from '../mixer/active-tasks.js';
import { Mixture, type MixtureState } from '../mixer/mixture.js';
import type { ResolvedOptions } from '../mixer/options.js';
import { spreadReport } from '../mixer/spread-report.js';
import { StandingConditions } from '../mixer/standing-conditions.js';
import {
  checkSmoothing,
  checkState,
  encodeOptions,
  type MixerState,
  STATE_FORMAT,
  STATE_VERSION,
} from '../mixer/state.js';
import { recomputeUpdate } from '../mixer/update.js';
import { show } from '../validate.js';
import { VERSION } from '../version.js';
import {
  type ByTask,
  LOG_FORMAT,
  LOG_VERSION,
  type LogLine,
  type RetireEvent,
  type StartEvent,
  type UpdateEvent,
} from './events.js';
import { loggedMeasurement } from './logged-measurement.js';
import type { LoggedRun } from './logged-run.js';
import { isAsNew } from './new-state.js';
import { nameOf, type ReplayChanges, sayChanges } from './replay-options.js';
import { numbersByTask, toLoggedReport } from './report-line.js';
import { RunInProgress } from './run-in-progress.js';

/** Weights that JSON has carried are the same numbers. */
const SAME_WEIGHTS = 1e-12;

export class ReplayedRun {
  readonly notices: string[] = [];
  readonly #logged: LoggedRun;
  readonly #name: string;
  readonly #changes: ReplayChanges;
  #options: ResolvedOptions;
  #mixture: Mixture;
  #conditions: StandingConditions;
  /** Of the logged run, after its last event. */
  #loggedWeights: ByTask;
  /** Step of the last update that was computed. */
  #lastUpdate: number | null = null;
  #log: RunInProgress | null = null;

  constructor(logged: LoggedRun, changes: ReplayChanges, options: ResolvedOptions) {
    this.#logged = logged;
    this.#changes = changes;
    this.#name = `${logged.label}: ${sayChanges(changes)}`;
    this.#options = options;
    assertLogged(logged, options);
    this.#mixture = beginning(logged.start, options);
    this.#conditions = new StandingConditions(options);
    this.#loggedWeights = logged.start.weights;
    if (logged.updates.length === 0)
      this.notices.push(`Run ${show(logged.label)} has no updates, so there is nothing to compute again.`);
  }

  get weights(): ByTask {
    return numbersByTask(this.#logged.tasks, this.#mixture.weights) as ByTask;
  }

  /** A process begins or goes on: from where the replay has come to, with the options that hold from now on. */
  start(event: StartEvent, options: ResolvedOptions): void {
    if (this.#log) {
      this.#options = options;
      assertLogged(this.#logged, options);
      if (this.#followsOn(event)) {
        const state = this.#mixture.state();
        this.#mixture = new Mixture(options);
        this.#mixture.restore({ ...state, allocator: newAllocator(options, state.retired) });
      } else {
        this.notices.push(
          `At step ${event.step} the run goes on from weights that the log before does not lead to; so does the replay.`,
        );
        this.#mixture = beginning(event, options);
      }
      this.#conditions = new StandingConditions(options);
    }
    this.#loggedWeights = event.weights;
    this.#write(event, (line) => {
      const start: StartEvent = {
        event: 'start',
        ...line,
        format: LOG_FORMAT,
        version: LOG_VERSION,
        ...(event.time === undefined ? {} : { time: event.time }),
        versions: { pikeMixer: VERSION, node: process.version },
        tasks: event.tasks,
        options: encodeOptions(options),
        backend: event.backend,
        weights: this.weights,
        ...this.#state(event, options),
        about: { ...event.about, replayOf: this.#logged.label, changes: sayChanges(this.#changes) },
      };
      if (this.#log) this.#log.resume(start);
      else this.#log = new RunInProgress(start, 1);
    });
  }

  retire(event: RetireEvent): void {
    this.#loggedWeights = event.weights ?? this.#loggedWeights;
    if (!this.#mixture.active.includes(event.task)) return;
    this.#mixture.retire(event.task, event.step);
    this.#write(event, (line) =>
      this.#log!.take({ event: 'retire', ...line, task: event.task, weights: this.weights }),
    );
  }

  update(event: UpdateEvent): void {
    this.#loggedWeights = event.weights;
    if (!this.#isDue(event.step) || this.#isEmpty(event)) return;
    this.#lastUpdate = event.step;
    const { active } = this.#mixture;
    const { raw, missed, losses } = loggedMeasurement(event, this.#logged.tasks, active.indices);
    const learningRate =
      this.#changes.learningRate === undefined ? (event.learningRate ?? undefined) : undefined;
    const input = this.#mixture.input(event.step, event.passedOver);
    const next = recomputeUpdate(input, raw, missed, losses, learningRate);
    this.#mixture.commit(next);
    const report = { ...spreadReport(next.report, active), seconds: 0 };
    this.#write(event, (line) => {
      for (const { task, reason } of report.missed) this.#log!.take({ event: 'skip', ...line, task, reason });
      for (const warning of this.#conditions.after(report))
        this.#log!.take({ event: 'warning', ...line, ...warning });
      this.#log!.take({ event: 'update', ...line, ...toLoggedReport(report, this.#logged.tasks) });
    });
  }

  result(): LoggedRun {
    const last = this.#logged.end ?? this.#logged.history.at(-1)!;
    this.#write(last, (line) => this.#log!.take({ event: 'end', ...line, weights: this.weights }));
    return this.#log!.result(this.#logged.source, []);
  }

  /** What whoever goes on from the replayed log needs, as in a log of RunLog. */
  #state(
    { state, step, backend, versions }: StartEvent,
    options: ResolvedOptions,
  ): Pick<StartEvent, 'state'> {
    const { name, instructionSet = '' } = backend;
    const origin = state?.origin ?? { backend: name, instructionSet, node: versions.node };
    const own: MixerState = {
      format: STATE_FORMAT,
      version: STATE_VERSION,
      origin,
      options: encodeOptions(options),
      step,
      pending: state?.pending ?? [step],
      passedOver: state?.passedOver ?? 0,
      ...this.#mixture.state(),
    };
    return isAsNew(own) ? {} : { state: own };
  }

  /** The first measurement at or after every moment that the new interval would have made due. */
  #isDue(step: number): boolean {
    const interval = this.#options.updateInterval;
    if (this.#changes.updateInterval === undefined || this.#lastUpdate === null) return true;
    return Math.floor(step / interval) > Math.floor(this.#lastUpdate / interval);
  }

  /** Nothing was measured at all, not even losses, without which some rules cannot be asked. */
  #isEmpty({ losses }: UpdateEvent): boolean {
    const { needs } = this.#options.rule;
    return losses === null && needs.losses === true && needs.gradients === false;
  }

  /** Whether what was logged so far leads to where this process begins. */
  #followsOn({ weights }: StartEvent): boolean {
    return this.#logged.tasks.every(
      (task) => Math.abs(weights[task] - this.#loggedWeights[task]) <= SAME_WEIGHTS,
    );
  }

  #write({ step, seconds }: LogLine, write: (line: LogLine) => void): void {
    write({ run: this.#name, step, seconds });
  }
}

/** The mixture that a log begins with. */
function beginning(start: StartEvent, options: ResolvedOptions): Mixture {
  const mixture = new Mixture(options);
  if (start.state === undefined) {
    if (start.step > 0)
      throw new PikeError(
        'ERR_RUN_LOG',
        `Run ${show(start.run)} begins at step ${start.step}, and its log does not say what the mixer remembered then: logs hold that since ` +
          `version 2, and this one is of version ${start.version ?? 1}. It cannot be replayed.`,
      );
    return mixture;
  }
  const saved = checkState(start.state);
  const active = options.tasks.length - saved.retired.length;
  checkSmoothing(saved.smoothing, active, options.inner);
  const isSameRule = nameOf(options.rule) === start.options.rule;
  const state = isSameRule ? saved : { ...saved, ...underOtherRule(mixture, saved) };
  mixture.restore({ ...state, allocator: newAllocator(options, saved.retired) });
  return mixture;
}

/** Another rule takes over the weights if it remembers nothing else; otherwise it begins by itself. */
function underOtherRule(fresh: Mixture, saved: MixtureState): Pick<MixtureState, 'rule' | 'lossWeights'> {
  for (const task of saved.retired) fresh.retire(task, 0);
  const { rule, lossWeights } = fresh.state();
  const isPlain = Object.keys(rule).every((key) => key === 'logWeights');
  return { rule: isPlain ? { logWeights: saved.rule.logWeights } : rule, lossWeights };
}

function newAllocator({ tasks, batchSize, minPerTask }: ResolvedOptions, retired: readonly string[]) {
  const active = ActiveTasks.of(tasks, retired).indices.length;
  return new Allocator({ batchSize, tasks: active, minPerTask }).state();
}

/** @throws PikeError `ERR_INVALID_OPTION` when the rule needs what the log does not hold */
function assertLogged({ updates, start }: LoggedRun, { rule }: ResolvedOptions): void {
  const { gradients = true, losses = false, inner = false } = rule.needs;
  const refuse = (what: string, update?: UpdateEvent) => {
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `rule '${rule.name}' needs ${what}, which this log of rule '${start.options.rule}' does not hold` +
        `${update ? ` at step ${update.step}` : ''}, so that it cannot be replayed from it.`,
    );
  };
  const measured = updates.filter(({ statistics }) => statistics.normSquared.some((N) => N !== null));
  if (gradients && updates.length > 0 && measured.length === 0) refuse('gradient statistics');
  const withoutInner = measured.find(({ statistics }) => statistics.inner === null);
  if (inner && withoutInner) refuse('inner products', withoutInner);
  if (!losses) return;
  const withoutLosses = measured.find((update) => update.losses === null);
  if (withoutLosses) refuse("the tasks' losses", withoutLosses);
  if (updates.length > 0 && updates.every((update) => update.losses === null)) refuse("the tasks' losses");
}
