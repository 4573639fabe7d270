/** From the tables of the page's data to points, readouts and rows of CSV. */
import type { Cell, PageData, PageRun, Quantity, Table } from '../page-data.js';
import type { Context } from './chart.js';
import type { CsvCell } from './csv.js';
import { format, whole } from './dom.js';
import type { Reading, Readout } from './reading.js';

export interface Point {
  x: number;
  y: Cell;
  /** Smallest and largest of a bucket; `y` itself where nothing is thinned. */
  low: Cell;
  high: Cell;
}

export function points<N extends string>(table: Table<N>, name: N, series: number): Point[] {
  const { value, min, max } = table.quantities[name];
  return table.step.map((x, i) => {
    const y = value[series]![i]!;
    return { x, y, low: min ? min[series]![i]! : y, high: max ? max[series]![i]! : y };
  });
}

/** The selected tasks that the run has, with their places in it. */
export function tasksOf(run: PageRun, { selected }: Context): { task: number; series: number }[] {
  return selected
    .map((task) => ({ task, series: run.tasks.indexOf(task) }))
    .filter(({ series }) => series >= 0);
}

export function title(table: Table<string>, index: number): string {
  const last = table.step[index]!;
  if (table.per === 1) return `step ${whole(last)}`;
  const before = index > 0 ? table.step[index - 1]! : null;
  return `${before === null ? 'up to' : `after ${whole(before)}, up to`} step ${whole(last)}: means`;
}

/** A number as it is read off, with the range of its bucket. */
export function reading({ value, min, max }: Quantity, series: number, index: number): string {
  const text = format(value[series]![index]);
  if (!min || !max || value[series]![index] === null) return text;
  return `${text} (${format(min[series]![index])} to ${format(max[series]![index])})`;
}

/** A panel that reads a table row by row. */
export function tableReading(table: Table<string>, read: (index: number) => Readout['rows']): Reading {
  return {
    lanes: [''],
    steps: () => table.step,
    read: (_, index) => ({ title: title(table, index), rows: read(index) }),
  };
}

/** Smallest and largest of the numbers; null when there are none. */
export function extent(numbers: Iterable<Cell | undefined>): [number, number] | null {
  let [low, high] = [Infinity, -Infinity];
  for (const x of numbers) {
    if (x === null || x === undefined) continue;
    if (x < low) low = x;
    if (x > high) high = x;
  }
  return low <= high ? [low, high] : null;
}

/** Steps of all runs: the common x axis. */
export function stepDomain({ runs }: PageData): [number, number] {
  return [0, Math.max(1, ...runs.map(({ lastStep }) => lastStep))];
}

/** Says of thinned tables what was done to them; '' when nothing was. */
export function thinned(data: PageData, table: (run: PageRun) => Table<string>): string {
  const parts = data.runs
    .filter((run) => table(run).per > 1)
    .map((run) => `${data.runs.length > 1 ? `${run.name}: ` : ''}${whole(table(run).per)}`);
  if (parts.length === 0) return '';
  return ` Thinned, here and in the CSV: every point is the mean of so many logged rows (${parts.join('; ')}), with their smallest and largest.`;
}

/** Columns of a quantity in a CSV file. */
export function csvColumns(names: readonly string[], isThinned: boolean): string[] {
  return isThinned ? names.flatMap((name) => [`${name}_mean`, `${name}_min`, `${name}_max`]) : [...names];
}

export function csvCells(quantity: Quantity, series: number, index: number, isThinned: boolean): CsvCell[] {
  const value = quantity.value[series]![index]!;
  if (!isThinned) return [value];
  return [
    value,
    quantity.min ? quantity.min[series]![index]! : value,
    quantity.max ? quantity.max[series]![index]! : value,
  ];
}

/** A row per run, step and task, with all quantities of a table. Where any run is thinned, `rows` says how far. */
export function* csvRows<N extends string>(
  data: PageData,
  tableOf: (run: PageRun) => Table<N>,
  names: readonly N[],
  isThinned: boolean,
): Generator<CsvCell[]> {
  for (const run of data.runs) {
    const table = tableOf(run);
    for (let i = 0; i < table.step.length; i++)
      for (let k = 0; k < table.quantities[names[0]!].value.length; k++)
        yield [
          run.name,
          table.step[i]!,
          ...(isThinned ? [Math.min(table.per, table.rows - i * table.per)] : []),
          data.tasks[run.tasks[k]!]!,
          ...names.flatMap((name) => csvCells(table.quantities[name], k, i, isThinned)),
        ];
  }
}

export function isThinned(data: PageData, table: (run: PageRun) => Table<string>): boolean {
  return data.runs.some((run) => table(run).per > 1);
}
