import * as Plot from '@observablehq/plot';
import type { Cell, LossTable, PageData, PageRun } from '../../page-data.js';
import type { Chart, Context, Group } from '../chart.js';
import type { CsvCell } from '../csv.js';
import { format } from '../dom.js';
import { axes, type Panel } from '../panel.js';
import { nearest, type Readout } from '../reading.js';
import {
  csvCells,
  csvColumns,
  extent,
  isThinned,
  type Point,
  points,
  reading,
  stepDomain,
  thinned,
  title,
} from '../series.js';

const height = 150;

/** What a panel of losses shows: of one task, or of all. */
interface Lines {
  name: string;
  heldOut(run: PageRun): Point[];
  training(run: PageRun): { table: LossTable; series: number } | null;
  colour: string;
}

export const lossChart: Chart = {
  id: 'losses',
  title: 'Losses',
  caption: ({ data }) =>
    `Held-out loss (solid, a dot per evaluation) and training loss (thin) over training steps, in the unit of the logged losses, a row per task${
      data.runs.length > 1
        ? '; the axis is common to a row, and the held-out losses of the other runs stand in grey'
        : ''
    }. Training losses of a task are those of its measurements; “all tasks” has the mean of the held-out losses and the training loss of each batch.${thinned(data, (run) => run.heldOut) || thinned(data, (run) => run.batchLoss) || thinned(data, (run) => run.training)}`,
  scale: 'linear',
  groups: (context) => {
    const { data, selected } = context;
    const tasks = selected.map((task) => linesOfTask(context, task));
    return [linesOfAll, ...tasks].map((lines, i): Group => {
      const stroke = i === 0 ? undefined : context.stroke(selected[i - 1]!);
      const panels = data.runs.map((run) => lossPanel(run, lines, context));
      return { title: `Loss, ${lines.name}`, panels, ...(stroke ? { stroke } : {}) };
    });
  },
  csv: (data) => {
    const thin = tables.some(([, table]) => isThinned(data, table));
    return {
      name: 'losses',
      columns: ['run', 'step', ...(thin ? ['rows'] : []), 'task', 'kind', ...csvColumns(['loss'], thin)],
      rows: lossRows(data, thin),
    };
  },
};

const tables: [kind: string, table: (run: PageRun) => LossTable][] = [
  ['held-out', (run) => run.heldOut],
  ['training', (run) => run.training],
  ['training, batch', (run) => run.batchLoss],
];

function* lossRows(data: PageData, thin: boolean): Generator<CsvCell[]> {
  for (const run of data.runs)
    for (const [kind, of] of tables) {
      const { step, per, rows, quantities } = of(run);
      for (let i = 0; i < step.length; i++)
        for (let k = 0; k < quantities.loss.value.length; k++)
          yield [
            run.name,
            step[i]!,
            ...(thin ? [Math.min(per, rows - i * per)] : []),
            of(run) === run.batchLoss ? '' : data.tasks[run.tasks[k]!]!,
            kind,
            ...csvCells(quantities.loss, k, i, thin),
          ];
    }
}

const linesOfAll: Lines = {
  name: 'all tasks',
  colour: 'var(--ink)',
  heldOut: ({ heldOut }) =>
    heldOut.step.map((x, i) => {
      const y = mean(heldOut.quantities.loss.value.map((column) => column[i]!));
      return { x, y, low: y, high: y };
    }),
  training: (run) => ({ table: run.batchLoss, series: 0 }),
};

function linesOfTask({ data, stroke }: Context, task: number): Lines {
  return {
    name: data.tasks[task]!,
    colour: stroke(task).colour,
    heldOut: (run) => {
      const series = run.tasks.indexOf(task);
      return series < 0 ? [] : points(run.heldOut, 'loss', series);
    },
    training: (run) => {
      const series = run.tasks.indexOf(task);
      return series < 0 ? null : { table: run.training, series };
    },
  };
}

/** Null unless every task has a number: a mean over fewer would be another quantity. */
function mean(values: readonly Cell[]): Cell {
  if (values.length === 0 || values.some((value) => value === null)) return null;
  return (values as number[]).reduce((sum, value) => sum + value, 0) / values.length;
}

function lossPanel(run: PageRun, lines: Lines, { data, scale }: Context): Panel {
  const trainingOf = (of: PageRun) => {
    const found = lines.training(of);
    return found ? points(found.table, 'loss', found.series) : [];
  };
  const all = data.runs.flatMap((of) => [...lines.heldOut(of), ...trainingOf(of)]);
  const fits = (y: Cell) => y !== null && (scale === 'linear' || y > 0);
  const at = (p: Point) => (fits(p.y) ? p.y! : Number.NaN);
  const range = extent(all.map((p) => (fits(p.y) ? p.y : null)));
  const y: Plot.ScaleOptions = { domain: range ? padded(range, scale) : [0, 1], type: scale, clamp: true };
  const heldOut = lines.heldOut(run);
  const training = trainingOf(run);
  const drawn = [...heldOut, ...training].some((p) => fits(p.y));
  return {
    title: run.name,
    label: `Losses of run ${run.name}, ${lines.name}, over steps`,
    height,
    empty: drawn ? null : 'the log has neither evaluations nor training losses here',
    x: { domain: stepDomain(data) },
    y,
    marks: (width) => [
      ...axes(width, height, y),
      ...data.runs
        .filter((other) => other !== run)
        .map((other) =>
          Plot.line(lines.heldOut(other), { x: 'x', y: at, stroke: 'var(--ghost)', className: 'ghost' }),
        ),
      Plot.line(training, {
        x: 'x',
        y: at,
        stroke: lines.colour,
        strokeOpacity: 0.45,
        strokeWidth: 0.9,
        className: 'training-loss',
      }),
      Plot.line(heldOut, {
        x: 'x',
        y: at,
        stroke: lines.colour,
        strokeWidth: 1.6,
        className: 'held-out-loss',
      }),
      ...(heldOut.length <= 120
        ? [Plot.dot(heldOut, { x: 'x', y: at, fill: lines.colour, r: 2, className: 'held-out-dots' })]
        : []),
    ],
    reading: lossReading(run, lines, data),
  };
}

/** At evaluations where there are any, with the training loss nearest to them, else at the training losses. */
function lossReading(run: PageRun, lines: Lines, { runs }: PageData) {
  const training = lines.training(run);
  const heldOut = lines.heldOut(run);
  const steps = heldOut.length > 0 ? heldOut.map(({ x }) => x) : (training?.table.step ?? []);
  return {
    lanes: [''],
    steps: () => steps,
    read: (_: string, index: number): Readout => {
      const rows: Readout['rows'] = [];
      if (heldOut.length > 0) {
        rows.push({
          label: 'held-out',
          value: format(heldOut[index]!.y),
          stroke: { colour: lines.colour, dash: '' },
        });
        for (const other of runs)
          if (other !== run) {
            const same = lines.heldOut(other).find(({ x }) => x === steps[index]);
            if (same) rows.push({ label: `held-out, ${other.name}`, value: format(same.y) });
          }
      }
      if (training && training.table.step.length > 0) {
        const at = nearest(training.table.step, steps[index]!);
        rows.push({
          label: `training, ${title(training.table, at)}`,
          value: reading(training.table.quantities.loss, training.series, at),
        });
      }
      return { title: `step ${steps[index]}`, rows };
    },
  };
}

function padded([low, high]: [number, number], scale: 'linear' | 'log'): [number, number] {
  if (scale === 'log') return [low / 1.05, high * 1.05];
  const margin = (high - low) * 0.05 || Math.abs(high) * 0.05 || 1;
  return [low - margin, high + margin];
}
