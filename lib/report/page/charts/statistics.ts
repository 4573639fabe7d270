import * as Plot from '@observablehq/plot';
import type { Cell, PageRun, StatisticsTable } from '../../page-data.js';
import type { Chart, Context } from '../chart.js';
import { format } from '../dom.js';
import { labelMargin, taskLabels, taskLines } from '../lines.js';
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

const height = 210;
const mostDots = 1500;

/** The names of a statistic: smoothed, its standard error, and each measurement's. */
interface Names {
  smoothed: 'normSquared' | 'variance';
  error: 'normSquaredError' | 'varianceError';
  measured: 'measuredNormSquared' | 'measuredVariance';
  measuredError: 'measuredNormSquaredError' | 'measuredVarianceError';
}

const norm: Names = {
  smoothed: 'normSquared',
  error: 'normSquaredError',
  measured: 'measuredNormSquared',
  measuredError: 'measuredNormSquaredError',
};
const variance: Names = {
  smoothed: 'variance',
  error: 'varianceError',
  measured: 'measuredVariance',
  measuredError: 'measuredVarianceError',
};

const columns: [string, keyof StatisticsTable['quantities']][] = [
  ['norm_squared', 'normSquared'],
  ['norm_squared_standard_error', 'normSquaredError'],
  ['variance', 'variance'],
  ['variance_standard_error', 'varianceError'],
  ['measured_norm_squared', 'measuredNormSquared'],
  ['measured_norm_squared_standard_error', 'measuredNormSquaredError'],
  ['measured_variance', 'measuredVariance'],
  ['measured_variance_standard_error', 'measuredVarianceError'],
];

export const statisticsChart: Chart = {
  id: 'statistics',
  title: 'Gradient statistics',
  caption: ({ data, scale }) =>
    `What the weights follow: the squared norm N of each task's expected gradient, and the variance σ² of its gradient per sample, both in units of a squared gradient norm. Lines: averages over updates, as the rule saw them, in a band of ± one standard error. Dots: each measurement alone, where it lies within the panel.${
      scale === 'log'
        ? ' On the logarithmic axis, lines and bands that fall below it, as numbers at or below 0 do, run along its lower edge.'
        : ''
    }${thinned(data, (run) => run.statistics)}`,
  scale: 'log',
  groups: (context) => [
    {
      title: 'Squared gradient norm N',
      panels: context.data.runs.map((run) => statisticPanel(run, norm, 'Squared gradient norms', context)),
    },
    {
      title: 'Gradient variance σ², per sample',
      panels: context.data.runs.map((run) => statisticPanel(run, variance, 'Gradient variances', context)),
    },
  ],
  csv: (data) => {
    const thin = isThinned(data, (run) => run.statistics);
    return {
      name: 'statistics',
      columns: [
        'run',
        'step',
        ...(thin ? ['rows'] : []),
        'task',
        ...csvColumns(
          columns.map(([name]) => name),
          thin,
        ),
      ],
      rows: csvRows(
        data,
        (run) => run.statistics,
        columns.map(([, name]) => name),
        thin,
      ),
    };
  },
};

function statisticPanel(run: PageRun, names: Names, label: string, context: Context): Panel {
  const { data, scale } = context;
  const table = run.statistics;
  const domain = domainOf(names, context);
  const y: Plot.ScaleOptions = { domain, type: scale, clamp: true };
  const chosen = tasksOf(run, context);
  const drawn = chosen.some(({ series }) =>
    table.quantities[names.smoothed].value[series]!.some((value) => fits(value, scale)),
  );
  return {
    title: run.name,
    label: `${label} of run ${run.name} over steps`,
    height,
    empty: drawn
      ? null
      : table.step.length === 0
        ? 'the log has no updates, so nothing was measured'
        : scale === 'log'
          ? 'no number above 0 of the selected tasks; try the linear axis'
          : 'nothing was measured of the selected tasks',
    marginRight: labelMargin(context),
    x: { domain: stepDomain(data) },
    y,
    marks: (width) => [
      ...axes(width, height, y),
      ...(scale === 'linear' && domain[0] < 0 ? [Plot.ruleY([0], { stroke: 'var(--soft)' })] : []),
      ...chosen.map(({ task, series }) =>
        Plot.areaY(bandOf(table, names, series), {
          x: 'x',
          y1: (p: Band) => (scale === 'log' ? Math.max(p.low, domain[0]) : p.low),
          y2: (p: Band) => (scale === 'log' ? Math.max(p.high, domain[0]) : p.high),
          fill: context.stroke(task).colour,
          fillOpacity: chosen.length <= 4 ? 0.18 : 0.09,
          className: 'error-band',
        }),
      ),
      ...(table.per === 1 && table.step.length * chosen.length <= mostDots
        ? chosen.map(({ task, series }) =>
            Plot.dot(
              points(table, names.measured, series).filter(
                (p) => fits(p.y, scale) && p.y! >= domain[0] && p.y! <= domain[1],
              ),
              {
                x: 'x',
                y: 'y',
                r: 1.6,
                fill: context.stroke(task).colour,
                fillOpacity: 0.55,
                className: 'measurement',
              },
            ),
          )
        : []),
      ...taskLines(run, { ...table, per: 1 }, names.smoothed, context, {
        least: scale === 'log' ? domain[0] : -Infinity,
      }),
      ...taskLabels(run, table, names.smoothed, context, y, height),
    ],
    reading: tableReading(table, (index) =>
      chosen.flatMap(({ task, series }) => {
        const error = table.quantities[names.error].value[series]![index];
        const alone = table.quantities[names.measured].value[series]![index];
        return [
          {
            label: data.tasks[task]!,
            value: `${reading(table.quantities[names.smoothed], series, index)} ± ${format(error)}`,
            stroke: context.stroke(task),
          },
          ...(chosen.length <= 4 ? [{ label: '  this measurement', value: format(alone) }] : []),
        ];
      }),
    ),
  };
}

interface Band {
  x: number;
  low: number;
  high: number;
}

/** ± one standard error; of a bucket, from the smallest minus to the largest plus the mean standard error. */
function bandOf(table: StatisticsTable, { smoothed, error }: Names, series: number): Band[] {
  const errors = table.quantities[error].value[series]!;
  return points(table, smoothed, series).map(({ x, low, high }, i) => {
    const width = errors[i];
    const known = width !== null && width !== undefined && low !== null && high !== null;
    return known ? { x, low: low - width, high: high + width } : { x, low: Number.NaN, high: Number.NaN };
  });
}

/** Common to all runs: the smoothed numbers with their bands; single measurements may lie outside. */
function domainOf(names: Names, context: Context): [number, number] {
  const values: Cell[] = [];
  for (const run of context.data.runs)
    for (const { series } of tasksOf(run, context))
      for (const [i, { low, high }] of bandOf(run.statistics, names, series).entries()) {
        const value = run.statistics.quantities[names.smoothed].value[series]![i]!;
        values.push(value);
        if (context.scale === 'linear') values.push(Number.isNaN(low) ? null : low);
        values.push(Number.isNaN(high) ? null : high);
      }
  if (context.scale === 'log') {
    const range = extent(values.map((value) => (fits(value, 'log') ? value : null)));
    if (!range) return [0.1, 1];
    // A few that come close to 0 must not press all others together.
    const known = values.filter((value) => fits(value, 'log')).sort((a, b) => a! - b!) as number[];
    const low = Math.max(range[0], known[Math.floor(known.length / 20)]! / 3);
    return [low / 1.3, range[1] * 1.1];
  }
  const range = extent(values) ?? [0, 1];
  return [Math.min(0, range[0]), range[1] * 1.05 || 1];
}

function fits(value: Cell | undefined, scale: 'linear' | 'log'): boolean {
  return value !== null && value !== undefined && (scale === 'linear' || value > 0);
}
