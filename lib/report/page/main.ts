/** The page's script: reads the data that stands in the page, and draws. */
import type { PageData } from '../page-data.js';
import type { Chart, Context } from './chart.js';
import { cosineChart } from './charts/cosines.js';
import { costChart } from './charts/cost.js';
import { countChart } from './charts/counts.js';
import { eventChart } from './charts/events.js';
import { lossChart } from './charts/losses.js';
import { statisticsChart } from './charts/statistics.js';
import { weightsChart } from './charts/weights.js';
import { element, whole } from './dom.js';
import { Figure } from './figure.js';
import { strokeOf } from './palette.js';
import { finalTable, noticesBox, optionsSection, sentences } from './tables.js';
import { TaskBar } from './task-bar.js';
import { currentTheme, themeButton } from './theme.js';

const charts: Chart[] = [
  weightsChart,
  lossChart,
  statisticsChart,
  cosineChart,
  countChart,
  eventChart,
  costChart,
];
const narrowBelow = 560;

const data = JSON.parse(document.getElementById('data')!.textContent!) as PageData;
const ranks = new Map(data.ranking.map((task, rank) => [task, rank]));
const main = document.querySelector('main')!;
let width = 0;

const bar = new TaskBar(data, (task) => strokeOf(ranks.get(task)!), draw);
const figures = charts.map((chart, i) => new Figure(chart, i + 1, context, draw));
const table = element('div');
main.replaceChildren(
  element(
    'header',
    {},
    element('h1', {}, data.title),
    element(
      'p',
      { class: 'soft' },
      `${count(data.runs.length, 'run')}, ${count(data.tasks.length, 'task')}, by pike-mixer ${data.version}`,
    ),
    themeButton(draw),
  ),
  ...noticesBox(data),
  sentences(data),
  bar.node,
  table,
  ...figures.map(({ node }) => node),
  optionsSection(data),
  element(
    'footer',
    {},
    'Numbers are read off with the pointer, a finger, or, when a panel has the focus, the arrow keys (Shift: ten at once). Figures by Observable Plot and D3; their licences stand in the source of this page.',
  ),
);

function context(): Context {
  return {
    data,
    selected: bar.selected,
    stroke: (task) => strokeOf(ranks.get(task)!),
    theme: currentTheme(),
    scale: 'linear',
    narrow: width < narrowBelow,
  };
}

function draw(): void {
  if (width === 0) return;
  const drawn = context();
  table.replaceChildren(finalTable(drawn));
  for (const figure of figures) figure.draw(drawn, width);
  document.documentElement.dataset.drawn = String(Number(document.documentElement.dataset.drawn ?? 0) + 1);
}

function count(n: number, noun: string): string {
  return `${whole(n)} ${noun}${n === 1 ? '' : 's'}`;
}

new ResizeObserver(([entry]) => {
  const now = Math.floor(entry!.contentRect.width);
  if (now === width) return;
  width = now;
  draw();
}).observe(main);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
