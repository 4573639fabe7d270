import * as Plot from '@observablehq/plot';
import type { PageRun } from '../../page-data.js';
import type { Chart, Context } from '../chart.js';
import type { CsvCell } from '../csv.js';
import { axes, type Panel } from '../panel.js';
import {
  csvCells,
  csvColumns,
  extent,
  isThinned,
  points,
  reading,
  stepDomain,
  tableReading,
  thinned,
} from '../series.js';

const height = 150;
const none = 'the log has no updates, or is a replay, in which nothing was measured';

export const costChart: Chart = {
  id: 'cost',
  title: 'Cost of mixing',
  caption: ({ data }) =>
    `Time that measuring statistics and updating the weights took, beside the gradients themselves: of each update, in seconds, and of all so far, as a share of the time since the log was opened, in percent (evaluation and everything else that the run did counts as time).${thinned(data, (run) => run.cost)}`,
  scale: 'log',
  groups: (context) => [
    {
      title: 'Seconds per update',
      panels: context.data.runs.map((run) => costPanel(run, 'seconds', context)),
    },
    {
      title: 'Share of the time so far, in percent',
      panels: context.data.runs.map((run) => costPanel(run, 'share', context)),
    },
  ],
  csv: (data) => {
    const thin = isThinned(data, (run) => run.cost);
    return {
      name: 'cost',
      columns: [
        'run',
        'step',
        ...(thin ? ['rows'] : []),
        ...csvColumns(['mixing_seconds', 'share_of_time_so_far'], thin),
      ],
      rows: (function* (): Generator<CsvCell[]> {
        for (const { name, cost } of data.runs)
          for (let i = 0; i < cost.step.length; i++)
            yield [
              name,
              cost.step[i]!,
              ...(thin ? [Math.min(cost.per, cost.rows - i * cost.per)] : []),
              ...csvCells(cost.quantities.seconds, 0, i, thin),
              ...csvCells(cost.quantities.share, 0, i, thin),
            ];
      })(),
    };
  },
};

function costPanel(run: PageRun, name: 'seconds' | 'share', { data, scale }: Context): Panel {
  const table = run.cost;
  const factor = name === 'share' ? 100 : 1;
  const type = name === 'share' ? 'linear' : scale;
  const all = data.runs.flatMap(({ cost }) => points(cost, name, 0).flatMap(({ low, high }) => [low, high]));
  const range = extent(all.map((y) => (y === null || (type === 'log' && y <= 0) ? null : y * factor)));
  const line = points(table, name, 0).map(({ x, y, low, high }) => ({
    x,
    y: y === null ? Number.NaN : y * factor,
    low: (low ?? Number.NaN) * factor,
    high: (high ?? Number.NaN) * factor,
  }));
  const y: Plot.ScaleOptions = {
    type,
    clamp: true,
    domain:
      type === 'log' ? [(range?.[0] ?? 1) / 1.3, (range?.[1] ?? 1) * 1.3] : [0, (range?.[1] ?? 1) * 1.1],
  };
  return {
    title: run.name,
    label: `Cost of mixing of run ${run.name}, ${name === 'share' ? 'share of time' : 'seconds per update'}, over steps`,
    height,
    empty: table.step.length === 0 ? none : null,
    x: { domain: stepDomain(data) },
    y,
    marks: (width) => [
      ...axes(width, height, y),
      ...(table.per > 1
        ? [Plot.areaY(line, { x: 'x', y1: 'low', y2: 'high', fill: 'var(--accent)', fillOpacity: 0.15 })]
        : []),
      Plot.line(line, {
        x: 'x',
        y: 'y',
        stroke: 'var(--accent)',
        strokeWidth: 1.3,
        className: `cost-line ${name}`,
      }),
      ...(line.length <= 120
        ? [Plot.dot(line, { x: 'x', y: 'y', fill: 'var(--accent)', r: 1.8, className: `cost-dots ${name}` })]
        : []),
    ],
    reading: tableReading(table, (index) => [
      { label: 'seconds, this update', value: reading(table.quantities.seconds, 0, index) },
      { label: 'share of time so far', value: reading(table.quantities.share, 0, index) },
    ]),
  };
}
