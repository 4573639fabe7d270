/** A report as it stands in a run log: numbers of tasks by name, null for what is not finite. */
import type { UpdateReport } from '../mixer/report.js';
import type { Conflict } from '../statistics/conflict.js';
import type { Statistics } from '../statistics/statistics.js';
import type {
  ByTask,
  LoggedConflict,
  LoggedStatistics,
  LogLine,
  PartlyByTask,
  UpdateEvent,
} from './events.js';

/** All of an update line but what every line has. */
export function toLoggedReport(
  report: UpdateReport,
  tasks: readonly string[],
): Omit<UpdateEvent, keyof LogLine | 'event'> {
  const {
    step: _,
    weights,
    previous,
    lossWeights,
    losses,
    seconds,
    statistics,
    smoothed,
    conflict,
    ...rest
  } = report;
  return {
    weights: numbersByTask(tasks, weights) as ByTask,
    previous: numbersByTask(tasks, previous) as ByTask,
    lossWeights: numbersByTask(tasks, lossWeights) as ByTask,
    losses: losses && numbersByTask(tasks, losses),
    mixingSeconds: seconds,
    statistics: toLoggedStatistics(statistics),
    smoothed: toLoggedStatistics(smoothed),
    conflict: conflict && toLoggedConflict(conflict),
    ...rest,
  };
}

/** K numbers by task. */
export function numbersByTask(tasks: readonly string[], values: ArrayLike<number>): PartlyByTask {
  return Object.fromEntries(tasks.map((task, k) => [task, finite(values[k])]));
}

function toLoggedStatistics(statistics: Statistics): LoggedStatistics {
  const { tasks, microBatches, samples, normSquared, variance, inner, standardError } = statistics;
  return {
    tasks,
    microBatches: Array.from(microBatches),
    samples: Array.from(samples),
    normSquared: numbers(normSquared),
    variance: numbers(variance),
    inner: inner && numbers(inner),
    standardError: standardError && {
      normSquared: numbers(standardError.normSquared),
      variance: numbers(standardError.variance),
    },
  };
}

function toLoggedConflict({ cosine, beta, ...rest }: Conflict): LoggedConflict {
  return { ...rest, cosine: numbers(cosine), beta: finite(beta) };
}

function numbers(values: ArrayLike<number>): (number | null)[] {
  return Array.from(values, finite);
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
