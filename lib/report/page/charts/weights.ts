import * as Plot from '@observablehq/plot';
import type { PageEvent, PageRun } from '../../page-data.js';
import type { Chart, Context } from '../chart.js';
import { labelMargin, taskLabels, taskLines } from '../lines.js';
import { axes, type Panel } from '../panel.js';
import {
  csvColumns,
  csvRows,
  extent,
  isThinned,
  reading,
  stepDomain,
  tableReading,
  tasksOf,
  thinned,
} from '../series.js';

const height = 230;

export const weightsChart: Chart = {
  id: 'weights',
  title: 'Mixture weights',
  caption: ({ data, selected }) =>
    `The weight of each task, a share of the batch (no unit; the weights of a run sum to 1), over training steps.${
      data.tasks.length > selected.length ? ' Grey: the tasks that are not selected.' : ''
    } Where lines lie on each other, their colours take turns. Dashed verticals: warnings and retirements (figure “Events”).${thinned(data, (run) => run.weights)}`,
  groups: (context) => [
    { title: 'Weight', panels: context.data.runs.map((run) => weightPanel(run, context)) },
  ],
  csv: (data) => {
    const thin = isThinned(data, (run) => run.weights);
    return {
      name: 'weights',
      columns: ['run', 'step', ...(thin ? ['rows'] : []), 'task', ...csvColumns(['weight'], thin)],
      rows: csvRows(data, (run) => run.weights, ['weight'], thin),
    };
  },
};

function weightPanel(run: PageRun, context: Context): Panel {
  const { data } = context;
  const table = run.weights;
  const top = extent(
    data.runs.flatMap(({ weights: { quantities } }) =>
      (quantities.weight.max ?? quantities.weight.value).flat(),
    ),
  );
  const y: Plot.ScaleOptions = { domain: [0, Math.min(1, (top?.[1] ?? 1) * 1.08)] };
  const signs = run.events.filter(({ kind }) => kind === 'warning' || kind === 'retired');
  return {
    title: run.name,
    label: `Weights of run ${run.name} over steps`,
    height,
    empty: table.step.length === 0 ? 'the log has no weights' : null,
    marginRight: labelMargin(context),
    x: { domain: stepDomain(data) },
    y,
    marks: (width) => [
      ...axes(width, height),
      Plot.ruleX(signs, {
        x: (event: PageEvent) => event.step,
        stroke: (event: PageEvent) => (event.kind === 'warning' ? 'var(--warning)' : 'var(--soft)'),
        strokeDasharray: '3 3',
        strokeOpacity: 0.8,
        className: 'event-rule',
      }),
      ...taskLines(run, table, 'weight', context, { curve: 'step-after', others: true }),
      ...taskLabels(run, table, 'weight', context, y, height),
    ],
    reading: tableReading(table, (index) =>
      tasksOf(run, context).map(({ task, series }) => ({
        label: data.tasks[task]!,
        value: reading(table.quantities.weight, series, index),
        stroke: context.stroke(task),
      })),
    ),
  };
}
