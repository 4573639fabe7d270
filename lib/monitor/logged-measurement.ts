/** What an update line of a log holds of a measurement, as an update takes it. */
import { LossAverage } from '../mixer/measurement.js';
import type { MissReason } from '../mixer/report.js';
import type { Statistics } from '../statistics/statistics.js';
import type { LoggedStatistics, Numbers, UpdateEvent } from './events.js';

export interface LoggedMeasurement {
  /** Of the active tasks. */
  readonly raw: Statistics;
  /** Why each of them was missed, null for those that were not. */
  readonly missed: readonly (MissReason | null)[];
  readonly losses: LossAverage;
}

/** @param active indices of the tasks to tell of, among all */
export function loggedMeasurement(
  { statistics, missed, losses }: UpdateEvent,
  tasks: readonly string[],
  active: readonly number[],
): LoggedMeasurement {
  const reasons = active.map((k) => missed.find(({ task }) => task === tasks[k])?.reason ?? null);
  const average = new LossAverage(active.length);
  active.forEach((k, i) => {
    const loss = losses?.[tasks[k]] ?? null;
    if (loss !== null) average.add(i, loss, 1);
    // There was a loss, which JSON cannot say.
    else if (reasons[i] === 'non-finite loss') average.add(i, Number.NaN, 1);
  });
  return { raw: statisticsOf(statistics, active), missed: reasons, losses: average };
}

function statisticsOf(logged: LoggedStatistics, active: readonly number[]): Statistics {
  const K = logged.tasks;
  const { inner, standardError } = logged;
  const pick = (list: Numbers) => Float64Array.from(active, (k) => list[k] ?? Number.NaN);
  return {
    tasks: active.length,
    microBatches: Int32Array.from(active, (k) => logged.microBatches[k]),
    samples: Float64Array.from(active, (k) => logged.samples[k]),
    normSquared: pick(logged.normSquared),
    variance: pick(logged.variance),
    inner:
      inner && Float64Array.from(active.flatMap((j) => active.map((k) => inner[j * K + k] ?? Number.NaN))),
    standardError: standardError && {
      normSquared: pick(standardError.normSquared),
      variance: pick(standardError.variance),
    },
  };
}
