import * as Plot from '@observablehq/plot';
import type { Cell, PageData, PageRun } from '../../page-data.js';
import type { Chart, Context } from '../chart.js';
import type { CsvCell } from '../csv.js';
import { element, format, shorten, whole } from '../dom.js';
import { cosineColour } from '../palette.js';
import { type Panel, stepAxis } from '../panel.js';
import { stepDomain } from '../series.js';

const rowHeight = 18;
const mostRows = 28;

export const cosineChart: Chart = {
  id: 'cosines',
  title: 'Cosines between gradients',
  caption: ({ data }) =>
    `Cosine of the angle between the expected gradients of two tasks (no unit), of averages over updates: a row per pair of selected tasks, a cell per update. Blue pairs pull the same way, orange ones against each other; empty cells: a norm that cannot be told from 0, or was not measured.${leftOut(data)}`,
  groups: (context) => [
    {
      title: 'Cosine of two tasks’ gradients',
      panels: context.data.runs.map((run) => cosinePanel(run, context)),
    },
  ],
  csv: (data) => ({
    name: 'cosines',
    columns: ['run', 'step', 'task', 'other_task', 'cosine', 'every_nth_update'],
    rows: cosineRows(data),
  }),
  below: ({ theme, data }) => {
    if (data.runs.every(({ cosines }) => cosines.step.length === 0)) return [];
    const stops = [-1, -0.5, 0, 0.5, 1].map((cosine) => cosineColour(cosine, theme));
    const bar = element('span', { class: 'ramp' });
    bar.style.background = `linear-gradient(to right, ${stops.join(', ')})`;
    return [element('div', { class: 'key' }, '−1 against each other', bar, '1 the same way')];
  },
};

function leftOut({ runs }: PageData): string {
  const parts = runs
    .filter(({ cosines }) => cosines.every > 1)
    .map(({ name, cosines }) => `${runs.length > 1 ? `${name}: ` : ''}${whole(cosines.every)}`);
  return parts.length > 0
    ? ` Thinned, here and in the CSV: of so many updates one is kept (${parts.join('; ')}).`
    : '';
}

interface Pair {
  a: number;
  b: number;
  name: string;
  values: readonly Cell[];
}

/** All pairs of a run, named by task. */
function pairsOf(run: PageRun, { tasks }: PageData): Pair[] {
  const pairs: Pair[] = [];
  for (let j = 0; j < run.tasks.length; j++)
    for (let k = j + 1; k < run.tasks.length; k++) {
      const [a, b] = [run.tasks[j]!, run.tasks[k]!];
      const values = run.cosines.pairs[pairs.length] ?? [];
      pairs.push({ a, b, values, name: `${tasks[a]} · ${tasks[b]}` });
    }
  return pairs;
}

function cosinePanel(run: PageRun, context: Context): Panel {
  const { data, selected, theme, narrow } = context;
  const { step } = run.cosines;
  const rank = ranksOf(data);
  const pairs = pairsOf(run, data)
    .filter(({ a, b }) => selected.includes(a) && selected.includes(b))
    .sort((p, q) => rank.get(p.name)! - rank.get(q.name)!)
    .slice(0, mostRows);
  const longest = narrow ? 8 : 10;
  const names = new Map(
    pairs.map(({ a, b, name }) => [
      name,
      `${shorten(data.tasks[a]!, longest)} · ${shorten(data.tasks[b]!, longest)}`,
    ]),
  );
  const width = step.length > 1 ? step.at(-1)! - step.at(-2)! : Math.max(1, run.lastStep - (step[0] ?? 0));
  const until = (i: number) =>
    step[i + 1] ?? Math.min(step[i]! + width, Math.max(run.lastStep, step[i]! + 1));
  const cells = pairs.flatMap(({ name, values }) =>
    values.flatMap((cosine, i) => (cosine === null ? [] : [{ name, cosine, from: step[i]!, to: until(i) }])),
  );
  const height = 44 + rowHeight * pairs.length;
  return {
    title: run.name,
    label: `Cosines between gradients of run ${run.name} over steps`,
    height,
    empty:
      step.length === 0
        ? run.statistics.step.length === 0
          ? 'the log has no updates, so nothing was measured'
          : 'inner products were not measured (option inner)'
        : pairs.length === 0
          ? 'select two tasks or more'
          : null,
    marginLeft: 16 + 5.9 * Math.max(0, ...[...names.values()].map(({ length }) => length)),
    x: { domain: stepDomain(data) },
    y: { type: 'band', domain: pairs.map(({ name }) => name), padding: 0.08, round: false, label: null },
    marks: (panelWidth) => [
      stepAxis(panelWidth),
      Plot.axisY({
        tickSize: 0,
        label: null,
        color: 'var(--soft)',
        tickFormat: (name: string) => names.get(name) ?? name,
      }),
      Plot.barX(cells, {
        x1: 'from',
        x2: 'to',
        y: 'name',
        fill: ({ cosine }: { cosine: number }) => cosineColour(cosine, theme),
        className: 'cosine-cells',
        shapeRendering: 'crispEdges',
      }),
    ],
    reading: {
      lanes: pairs.map(({ name }) => name),
      steps: () => step,
      read: (name, index) => ({
        title: `step ${whole(step[index]!)}`,
        rows: [{ label: name, value: format(pairs.find((pair) => pair.name === name)!.values[index]) }],
      }),
    },
  };
}

/** The order of the rows, the same in all runs: pairs that pull the same way stand above. */
function ranksOf(data: PageData): Map<string, number> {
  const sums = new Map<string, { sum: number; n: number }>();
  for (const run of data.runs)
    for (const { name, values } of pairsOf(run, data)) {
      const total = sums.get(name) ?? { sum: 0, n: 0 };
      for (const value of values)
        if (value !== null) {
          total.sum += value;
          total.n++;
        }
      sums.set(name, total);
    }
  const mean = ({ sum, n }: { sum: number; n: number }) => (n > 0 ? sum / n : -2);
  const order = [...sums].sort(([, a], [, b]) => mean(b) - mean(a));
  return new Map(order.map(([name], i) => [name, i]));
}

function* cosineRows(data: PageData): Generator<CsvCell[]> {
  for (const run of data.runs) {
    const pairs = pairsOf(run, data);
    for (const [i, step] of run.cosines.step.entries())
      for (const { a, b, values } of pairs)
        yield [run.name, step, data.tasks[a]!, data.tasks[b]!, values[i] ?? null, run.cosines.every];
  }
}
