/** From the runs of logs to what the report's page draws. */
import type { ByTask, UpdateEvent } from '../monitor/events.js';
import type { LoggedRun } from '../monitor/logged-run.js';
import { VERSION } from '../version.js';
import { timelineOf } from './events.js';
import type { Cell, Cosines, CostTable, CountTable, PageData, PageRun } from './page-data.js';
import { elapsed, lastStepOf, sentenceOf, summaryOf } from './summary.js';
import { type Source, tableOf } from './table.js';
import { entriesInWords, inWords } from './words.js';

/** Numbers in a page, roughly: so many that everything is drawn at full width, so few that a page opens at once. */
const NUMBERS = 300_000;
const COSINES = 60_000;
/** Finer than any screen draws. */
const MOST_ROWS = 6000;
const FEWEST_ROWS = 24;
/** Per task, of all tables of steps (weight, count, target, drift, loss) and of updates. */
const STEP_QUANTITIES = 5;
const UPDATE_QUANTITIES = 11;
const MOST_NOTICES = 50;

export function pageData(runs: readonly LoggedRun[], title: string): PageData {
  const tasks = [...new Set(runs.flatMap((run) => run.tasks))];
  const position = new Map(tasks.map((task, i) => [task, i]));
  return {
    title,
    version: VERSION,
    tasks,
    ranking: rankingOf(tasks, runs),
    notices: noticesOf(runs),
    runs: runs.map((run) =>
      pageRun(
        run,
        run.tasks.map((task) => position.get(task)!),
        runs.length,
      ),
    ),
  };
}

function pageRun(run: LoggedRun, tasks: number[], runs: number): PageRun {
  const { start } = run;
  const K = tasks.length;
  const { perStep, perUpdate } = rowsFor(K, runs);
  const summary = summaryOf(run);
  const lastStep = lastStepOf(run);
  const byTask = <Row>(of: (row: Row) => Readonly<Record<string, number | null>> | null): Source<Row> => ({
    series: K,
    at: (row, k) => of(row)?.[run.tasks[k]],
  });
  const perTask = (of: (update: UpdateEvent) => readonly Cell[] | undefined): Source<UpdateEvent> => ({
    series: K,
    at: (update, k) => of(update)?.[k],
  });
  type Weighted = { readonly step: number; readonly weights: ByTask };
  const weighted: readonly Weighted[] = run.steps.length > 0 ? run.steps : [start, ...run.updates];
  const weights: Source<Weighted> = byTask((row) => row.weights);
  const measuredLosses = run.updates.filter(({ losses }) => losses !== null);
  const lossy = run.steps.filter(({ loss }) => typeof loss === 'number');
  const { events, counts } = timelineOf(run, lastStep, Math.max(20, Math.floor(1000 / runs)));
  return {
    name: run.label,
    file: run.source,
    tasks,
    summary: sentenceOf(summary),
    batchSize: summary.batchSize,
    lastStep,
    finalWeights: run.tasks.map((task) => summary.finalWeights[task] ?? null),
    finalLosses: summary.finalLosses && run.tasks.map((task) => summary.finalLosses![task] ?? null),
    finalLossStep: summary.finalLossStep,
    mixingShare: summary.mixing?.share ?? null,
    mixingSecondsPerUpdate: summary.mixing?.secondsPerUpdate ?? null,
    options: optionsInWords(run),
    ending: endingInWords(run),
    weights: tableOf(weighted, weighted.length, { weight: weights }, perStep),
    counts: countTable(run, perStep),
    heldOut: tableOf(
      run.evaluations,
      run.evaluations.length,
      { loss: byTask(({ losses }) => losses) },
      perUpdate,
    ),
    training: tableOf(
      measuredLosses,
      measuredLosses.length,
      { loss: byTask(({ losses }) => losses) },
      perUpdate,
    ),
    batchLoss: tableOf(lossy, lossy.length, { loss: { series: 1, at: ({ loss }) => loss } }, perStep),
    statistics: tableOf(
      run.updates,
      run.updates.length,
      {
        normSquared: perTask((update) => update.smoothed.normSquared),
        normSquaredError: perTask((update) => update.smoothed.standardError?.normSquared),
        variance: perTask((update) => update.smoothed.variance),
        varianceError: perTask((update) => update.smoothed.standardError?.variance),
        measuredNormSquared: perTask((update) => update.statistics.normSquared),
        measuredNormSquaredError: perTask((update) => update.statistics.standardError?.normSquared),
        measuredVariance: perTask((update) => update.statistics.variance),
        measuredVarianceError: perTask((update) => update.statistics.standardError?.variance),
      },
      perUpdate,
    ),
    cosines: cosinesOf(run, runs),
    cost: costTable(run, perUpdate),
    events,
    eventCounts: counts,
  };
}

/** How many rows of steps and of updates a page of so many runs has room for, half of it for each. */
function rowsFor(tasks: number, runs: number): { perStep: number; perUpdate: number } {
  const rows = (quantities: number) => {
    const fit = Math.floor(NUMBERS / (2 * runs * quantities * tasks));
    return Math.max(FEWEST_ROWS, Math.min(MOST_ROWS, fit));
  };
  return { perStep: rows(STEP_QUANTITIES), perUpdate: rows(UPDATE_QUANTITIES) };
}

/** Counts and targets (weights × batch size), and how far their sums have come apart. */
function countTable(run: LoggedRun, rows: number): CountTable {
  const series = run.tasks.length;
  return tableOf(
    countsOf(run),
    run.steps.length,
    {
      count: { series, at: (row, k) => row.counts[k] },
      target: { series, at: (row, k) => row.targets[k] },
      drift: { series, at: (row, k) => row.drift[k] },
    },
    rows,
  );
}

/** The same object for every step: a million steps of 128 tasks would fill the memory. */
function* countsOf({ tasks, steps }: LoggedRun) {
  const K = tasks.length;
  const row = {
    step: 0,
    counts: new Float64Array(K),
    targets: new Float64Array(K),
    drift: new Float64Array(K),
  };
  for (const { step, counts, weights } of steps) {
    row.step = step;
    let size = 0;
    for (const task of tasks) size += counts[task];
    for (let k = 0; k < K; k++) {
      row.counts[k] = counts[tasks[k]];
      row.targets[k] = weights[tasks[k]] * size;
      row.drift[k] += row.counts[k] - row.targets[k];
    }
    yield row;
  }
}

function costTable(run: LoggedRun, rows: number): CostTable {
  const clock = elapsed(run);
  let mixing = 0;
  const log = run.updates.map((update) => {
    mixing += update.mixingSeconds;
    const seconds = clock.at(update);
    return {
      step: update.step,
      seconds: update.mixingSeconds,
      share: seconds > 0 ? mixing / seconds : null,
    };
  });
  // In a replay nothing was measured: no time is not a time of 0.
  const known = mixing > 0 ? log : [];
  return tableOf(
    known,
    known.length,
    {
      seconds: { series: 1, at: (row) => row.seconds },
      share: { series: 1, at: (row) => row.share },
    },
    rows,
  );
}

/** Every so many-th update, the last among them. */
function cosinesOf(run: LoggedRun, runs: number): Cosines {
  const K = run.tasks.length;
  const log = run.updates.filter(({ conflict }) => conflict !== null);
  const pairs = (K * (K - 1)) / 2;
  const rows = Math.max(4, Math.min(200, Math.floor(COSINES / (runs * Math.max(1, pairs)))));
  const every = Math.max(1, Math.ceil(log.length / rows));
  const kept = log.filter((_, i) => (log.length - 1 - i) % every === 0);
  const columns: Cell[][] = [];
  for (let j = 0; j < K && log.length > 0; j++)
    for (let k = j + 1; k < K; k++)
      columns.push(kept.map(({ conflict }) => conflict!.cosine[j * K + k] ?? null));
  return { step: kept.map(({ step }) => step), every, rows: log.length, pairs: columns };
}

/** Few tasks keep their order; of many, those whose weights came farthest, as ratios, stand first. */
function rankingOf(tasks: readonly string[], runs: readonly LoggedRun[]): number[] {
  const order = tasks.map((_, i) => i);
  if (tasks.length <= 8) return order;
  const ends = runs.map((run) => ({ start: run.start, finalWeights: summaryOf(run).finalWeights }));
  const moved = tasks.map((task) =>
    Math.max(
      ...ends.map(({ start, finalWeights }) => {
        const [from, to] = [start.weights[task], finalWeights[task]];
        return from > 0 && to > 0
          ? Math.abs(Math.log(to / from))
          : to === from
            ? 0
            : from === undefined
              ? -1
              : 1e3;
      }),
    ),
  );
  return order.sort((a, b) => moved[b] - moved[a] || a - b);
}

function optionsInWords({ starts, start }: LoggedRun): Record<string, string> {
  const { tasks, ...options } = start.options;
  const { name, instructionSet, device, reason } = start.backend;
  return {
    tasks: `${tasks.length}: ${inWords(tasks)}`,
    ...entriesInWords(options),
    'backend in use': [name, instructionSet, device].filter(Boolean).join(', '),
    'why this backend': reason,
    ...entriesInWords(start.about, 'about: '),
    'pike-mixer': start.versions.pikeMixer,
    'Node.js': start.versions.node,
    ...(start.time ? { begun: start.time } : {}),
    ...(starts.length > 1
      ? {
          'gone on with at': starts
            .slice(1)
            .map(({ step }) => `step ${step}`)
            .join(', '),
        }
      : {}),
  };
}

function endingInWords({ end }: LoggedRun): Record<string, string> {
  if (!end) return {};
  const { event, run, step, seconds, weights, ...rest } = end;
  return entriesInWords(rest);
}

/** Those of the files once, then those of the runs. */
function noticesOf(runs: readonly LoggedRun[]): string[] {
  const several = new Set(runs.map(({ source }) => source)).size > 1;
  const notices = new Set<string>();
  for (const { source, notices: list } of runs)
    for (const { message } of list) notices.add(several ? `${source}: ${message}` : upperFirst(message));
  for (const run of runs) {
    if (!run.end)
      notices.add(
        `Run ${run.label} has no end line: it is still going on, or it crashed. It is shown up to step ${lastStepOf(run)}.`,
      );
    for (const later of run.starts.slice(1)) {
      const [before, after] = [entriesInWords(run.start.options), entriesInWords(later.options)];
      const changed = Object.keys(after).filter((name) => before[name] !== after[name]);
      if (changed.length > 0)
        notices.add(
          `Run ${run.label} went on at step ${later.step} with other options: ${changed.map((name) => `${name} ${before[name] ?? 'unset'} → ${after[name]}`).join(', ')}.`,
        );
    }
  }
  const all = [...notices];
  return all.length > MOST_NOTICES
    ? [...all.slice(0, MOST_NOTICES), `… and ${all.length - MOST_NOTICES} notices more.`]
    : all;
}

function upperFirst(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
