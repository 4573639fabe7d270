/**
 * What the report's page is given: what its figures draw, already thinned, as JSON. Types only, for both sides: `lib/report`
 * fills them in Node, `lib/report/page` draws them in the browser.
 */

/** null stands for "no number" (NaN, a measurement that was missed). */
export type Cell = number | null;

/** A quantity of a table: by series (tasks, mostly), then by row. */
export interface Quantity {
  /** The number of the log, or the mean over a bucket of rows where the table is thinned. */
  value: Cell[][];
  /** Smallest and largest of a bucket; null where nothing was thinned. */
  min: Cell[][] | null;
  max: Cell[][] | null;
}

/** Quantities over steps: a row per row of the log, or, thinned, a row per bucket of as many rows as `per` says. */
export interface Table<Name extends string> {
  /** The step of each row; of a bucket, its last. */
  step: number[];
  /** Rows of the log in one row here (fewer in the last); 1: nothing is thinned. */
  per: number;
  /** Rows of the log in all. */
  rows: number;
  quantities: Record<Name, Quantity>;
}

export type WeightTable = Table<'weight'>;
/** `drift`: counts so far minus targets so far, in samples. */
export type CountTable = Table<'count' | 'target' | 'drift'>;
export type LossTable = Table<'loss'>;
/** Smoothed, as the rule sees them, with standard errors; and each measurement alone. */
export type StatisticsTable = Table<
  | 'normSquared'
  | 'normSquaredError'
  | 'variance'
  | 'varianceError'
  | 'measuredNormSquared'
  | 'measuredNormSquaredError'
  | 'measuredVariance'
  | 'measuredVarianceError'
>;
/** One series each. `seconds`: of one measurement and update. `share`: of all so far in the time so far. */
export type CostTable = Table<'seconds' | 'share'>;

/** Cosines of the tasks' gradients at some updates. */
export interface Cosines {
  step: number[];
  /** Every so many-th update was kept. */
  every: number;
  /** Updates with cosines in the log. */
  rows: number;
  /** By pair, then by update; pairs in the order (0,1), (0,2), …, (1,2), … of the run's tasks. */
  pairs: Cell[][];
}

export type EventKind =
  | 'warning'
  | 'retired'
  | 'missed'
  | 'passed over'
  | 'limited'
  | 'clipped'
  | 'floored'
  | 'held';

/** Something on the time axis; several of a kind in one place are drawn as one. */
export interface PageEvent {
  kind: EventKind;
  step: number;
  /** What happened, of the first of them. */
  text: string;
  /** How many stand here. */
  times: number;
}

/** Everything that the page says of one run. */
export interface PageRun {
  name: string;
  file: string;
  /** Positions in `PageData.tasks`, in the order of the run's own tasks. */
  tasks: number[];
  /** One sentence. */
  summary: string;
  batchSize: number | null;
  lastStep: number;
  /** By task; null where the log has none. */
  finalWeights: Cell[] | null;
  finalLosses: Cell[] | null;
  /** Step of `finalLosses`. */
  finalLossStep: number | null;
  /** Share of time that mixing took, and seconds per update, in all. */
  mixingShare: number | null;
  mixingSecondsPerUpdate: number | null;
  /** Options, backend, versions and what else the start says, in words. */
  options: Record<string, string>;
  /** What the end says beside weights, in words. */
  ending: Record<string, string>;
  weights: WeightTable;
  counts: CountTable;
  heldOut: LossTable;
  /** Per task, from measurements. */
  training: LossTable;
  /** Of each batch; one series. */
  batchLoss: LossTable;
  statistics: StatisticsTable;
  cosines: Cosines;
  cost: CostTable;
  events: PageEvent[];
  /** How many of each kind, before events were drawn together. */
  eventCounts: Partial<Record<EventKind, number>>;
}

export interface PageData {
  title: string;
  /** Of pike-mixer. */
  version: string;
  /** The union over the runs, in order of appearance. */
  tasks: string[];
  /** Positions in `tasks`, those whose weights moved most first where there are many: they have the colours. */
  ranking: number[];
  /** What a reader should know of the logs: cut off, damaged, still growing. */
  notices: string[];
  runs: PageRun[];
}
