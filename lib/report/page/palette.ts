/**
 * Colours. Those of tasks are CSS variables, which page.css gives for light and for dark; they can be told apart with any
 * common colour blindness, and beyond eight tasks dashes tell those apart that share one.
 */
const colours = 8;
const dashes = ['', '6 3', '2 3', '8 3 2 3'];

export interface Stroke {
  colour: string;
  dash: string;
}

/** How the task of this rank is drawn, everywhere on the page. */
export function strokeOf(rank: number): Stroke {
  return {
    colour: `var(--task-${(rank % colours) + 1})`,
    dash: dashes[Math.floor(rank / colours) % dashes.length]!,
  };
}

/** As many tasks as can be told apart without effort are drawn in colour at first. */
export const tasksAtFirst = 8;

export type Theme = 'light' | 'dark';

type Colour = readonly [number, number, number];
const diverging: Record<Theme, readonly [Colour, Colour, Colour]> = {
  light: [
    [178, 74, 10],
    [235, 233, 227],
    [16, 88, 150],
  ],
  dark: [
    [243, 142, 72],
    [60, 63, 69],
    [92, 172, 238],
  ],
};

/** From −1 (orange: tasks pull against each other) over 0 (the ground) to 1 (blue: they pull together). */
export function cosineColour(cosine: number, theme: Theme): string {
  const [low, middle, high] = diverging[theme];
  const t = Math.min(1, Math.abs(cosine));
  const end = cosine < 0 ? low : high;
  return `rgb(${middle.map((from, i) => Math.round(from + t * (end[i]! - from))).join(',')})`;
}
