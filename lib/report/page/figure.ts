/** A figure: panels in a grid as wide as the page allows, a caption, and buttons for the axis and the numbers. */
import type { Chart, Context, Group, Scale } from './chart.js';
import { download } from './csv.js';
import { element, swatch } from './dom.js';
import { drawPanel, type Panel } from './panel.js';

const gap = 20;
const leastWidth = 270;

export class Figure {
  readonly node: HTMLElement;
  readonly #chart: Chart;
  readonly #body = element('div', { class: 'panels' });
  readonly #caption: HTMLElement;
  readonly #below = element('div', { class: 'below' });
  readonly #number: number;
  #scale: Scale;

  /** @param redraw called when the reader chooses another axis */
  constructor(chart: Chart, number: number, context: () => Context, redraw: () => void) {
    this.#chart = chart;
    this.#number = number;
    this.#scale = chart.scale ?? 'linear';
    this.#caption = element('figcaption', { id: `${chart.id}-caption` });
    const save = element(
      'button',
      { type: 'button', 'aria-label': `Download the numbers of ${chart.title} as CSV` },
      'CSV',
    );
    save.addEventListener('click', () => download(chart.csv(context().data)));
    this.node = element(
      'section',
      { id: chart.id, 'aria-labelledby': `${chart.id}-title` },
      element(
        'div',
        { class: 'section-head' },
        element('h2', { id: `${chart.id}-title` }, chart.title),
        element('div', { class: 'tools' }, ...(chart.scale ? [this.#scaleButtons(redraw)] : []), save),
      ),
      element(
        'figure',
        { 'aria-describedby': `${chart.id}-caption` },
        this.#body,
        this.#below,
        this.#caption,
      ),
    );
  }

  draw(given: Context, width: number): void {
    const context = { ...given, scale: this.#scale };
    const groups = this.#chart.groups(context);
    this.#body.replaceChildren(...layout(groups, context.data.runs.length, width));
    this.#below.replaceChildren(...(this.#chart.below?.(context) ?? []));
    this.#caption.replaceChildren(element('b', {}, `Figure ${this.#number}. `), this.#chart.caption(context));
  }

  #scaleButtons(redraw: () => void): HTMLElement {
    const buttons = (['linear', 'log'] as const).map((scale) => {
      const button = element(
        'button',
        { type: 'button', 'aria-pressed': String(scale === this.#scale), 'data-scale': scale },
        scale,
      );
      button.addEventListener('click', () => {
        this.#scale = scale;
        for (const other of buttons) other.setAttribute('aria-pressed', String(other === button));
        redraw();
      });
      return button;
    });
    return element('span', { class: 'choice', role: 'group', 'aria-label': 'Vertical axis' }, ...buttons);
  }
}

/**
 * A row of panels per group, a panel per run. Panels without numbers say so in a line instead; where a row would be left with
 * one panel only, groups share their rows.
 */
function layout(groups: readonly Group[], runs: number, width: number): HTMLElement[] {
  const drawn = groups.map(({ panels }) => panels.filter(({ empty }) => !empty));
  const single = drawn.every(({ length }) => length <= 1);
  const columns = columnsFor(single ? groups.length : Math.max(...drawn.map(({ length }) => length)), width);
  const size = Math.floor((width - gap * (columns - 1)) / columns);
  if (single) {
    const panels = groups.flatMap((group, i) =>
      drawn[i]!.map((panel) => {
        const name = runs > 1 ? `${group.title} · ${panel.title}` : group.title;
        return drawAlone(panel, name, size, group);
      }),
    );
    return [...(panels.length > 0 ? [grid(panels, columns)] : []), ...whyEmpty(groups)];
  }
  return groups.flatMap((group, i) => [
    element('h3', {}, ...(group.stroke ? [swatch(group.stroke.colour, group.stroke.dash)] : []), group.title),
    ...(drawn[i]!.length > 0
      ? [
          grid(
            drawn[i]!.map((panel) => drawPanel(panel, size)),
            columns,
          ),
        ]
      : []),
    ...whyEmpty([group]),
  ]);
}

function drawAlone(panel: Panel, title: string, size: number, { stroke }: Group): HTMLElement {
  const made = drawPanel({ ...panel, title }, size);
  if (stroke) made.querySelector('h4')!.prepend(swatch(stroke.colour, stroke.dash));
  return made;
}

function grid(panels: HTMLElement[], columns: number): HTMLElement {
  const made = element('div', { class: 'grid' }, ...panels);
  made.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  return made;
}

/** As many columns as fit, without a last row of one where that can be helped. */
function columnsFor(panels: number, width: number): number {
  const fit = Math.max(1, Math.min(panels, Math.floor((width + gap) / (leastWidth + gap))));
  const rows = Math.ceil(panels / fit);
  return Math.max(1, Math.ceil(panels / rows));
}

/** One line for all panels that are empty for the same reason. */
function whyEmpty(groups: readonly Group[]): HTMLElement[] {
  const reasons = new Map<string, Set<string>>();
  let all = true;
  for (const { panels } of groups)
    for (const { empty, title } of panels) {
      if (!empty) all = false;
      else reasons.set(empty, (reasons.get(empty) ?? new Set()).add(title));
    }
  const lines = [...reasons].map(
    ([reason, names]) => `Nothing to draw of ${[...names].join('; ')}: ${reason}.`,
  );
  if (lines.length === 0) return [];
  return [
    element('div', { class: all ? 'empty all' : 'empty' }, ...lines.map((line) => element('p', {}, line))),
  ];
}
