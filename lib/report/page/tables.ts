/** The parts of the page that are words and tables: summary, final losses, options, notices. */
import type { Cell, PageData, PageRun } from '../page-data.js';
import type { Context } from './chart.js';
import { download } from './csv.js';
import { element, format, minus, percent, swatch, whole } from './dom.js';

export function noticesBox({ notices }: PageData): HTMLElement[] {
  if (notices.length === 0) return [];
  return [
    element(
      'aside',
      { class: 'notices', 'aria-label': 'Notices about the logs' },
      element('b', {}, notices.length === 1 ? 'Notice' : 'Notices'),
      element('ul', {}, ...notices.map((notice) => element('li', {}, notice))),
    ),
  ];
}

export function sentences({ runs }: PageData): HTMLElement {
  return element(
    'dl',
    { class: 'sentences' },
    ...runs.flatMap(({ name, file, summary }) => [
      element('dt', { title: file }, name),
      element('dd', {}, summary),
    ]),
  );
}

/** What stands at the end, a row per task and a column per run; the lowest loss of a row is marked. */
export function finalTable(context: Context): HTMLElement {
  const { data, selected } = context;
  const { runs, tasks } = data;
  const save = element(
    'button',
    { type: 'button', 'aria-label': 'Download final losses and weights as CSV' },
    'CSV',
  );
  save.addEventListener('click', () => download(finalCsv(data)));
  const hidden = tasks.length - selected.length;
  const steps = [...new Set(runs.map(({ finalLossStep }) => finalLossStep))];
  const when =
    steps.length === 1 && steps[0] !== null
      ? `after step ${whole(steps[0]!)}`
      : 'of each run’s last evaluation';
  return element(
    'section',
    { id: 'final', 'aria-labelledby': 'final-title' },
    element(
      'div',
      { class: 'section-head' },
      element('h2', { id: 'final-title' }, 'Final losses and weights'),
      element('div', { class: 'tools' }, save),
    ),
    element(
      'div',
      { class: 'finals scroll', tabindex: 0, role: 'region', 'aria-labelledby': 'final-title' },
      ...finalTables(context),
    ),
    element(
      'p',
      { class: 'caption' },
      element('b', {}, 'Table 1. '),
      `Held-out losses ${when}, in the unit in which they were logged, and the last weights.${
        runs.length > 1 ? ' Bold: the lowest loss of a row.' : ''
      }${hidden > 0 ? ` The CSV has ${whole(hidden)} more ${hidden === 1 ? 'task' : 'tasks'}; select them above to see them here.` : ''}${
        isCostKnown(runs)
          ? ' All time: since the log was opened, evaluation and everything else that the run did included.'
          : ''
      }`,
    ),
  );
}

/** Losses; weights and what mixing cost. */
function finalTables({ data, selected, stroke }: Context): HTMLElement[] {
  const { runs, tasks } = data;
  const of = (run: PageRun, values: Cell[] | null, task: number) => {
    const k = run.tasks.indexOf(task);
    return k < 0 ? null : (values?.[k] ?? null);
  };
  const name = (task: number) => [swatch(stroke(task).colour, stroke(task).dash), tasks[task]!];
  const losses = selected.map((task) =>
    row(
      name(task),
      runs.map((run) => of(run, run.finalLosses, task)),
      { markLowest: true },
    ),
  );
  const mean = row(['mean over all tasks'], runs.map(meanLoss), { markLowest: true });
  mean.className = 'total';
  const weights = selected.map((task) =>
    row(
      name(task),
      runs.map((run) => of(run, run.finalWeights, task)),
      {},
    ),
  );
  return [
    finalPart(runs, 'held-out loss', [...losses, mean]),
    finalPart(runs, 'weight', [...weights, ...costRows(runs)]),
  ];
}

function finalPart(runs: readonly PageRun[], title: string, rows: HTMLElement[]): HTMLElement {
  return element(
    'table',
    { class: 'final' },
    element(
      'thead',
      {},
      element(
        'tr',
        {},
        element('th', { scope: 'col', class: 'kind' }, title),
        ...runs.map(({ name }) => element('th', { scope: 'col', class: 'number' }, name)),
      ),
    ),
    element('tbody', {}, ...rows),
  );
}

function row(
  head: (Node | string)[],
  values: Cell[],
  { markLowest = false }: { markLowest?: boolean },
): HTMLElement {
  const known = values.filter((value) => value !== null);
  const lowest = markLowest && known.length > 1 ? Math.min(...known) : null;
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, ...head),
    ...values.map((value) => {
      const text = fixed(value, 4);
      const shown =
        value !== null && value === lowest ? element('b', { title: 'lowest of the row' }, text) : text;
      return element('td', { class: 'number' }, shown);
    }),
  );
}

const isCostKnown = (runs: readonly PageRun[]) => runs.some(({ mixingShare }) => mixingShare !== null);

function costRows(runs: readonly PageRun[]): HTMLElement[] {
  if (!isCostKnown(runs)) return [];
  const line = (title: string, text: (run: PageRun) => string) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, title),
      ...runs.map((run) => element('td', { class: 'number' }, text(run))),
    );
  const lines = [
    line('measuring and updating, share of all time', ({ mixingShare }) =>
      mixingShare === null ? '–' : percent(mixingShare),
    ),
    line('measuring and updating, ms per update', ({ mixingSecondsPerUpdate: seconds }) =>
      seconds === null ? '–' : format(Number((1000 * seconds).toPrecision(3))),
    ),
  ];
  lines[0]!.className = 'total';
  return lines;
}

function meanLoss({ finalLosses }: PageRun): Cell {
  if (!finalLosses || finalLosses.some((loss) => loss === null)) return null;
  return (finalLosses as number[]).reduce((sum, loss) => sum + loss, 0) / finalLosses.length;
}

function fixed(value: Cell, digits: number): string {
  if (value === null) return '–';
  const size = Math.abs(value);
  if (size !== 0 && (size < 10 ** -digits || size >= 1e5)) return format(value);
  return minus(value.toFixed(digits));
}

function finalCsv({ runs, tasks }: PageData) {
  return {
    name: 'final',
    columns: ['run', 'task', 'step_of_loss', 'held_out_loss', 'weight'],
    rows: runs.flatMap((run) =>
      run.tasks.map((task, k) => [
        run.name,
        tasks[task]!,
        run.finalLossStep,
        run.finalLosses?.[k] ?? null,
        run.finalWeights?.[k] ?? null,
      ]),
    ),
  };
}

/** A row per option; those that differ between runs come first and are marked. */
export function optionsSection({ runs }: PageData): HTMLElement {
  const names = [...new Set(runs.flatMap(({ options }) => Object.keys(options)))];
  const differs = (name: string) => new Set(runs.map(({ options }) => options[name])).size > 1;
  const rows = [...names.filter(differs), ...names.filter((name) => !differs(name))].map((name) =>
    differs(name)
      ? element(
          'tr',
          { class: 'differs' },
          element('th', { scope: 'row' }, name, element('span', { class: 'mark' }, 'differs')),
          ...runs.map(({ options }) => element('td', {}, options[name] ?? '–')),
        )
      : element(
          'tr',
          {},
          element('th', { scope: 'row' }, name),
          element('td', { colspan: runs.length }, runs[0]!.options[name] ?? '–'),
        ),
  );
  const endings = [...new Set(runs.flatMap(({ ending }) => Object.keys(ending)))].map((name) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, `at the end: ${name}`),
      ...runs.map(({ ending }) => element('td', {}, ending[name] ?? '–')),
    ),
  );
  return element(
    'section',
    { id: 'options', 'aria-labelledby': 'options-title' },
    element('div', { class: 'section-head' }, element('h2', { id: 'options-title' }, 'Options')),
    element(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-labelledby': 'options-title' },
      element(
        'table',
        { class: 'options' },
        element(
          'thead',
          {},
          element(
            'tr',
            {},
            element('th', { scope: 'col' }, 'option'),
            ...runs.map(({ name }) => element('th', { scope: 'col' }, name)),
          ),
        ),
        element('tbody', {}, ...rows, ...endings),
      ),
    ),
    element(
      'p',
      { class: 'caption' },
      element('b', {}, 'Table 2. '),
      `Options of the mixer, defaults filled in, and what else the logs say of their runs.${
        runs.length > 1 ? ' What differs between runs stands first.' : ''
      }`,
    ),
  );
}
