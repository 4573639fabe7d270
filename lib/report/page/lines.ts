/** Lines of tasks over steps, as several figures have them. */
import * as Plot from '@observablehq/plot';
import type { Cell, PageRun, Table } from '../page-data.js';
import type { Context } from './chart.js';
import { shorten } from './dom.js';
import { type EndLabel, endLabels } from './panel.js';
import { type Point, points, tasksOf } from './series.js';

export interface LineOptions {
  curve?: Plot.CurveName;
  /** Where the axis ends: lines run along it rather than below. */
  least?: number;
  /** Lines in the background for tasks that are not selected. */
  others?: boolean;
  strokeWidth?: number;
}

/** Bands from smallest to largest where thinned, the other tasks in grey, then the selected ones. */
export function taskLines<N extends string>(
  run: PageRun,
  table: Table<N>,
  name: N,
  context: Context,
  { curve = 'linear', least = -Infinity, others = false, strokeWidth = 1.6 }: LineOptions = {},
): Plot.Markish[] {
  const onAxis = (y: Cell) => (y === null ? Number.NaN : Math.max(y, least));
  const y = (p: Point) => onAxis(p.y);
  const chosen = tasksOf(run, context);
  const marks: Plot.Markish[] = [];
  if (others)
    for (let k = 0; k < run.tasks.length; k++)
      if (!chosen.some(({ series }) => series === k))
        marks.push(
          Plot.line(points(table, name, k), { x: 'x', y, curve, stroke: 'var(--ghost)', strokeWidth: 0.75 }),
        );
  const lines = chosen.map(({ task, series }) => ({
    stroke: context.stroke(task),
    line: points(table, name, series),
  }));
  const shared = sharedDashes(chosen.map(({ series }) => table.quantities[name].value[series]!));
  if (table.per > 1)
    for (const { stroke, line } of lines)
      marks.push(
        Plot.areaY(line, {
          x: 'x',
          y1: (p: Point) => onAxis(p.low),
          y2: (p: Point) => onAxis(p.high),
          curve,
          fill: stroke.colour,
          fillOpacity: 0.15,
        }),
      );
  for (const [i, { stroke, line }] of lines.entries())
    marks.push(
      Plot.line(line, {
        x: 'x',
        y,
        curve,
        stroke: stroke.colour,
        strokeWidth,
        strokeLinecap: 'butt',
        ...(shared[i] ?? (stroke.dash ? { strokeDasharray: stroke.dash } : {})),
        className: 'task-line',
      }),
    );
  return marks;
}

const dashLength = 9;

/** Lines that lie on each other all the way take turns; null for a line that has its place to itself. */
function sharedDashes(
  series: readonly Cell[][],
): ({ strokeDasharray: string; strokeDashoffset: number } | null)[] {
  const keys = series.map((values) => values.join());
  return keys.map((key, i) => {
    const same = keys.filter((other) => other === key).length;
    if (same === 1) return null;
    const turn = keys.slice(0, i).filter((other) => other === key).length;
    return {
      strokeDasharray: `${dashLength} ${dashLength * (same - 1)}`,
      strokeDashoffset: -dashLength * turn,
    };
  });
}

/** Names at the ends of the selected tasks' lines. */
export function taskLabels<N extends string>(
  run: PageRun,
  table: Table<N>,
  name: N,
  context: Context,
  y: Plot.ScaleOptions,
  height: number,
): Plot.Markish[] {
  if (!hasLabels(context)) return [];
  const labels: EndLabel[] = [];
  for (const { task, series } of tasksOf(run, context)) {
    const last = points(table, name, series)
      .filter((p) => p.y !== null)
      .at(-1);
    if (last)
      labels.push({
        text: shorten(context.data.tasks[task]!, 10),
        colour: context.stroke(task).colour,
        y: y.type === 'log' ? Math.max(last.y!, (y.domain as number[])[0]!) : last.y!,
      });
  }
  return endLabels(labels, (table.step.at(-1) ?? 0) as number, y, height);
}

export function hasLabels({ narrow, selected }: Context): boolean {
  return !narrow && selected.length <= 12;
}

/** Space that `taskLabels` takes. */
export function labelMargin(context: Context): number {
  if (!hasLabels(context)) return 12;
  const longest = Math.max(...context.selected.map((task) => Math.min(10, context.data.tasks[task]!.length)));
  return 14 + 6.2 * longest;
}
