/** The report of an update of the active tasks, told of all K. */
import type { Statistics } from '../statistics/statistics.js';
import type { ActiveTasks } from './active-tasks.js';
import type { UpdateReport } from './report.js';
import type { ComputedUpdate } from './update.js';

/** A retired task has weight 0, loss weight 1, no micro-batches, and NaN for what is estimated. */
export function spreadReport(
  report: ComputedUpdate['report'],
  active: ActiveTasks,
): Omit<UpdateReport, 'seconds'> {
  const retired = active.retired;
  if (active.areAll) return { ...report, retired };
  const { conflict, losses } = report;
  return {
    ...report,
    retired,
    weights: active.spread(report.weights, 0),
    previous: active.spread(report.previous, 0),
    lossWeights: active.spread(report.lossWeights, 1),
    statistics: spreadStatistics(report.statistics, active),
    smoothed: spreadStatistics(report.smoothed, active),
    conflict: conflict && { ...conflict, cosine: active.spreadMatrix(conflict.cosine) },
    losses: losses && active.spread(losses, Number.NaN),
  };
}

function spreadStatistics(statistics: Statistics, active: ActiveTasks): Statistics {
  const { inner, standardError } = statistics;
  return {
    tasks: active.all.length,
    microBatches: active.spreadCounts(statistics.microBatches),
    samples: active.spread(statistics.samples, 0),
    normSquared: active.spread(statistics.normSquared, Number.NaN),
    variance: active.spread(statistics.variance, Number.NaN),
    inner: inner && active.spreadMatrix(inner),
    standardError: standardError && {
      normSquared: active.spread(standardError.normSquared, Number.NaN),
      variance: active.spread(standardError.variance, Number.NaN),
    },
  };
}
