/** One panel of a figure: a plot of one run, with a heading, which can be read. */
import * as Plot from '@observablehq/plot';
import { element } from './dom.js';
import { makeReadable, type Places, type Reading } from './reading.js';

export interface Panel {
  title: string;
  /** What a screen reader calls it. */
  label: string;
  height: number;
  /** Why there is nothing to draw. */
  empty: string | null;
  /** Space for ticks and for labels of lines, in pixels. */
  marginLeft?: number;
  marginRight?: number;
  x: Plot.ScaleOptions;
  y: Plot.ScaleOptions;
  marks(width: number): Plot.Markish[];
  reading: Reading;
}

const marginTop = 8;
const marginBottom = 36;

/** The panel, drawn, `width` pixels wide. */
export function drawPanel(panel: Panel, width: number): HTMLElement {
  const heading = element('h4', { title: panel.title }, panel.title);
  if (panel.empty)
    return element('div', { class: 'panel' }, heading, element('p', { class: 'empty' }, panel.empty));
  const { marginLeft = 44, marginRight = 10 } = panel;
  const plot = Plot.plot({
    width,
    height: panel.height,
    marginTop,
    marginBottom,
    marginLeft,
    marginRight,
    x: panel.x,
    y: panel.y,
    color: { type: 'identity' },
    r: { type: 'identity' },
    marks: panel.marks(width),
  }) as SVGSVGElement & Plot.Plot;
  plot.setAttribute('aria-hidden', 'true');
  const [first = 0, last = 0] = panel.x.domain as number[];
  const frame = element(
    'div',
    {
      class: 'frame',
      role: 'slider',
      tabindex: 0,
      'aria-label': `${panel.label}. Arrow keys read the numbers off.`,
      'aria-valuemin': first,
      'aria-valuemax': last,
      'aria-valuenow': last,
    },
    plot,
  );
  makeReadable(frame, panel.reading, placesOf(plot, panel), width);
  return element('div', { class: 'panel' }, heading, frame);
}

function placesOf(plot: Plot.Plot, panel: Panel): Places {
  const x = plot.scale('x')!;
  const y = plot.scale('y')!;
  const half = (y.bandwidth ?? 0) / 2;
  return {
    x: (step) => x.apply(step),
    step: (at) => x.invert!(at),
    lane:
      panel.reading.lanes.length > 1 || y.type === 'band' || y.type === 'point'
        ? (lane) => y.apply(lane) + half
        : null,
    top: marginTop,
    bottom: panel.height - marginBottom,
  };
}

/** Ticks of a number axis: 20k, and never 100m for a tenth. */
export function tick(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text =
    size >= 1e15 || size < 1e-4
      ? value.toExponential().replace('e+', 'e')
      : size >= 1e9
        ? `${round(value / 1e9)}G`
        : size >= 1e6
          ? `${round(value / 1e6)}M`
          : size >= 1e4
            ? `${round(value / 1e3)}k`
            : String(round(value));
  return text.replaceAll('-', '−');
}

function round(value: number): number {
  return Number(value.toPrecision(6));
}

/** For a logarithmic axis: round numbers, as many as stay apart. */
export function logTicks([low, high]: readonly number[], most: number): number[] {
  const decades = Math.log10(high! / low!);
  const steps =
    decades < 0.5
      ? [1, 1.5, 2, 3, 4, 5, 6, 8]
      : decades < most / 3
        ? [1, 2, 5]
        : decades < most / 2
          ? [1, 3]
          : [1];
  const stride = Math.max(1, Math.ceil(decades / most));
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low!)); power <= Math.log10(high!); power++)
    if (steps.length > 1 || power % stride === 0)
      for (const step of steps) ticks.push(Number(`${step}e${power}`));
  return ticks.filter((value) => value >= low! && value <= high!);
}

/** The lines behind every plot of numbers over steps, and its ticks. */
export function axes(width: number, height: number, y: Plot.ScaleOptions = {}): Plot.Markish[] {
  const most = Math.max(2, Math.round((height - marginTop - marginBottom) / 38));
  const ticks = y.type === 'log' ? logTicks(y.domain as number[], most) : most;
  return [
    stepAxis(width),
    Plot.gridY({ stroke: 'var(--grid)', strokeOpacity: 1, ticks }),
    Plot.axisY({ ticks, tickFormat: tick, tickSize: 0, label: null, color: 'var(--soft)' }),
  ];
}

export function stepAxis(width: number): Plot.Markish {
  return Plot.axisX({
    ticks: Math.max(2, Math.floor(width / 90)),
    tickFormat: tick,
    tickSize: 4,
    label: 'step',
    labelAnchor: 'right',
    labelArrow: 'none',
    labelOffset: 32,
    color: 'var(--soft)',
  });
}

export interface EndLabel {
  text: string;
  colour: string;
  /** In data units. */
  y: number;
}

/** Labels at the right end of lines, pushed apart where they would lie on each other. */
export function endLabels(
  labels: readonly EndLabel[],
  x: number,
  y: Plot.ScaleOptions,
  height: number,
): Plot.Markish[] {
  if (labels.length === 0) return [];
  const [top, bottom] = [marginTop, height - marginBottom];
  const scale = Plot.scale({ y: { ...y, range: [bottom, top] } } as Plot.PlotOptions)!;
  const placed = labels
    .map((label) => ({ ...label, at: scale.apply(label.y) as number, want: scale.apply(label.y) as number }))
    .filter(({ at }) => Number.isFinite(at))
    .sort((a, b) => a.at - b.at);
  pushApart(placed, 12, top + 4, bottom);
  return placed.map(({ text, colour, at, want, y: value }) =>
    Plot.text([value], {
      x: () => x,
      y: (v: number) => v,
      dx: 6,
      dy: at - want,
      text: () => text,
      textAnchor: 'start',
      fill: colour,
      className: 'end-label',
    }),
  );
}

/** Moves what is sorted by `at` so that neighbours are `gap` apart, as far as there is room between `top` and `bottom`. */
export function pushApart(placed: { at: number }[], gap: number, top: number, bottom: number): void {
  const step = Math.min(gap, (bottom - top) / Math.max(1, placed.length - 1));
  let least = top;
  for (const label of placed) {
    label.at = Math.max(label.at, least);
    least = label.at + step;
  }
  let most = bottom;
  for (const label of [...placed].reverse()) {
    label.at = Math.min(label.at, most);
    most = label.at - step;
  }
}
