/** One panel of a figure: a plot of one run, with a heading, which can be read. */
import * as Plot from '@observablehq/plot';
import { element } from './dom.js';
import { logTicks, pushApart, tick } from './panel-layout.js';
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
