/** What a figure of the report is, and what it is drawn with. */
import type { PageData } from '../page-data.js';
import type { Csv } from './csv.js';
import type { Stroke, Theme } from './palette.js';
import type { Panel } from './panel.js';

export type Scale = 'linear' | 'log';

export interface Context {
  data: PageData;
  /** Positions in `data.tasks` of those drawn in colour, in the order of their ranks. */
  selected: readonly number[];
  stroke(task: number): Stroke;
  theme: Theme;
  /** Of the figure's numbers. */
  scale: Scale;
  /** Narrow pages have no room for labels beside lines. */
  narrow: boolean;
}

/** Panels that stand side by side, a run each, with common axes. */
export interface Group {
  /** What the panels show, with the unit. */
  title: string;
  /** A colour before the title. */
  stroke?: Stroke;
  panels: Panel[];
}

export interface Chart {
  id: string;
  title: string;
  /** How to read it, units included. */
  caption(context: Context): string;
  /** Which scale it has at first, where it can have either. */
  scale?: Scale;
  groups(context: Context): Group[];
  csv(data: PageData): Csv;
  /** More to see below the panels, such as a key of colours. */
  below?(context: Context): HTMLElement[];
}
