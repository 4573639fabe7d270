import * as Plot from '@observablehq/plot';
import type { Cell, CountTable, PageRun } from '../../page-data.js';
import type { Chart, Context } from '../chart.js';
import { format } from '../dom.js';
import { taskLines } from '../lines.js';
import { axes, type Panel } from '../panel.js';
import {
  csvColumns,
  csvRows,
  extent,
  isThinned,
  points,
  reading,
  stepDomain,
  tableReading,
  tasksOf,
  thinned,
} from '../series.js';

const height = 180;
const driftHeight = 140;
/** More would be drawn on each other. */
const mostDots = 2400;
const names = ['count', 'target', 'drift'] as const;

export const countChart: Chart = {
  id: 'counts',
  title: 'Counts against targets',
  caption: ({ data }) =>
    `Samples of each task in a batch (dots; where there are many, a thin line) and the target, weight × batch size (line). Below, counts so far minus targets so far: what rounding owes each task, which the next batches make good. Both in samples.${thinned(data, (run) => run.counts)}`,
  groups: (context) => [
    {
      title: 'Samples per batch',
      panels: context.data.runs.map((run) => countPanel(run, context)),
    },
    {
      title: 'Counts so far minus targets so far, in samples',
      panels: context.data.runs.map((run) => driftPanel(run, context)),
    },
  ],
  csv: (data) => {
    const thin = isThinned(data, (run) => run.counts);
    return {
      name: 'counts',
      columns: [
        'run',
        'step',
        ...(thin ? ['rows'] : []),
        'task',
        ...csvColumns(['count', 'target', 'counts_minus_targets_so_far'], thin),
      ],
      rows: csvRows(data, (run) => run.counts, names, thin),
    };
  },
};

const none = 'the log has no steps';

function countPanel(run: PageRun, context: Context): Panel {
  const { data } = context;
  const table = run.counts;
  const top = domainOf(context, ['count', 'target']);
  const chosen = tasksOf(run, context);
  const dots = table.per === 1 && chosen.length * table.step.length <= mostDots;
  return {
    title: run.name,
    label: `Samples of each task per batch of run ${run.name} over steps`,
    height,
    empty: table.step.length === 0 ? none : null,
    x: { domain: stepDomain(data) },
    y: { domain: [0, top[1] * 1.08 || 1] },
    marks: (width) => [
      ...axes(width, height),
      ...chosen.map(({ task, series }) => {
        const fill = context.stroke(task).colour;
        const counts = points(table, 'count', series);
        const y = (p: { y: Cell }) => p.y ?? Number.NaN;
        return dots
          ? Plot.dot(counts, { x: 'x', y, r: 1.6, fill, fillOpacity: 0.5, className: 'counts' })
          : Plot.line(counts, {
              x: 'x',
              y,
              stroke: fill,
              strokeWidth: 0.5,
              strokeOpacity: 0.5,
              className: 'counts',
            });
      }),
      ...taskLines(run, table, 'target', context, { curve: 'step-after', strokeWidth: 1 }),
    ],
    reading: tableReading(table, (index) =>
      chosen.map(({ task, series }) => ({
        label: data.tasks[task]!,
        value: `${reading(table.quantities.count, series, index)} of ${format(table.quantities.target.value[series]![index])}`,
        stroke: context.stroke(task),
      })),
    ),
  };
}

function driftPanel(run: PageRun, context: Context): Panel {
  const { data } = context;
  const table = run.counts;
  const [low, high] = domainOf(context, ['drift']);
  const chosen = tasksOf(run, context);
  const most = Math.max(0.5, Math.abs(low), Math.abs(high)) * 1.1;
  return {
    title: run.name,
    label: `Counts minus targets so far of run ${run.name} over steps`,
    height: driftHeight,
    empty: table.step.length === 0 ? none : null,
    x: { domain: stepDomain(data) },
    y: { domain: [-most, most] },
    marks: (width) => [
      ...axes(width, driftHeight),
      Plot.ruleY([0], { stroke: 'var(--soft)' }),
      ...taskLines(run, table, 'drift', context, { strokeWidth: 0.8 }),
    ],
    reading: tableReading(table, (index) =>
      chosen.map(({ task, series }) => ({
        label: data.tasks[task]!,
        value: reading(table.quantities.drift, series, index),
        stroke: context.stroke(task),
      })),
    ),
  };
}

function domainOf(context: Context, quantities: (keyof CountTable['quantities'])[]): [number, number] {
  const values: (Cell | undefined)[] = [];
  for (const run of context.data.runs)
    for (const { series } of tasksOf(run, context))
      for (const name of quantities) {
        const { value, min, max } = run.counts.quantities[name];
        values.push(...(extent((min ?? value)[series]!) ?? []), ...(extent((max ?? value)[series]!) ?? []));
      }
  return extent(values) ?? [0, 1];
}
