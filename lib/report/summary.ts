/** The few numbers that sum a run up, and the sentence made of them. */
import type { ByTask, UpdateEvent } from '../monitor/events.js';
import type { LoggedRun } from '../monitor/logged-run.js';
import { counted, duration, number, percent } from './words.js';

export interface RunSummary {
  /** Unlike that of any other run of the report. */
  run: string;
  file: string;
  /** Name of the rule; null when the weights were never updated. */
  rule: string | null;
  tasks: string[];
  batchSize: number | null;
  /** Step that the log comes to. */
  steps: number;
  updates: number;
  /** By the log's clock, all processes of the run together. */
  seconds: number;
  /** Whether the log has an end line. */
  ended: boolean;
  /** By task; the last of the log. */
  finalWeights: Record<string, number>;
  /** By task, of the last evaluation; null when the log has none. */
  finalLosses: Record<string, number | null> | null;
  /** Step of that evaluation. */
  finalLossStep: number | null;
  /**
   * Time that measuring and updating took: in all, per update, and as a share of `seconds`. Null without updates, and of a
   * replay, in which nothing was measured.
   */
  mixing: { seconds: number; secondsPerUpdate: number; share: number | null } | null;
  events: { warnings: number; missed: number; retired: number };
}

/** @throws never: what a log does not hold is null */
export function summaryOf(run: LoggedRun): RunSummary {
  const seconds = elapsed(run).total;
  const mixingSeconds = run.updates.reduce((sum, update) => sum + update.mixingSeconds, 0);
  const evaluation = run.evaluations.at(-1);
  const weights = lastWeights(run);
  return {
    run: run.label,
    file: run.source,
    rule: run.updates.length > 0 ? run.start.options.rule : null,
    tasks: [...run.tasks],
    batchSize: run.start.options.batchSize ?? null,
    steps: lastStepOf(run),
    updates: run.updates.length,
    seconds,
    ended: run.end !== null,
    finalWeights: Object.fromEntries(run.tasks.map((task) => [task, weights[task]])),
    finalLosses: evaluation
      ? Object.fromEntries(run.tasks.map((task) => [task, evaluation.losses[task]]))
      : null,
    finalLossStep: evaluation?.step ?? null,
    mixing:
      mixingSeconds > 0
        ? {
            seconds: mixingSeconds,
            secondsPerUpdate: mixingSeconds / run.updates.length,
            share: seconds > 0 ? mixingSeconds / seconds : null,
          }
        : null,
    events: {
      warnings: run.warnings.length,
      missed: run.skips.length,
      retired: run.retirements.length,
    },
  };
}

/** Also of a run that crashed: an update, a retirement or a process that goes on may have set them last. */
function lastWeights({ start, history, steps }: LoggedRun): ByTask {
  let last: { readonly step: number; readonly weights: ByTask } = start;
  for (const event of history)
    if ('weights' in event && event.weights !== undefined)
      last = { step: event.step, weights: event.weights };
  const drawn = steps.at(-1);
  // Of a log that has lost an update.
  return drawn !== undefined && drawn.step > last.step ? drawn.weights : last.weights;
}

export function lastStepOf(run: LoggedRun): number {
  const { start, end, steps, updates, evaluations, retirements } = run;
  const ends = [start, end, ...[steps, updates, evaluations, retirements].map((list) => list.at(-1))];
  return Math.max(...ends.map((event) => event?.step ?? 0));
}

/**
 * Time by the log's clock. It begins anew with every process that goes on with a run, so that the clocks of those before are
 * added.
 */
export function elapsed(run: LoggedRun): { total: number; at(update: UpdateEvent): number } {
  const before = [0];
  for (const seconds of run.seconds) before.push(before.at(-1)! + seconds);
  const process = new Map<UpdateEvent, number>();
  let current = -1;
  for (const event of run.history)
    if (event.event === 'start') current++;
    else if (event.event === 'update') process.set(event, current);
  return {
    total: before.at(-1)!,
    at: (update) => before[process.get(update) ?? 0] + update.seconds,
  };
}

const NAMED_TASKS = 4;

/** The run in one sentence. */
export function sentenceOf(summary: RunSummary): string {
  const { rule, steps, batchSize, tasks, seconds, updates, finalWeights, finalLosses, mixing } = summary;
  const parts = [
    `${counted(steps, 'step')}${batchSize ? ` of ${counted(batchSize, 'sample')}` : ''} from ${counted(tasks.length, 'task')} in ${duration(seconds)}`,
  ];
  parts.push(
    rule
      ? `${counted(updates, 'update')} by ${rule} brought the weights to ${listed(finalWeights, 3)}`
      : `the weights stayed at ${listed(finalWeights, 3)}`,
  );
  const losses = Object.values(finalLosses ?? {}).filter((loss) => loss !== null);
  if (finalLosses && losses.length > 0) {
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    parts.push(`held-out losses ended at ${listed(finalLosses, 4)}, ${number(mean)} on average`);
  }
  if (mixing)
    parts.push(
      `measuring and updating took ${duration(mixing.secondsPerUpdate)} per update${mixing.share === null ? '' : `, ${percent(mixing.share)} of all time since the log was opened`}`,
    );
  return `${parts.join('; ')}.`;
}

function listed(values: Record<string, number | null>, digits: number): string {
  const known = Object.entries(values).filter((entry): entry is [string, number] => entry[1] !== null);
  const shown =
    known.length > NAMED_TASKS ? known.sort((a, b) => b[1] - a[1]).slice(0, NAMED_TASKS - 1) : known;
  const rest = known.length - shown.length;
  const text = shown.map(([task, value]) => `${task} ${number(value, digits)}`).join(', ');
  return rest > 0 ? `${text} and ${rest} lower` : text;
}
