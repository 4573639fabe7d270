import * as Plot from '@observablehq/plot';
import type { EventKind, PageData, PageEvent, PageRun } from '../../page-data.js';
import type { Chart, Context } from '../chart.js';
import type { CsvCell } from '../csv.js';
import { element, whole } from '../dom.js';
import { type Panel, stepAxis } from '../panel.js';
import { stepDomain } from '../series.js';

const order: EventKind[] = [
  'warning',
  'retired',
  'missed',
  'passed over',
  'limited',
  'clipped',
  'floored',
  'held',
];
/** The rest, of which there are often many, are read off the figure or the CSV. */
const listed: EventKind[] = ['warning', 'retired', 'missed'];
const mostListed = 60;

export const eventChart: Chart = {
  id: 'events',
  title: 'Events',
  caption: () =>
    'Warnings, retired tasks, missed measurements, and what the updates report: measurements passed over, updates that maxLogStep limited, norms clipped at 0, weights on their floor, differences held as noise. A dot per event; events of a kind that lie too close on the axis of steps share a larger one.',
  groups: (context) => [
    {
      title: 'Events of a kind, over steps',
      panels: context.data.runs.map((run) => eventPanel(run, context)),
    },
  ],
  csv: (data) => ({
    name: 'events',
    columns: ['run', 'step', 'kind', 'text', 'events'],
    rows: (function* (): Generator<CsvCell[]> {
      for (const { name, events } of data.runs)
        for (const { step, kind, text, times } of events) yield [name, step, kind, text, times];
    })(),
  }),
  below: ({ data }) => listOf(data),
};

function colourOf(kind: EventKind): string {
  return kind === 'warning'
    ? 'var(--warning)'
    : kind === 'retired' || kind === 'missed'
      ? 'var(--ink)'
      : 'var(--soft)';
}

function eventPanel(run: PageRun, { data }: Context): Panel {
  const kinds = order.filter((kind) => data.runs.some(({ eventCounts }) => eventCounts[kind]));
  const of = (kind: string) => run.events.filter((event) => event.kind === kind);
  const height = 44 + 22 * kinds.length;
  return {
    title: run.name,
    label: `Events of run ${run.name} over steps`,
    height,
    empty: run.events.length === 0 ? 'no warnings, nothing missed, nothing limited' : null,
    marginLeft: 78,
    x: { domain: stepDomain(data) },
    y: { type: 'band', domain: kinds, label: null },
    marks: (width) => [
      stepAxis(width),
      Plot.axisY({ tickSize: 0, label: null, color: 'var(--soft)' }),
      Plot.gridY({ stroke: 'var(--grid)', strokeOpacity: 1 }),
      Plot.dot(run.events, {
        x: 'step',
        y: 'kind',
        r: (event: PageEvent) => 3 + Math.min(4, Math.log2(event.times)),
        fill: ({ kind }: PageEvent) => colourOf(kind),
        fillOpacity: 0.8,
        stroke: 'var(--ground)',
        strokeWidth: 0.7,
        className: 'event-dots',
        clip: false,
      }),
    ],
    reading: {
      lanes: kinds,
      steps: (kind) => of(kind).map(({ step }) => step),
      read: (kind, index) => {
        const { step, text, times } = of(kind)[index]!;
        return {
          title: `step ${whole(step)}: ${kind}`,
          rows: [
            { label: text, value: '' },
            ...(times > 1 ? [{ label: `and ${whole(times - 1)} more up to here`, value: '' }] : []),
          ],
        };
      },
    },
  };
}

function listOf({ runs }: PageData): HTMLElement[] {
  const all = runs.flatMap(({ name, events }) =>
    events.filter(({ kind }) => listed.includes(kind)).map((event) => ({ name, ...event })),
  );
  if (all.length === 0) return [];
  const rows = all
    .slice(0, mostListed)
    .map(({ name, step, kind, text, times }) =>
      element(
        'tr',
        {},
        element('td', { class: 'number' }, whole(step)),
        element('td', {}, name),
        element('td', {}, kind),
        element('td', {}, times > 1 ? `${text} (and ${whole(times - 1)} more near this step)` : text),
      ),
    );
  const head = ['step', 'run', 'kind', 'what happened'];
  const more =
    all.length > mostListed ? `, the first ${mostListed} of ${whole(all.length)}; all are in the CSV` : '';
  return [
    element(
      'details',
      {},
      element('summary', {}, `Warnings, retirements and missed measurements in words${more}`),
      element(
        'div',
        { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'List of events' },
        element(
          'table',
          { class: 'list' },
          element(
            'thead',
            {},
            element('tr', {}, ...head.map((text) => element('th', { scope: 'col' }, text))),
          ),
          element('tbody', {}, ...rows),
        ),
      ),
    ),
  ];
}
