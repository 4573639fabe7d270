/** One run while its lines come in. */
import type {
  EndEvent,
  EvaluationEvent,
  LogLine,
  RetireEvent,
  RunEvent,
  SkipEvent,
  StartEvent,
  StepEvent,
  UnknownEvent,
  UpdateEvent,
  WarningEvent,
} from './events.js';
import type { LoggedRun, RunLogNotice } from './logged-run.js';

export class RunInProgress {
  readonly name: string;
  readonly tasks: readonly string[];
  readonly #label: string;
  readonly #starts: StartEvent[];
  /** How many steps, updates and evaluations stood there when each process began. */
  #begun: (readonly number[])[] = [[0, 0, 0]];
  readonly #steps: StepEvent[] = [];
  readonly #updates: UpdateEvent[] = [];
  readonly #evaluations: EvaluationEvent[] = [];
  readonly #skips: SkipEvent[] = [];
  readonly #retirements: RetireEvent[] = [];
  readonly #warnings: WarningEvent[] = [];
  readonly #others: UnknownEvent[] = [];
  #history: LoggedRun['history'][number][];
  #end: EndEvent | null = null;

  /** @param number how many runs of this name there are with it */
  constructor(start: StartEvent, number: number) {
    this.name = start.run;
    this.tasks = start.tasks;
    this.#label = number > 1 ? `${start.run} #${number}` : start.run;
    this.#starts = [start];
    this.#history = [start];
  }

  /** Whether a start line is that of a process that goes on with this run: with the same tasks, and not from nothing. */
  goesOnWith(start: StartEvent): boolean {
    const sameTasks =
      start.tasks.length === this.tasks.length && start.tasks.every((task, k) => task === this.tasks[k]);
    return sameTasks && (start.step > 0 || start.state !== undefined);
  }

  /**
   * A process goes on: what the one before it did after the step that this one begins at is done again.
   *
   * @returns how many events that are
   */
  resume(start: StartEvent): number {
    // A measurement that is due at the very step is taken again.
    const updateIsDue = start.state?.pending.includes(start.step) ?? false;
    const isLater = (line: LogLine) => line.step > start.step;
    const isAgain = (line: LogLine) => isLater(line) || (updateIsDue && line.step === start.step);
    // So is a retirement at the very step that the saved state does not know of.
    const retired: unknown = start.state?.retired;
    const isUndone = ({ step, task }: RetireEvent) =>
      step > start.step || (step === start.step && Array.isArray(retired) && !retired.includes(task));
    let dropped = dropAfter(this.#updates, isAgain) + dropAfter(this.#skips, isAgain);
    dropped += dropAfter(this.#retirements, isUndone);
    for (const list of [this.#steps, this.#evaluations, this.#warnings, this.#others])
      dropped += dropAfter<LogLine>(list, isLater);
    const kept = new Set<LogLine>([
      ...this.#updates,
      ...this.#skips,
      ...this.#retirements,
      ...this.#warnings,
    ]);
    const counts = this.#timed().map(({ length }) => length);
    this.#begun = this.#begun.map((begun) => begun.map((n, i) => Math.min(n, counts[i])));
    this.#begun.push(counts);
    this.#history = this.#history.filter((event) => event.event === 'start' || kept.has(event));
    this.#starts.push(start);
    this.#history.push(start);
    this.#end = null;
    return dropped;
  }

  take(event: RunEvent): void {
    switch (event.event) {
      case 'step':
        this.#steps.push(event);
        return;
      case 'evaluation':
        this.#evaluations.push(event);
        return;
      case 'update':
        this.#updates.push(event);
        break;
      case 'skip':
        this.#skips.push(event);
        break;
      case 'retire':
        // Logs of version 1 do not say what a process goes on from; no task leaves twice.
        if (this.#retirements.some(({ task }) => task === event.task)) return;
        this.#retirements.push(event);
        break;
      case 'warning':
        this.#warnings.push(event);
        break;
      case 'end':
        this.#end = event;
        break;
    }
    this.#history.push(event);
  }

  /** Events that tell how far a process has come. */
  #timed(): readonly (readonly LogLine[])[] {
    return [this.#steps, this.#updates, this.#evaluations];
  }

  /** Of each process, the log's clock at its last event that counts. */
  #seconds(): number[] {
    const timed = this.#timed();
    return this.#starts.map((start, p) => {
      const next = this.#begun[p + 1];
      const last = timed.map((list, i) => {
        const end = next?.[i] ?? list.length;
        return end > this.#begun[p][i] ? list[end - 1].seconds : 0;
      });
      return Math.max(start.seconds, ...last, next ? 0 : (this.#end?.seconds ?? 0));
    });
  }

  takeOther(event: UnknownEvent): void {
    this.#others.push(event);
  }

  result(source: string, notices: readonly RunLogNotice[]): LoggedRun {
    return {
      name: this.name,
      label: this.#label,
      source,
      tasks: this.tasks,
      start: this.#starts[0],
      starts: this.#starts,
      seconds: this.#seconds(),
      steps: this.#steps,
      updates: this.#updates,
      evaluations: this.#evaluations,
      skips: this.#skips,
      retirements: this.#retirements,
      warnings: this.#warnings,
      end: this.#end,
      others: this.#others,
      history: this.#history,
      notices,
    };
  }
}

/** Steps never fall within a process, so that all to drop stand at the end. */
function dropAfter<E>(list: E[], isAfter: (event: E) => boolean): number {
  let keep = list.length;
  while (keep > 0 && isAfter(list[keep - 1])) keep--;
  const dropped = list.length - keep;
  list.length = keep;
  return dropped;
}
