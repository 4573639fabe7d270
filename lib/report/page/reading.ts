/**
 * Reading numbers off a panel: with a mouse, a finger or the arrow keys. The frame of a panel is a slider, so that screen
 * readers speak what is read.
 */
import { element, shorten, swatch } from './dom.js';
import type { Stroke } from './palette.js';

export interface ReadoutRow {
  label: string;
  value: string;
  stroke?: Stroke;
}

export interface Readout {
  title: string;
  rows: ReadoutRow[];
}

/** What a panel can be asked: numbers stand at steps, along one lane ('') or several (rows of a heat map). */
export interface Reading {
  lanes: readonly string[];
  /** Ascending. */
  steps(lane: string): readonly number[];
  read(lane: string, index: number): Readout;
}

/** From steps and lanes to pixels in the frame and back. */
export interface Places {
  x(step: number): number;
  step(x: number): number;
  /** Middle of a lane; null for panels of one lane. */
  lane: ((lane: string) => number) | null;
  top: number;
  bottom: number;
}

export function nearest(steps: readonly number[], step: number): number {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle]! < step) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return 0;
  return low < steps.length && steps[low]! - step < step - steps[low - 1]! ? low : low - 1;
}

/** Makes `frame` answer; gives back what clears it. */
export function makeReadable(
  frame: HTMLElement,
  reading: Reading,
  places: Places,
  width: number,
): () => void {
  const hair = element('div', { class: 'hair', hidden: true, 'aria-hidden': 'true' });
  const box = element('div', { class: 'readout', hidden: true, 'aria-hidden': 'true' });
  frame.append(hair, box);
  const lanes = reading.lanes.filter((lane) => reading.steps(lane).length > 0);
  let at: { lane: string; index: number } | null = null;

  const clear = () => {
    hair.hidden = box.hidden = true;
    at = null;
  };
  const show = (lane: string, index: number) => {
    at = { lane, index };
    const step = reading.steps(lane)[index]!;
    const { title, rows } = reading.read(lane, index);
    box.replaceChildren(
      element('div', { class: 'readout-title' }, title),
      element('table', {}, ...rows.map(line)),
    );
    frame.setAttribute('aria-valuenow', String(step));
    frame.setAttribute(
      'aria-valuetext',
      [title, ...rows.map(({ label, value }) => `${label} ${value}`)].join('; '),
    );
    hair.hidden = box.hidden = false;
    const x = places.x(step);
    hair.style.left = `${x}px`;
    const middle = places.lane?.(lane);
    hair.style.top = `${middle === undefined ? places.top : middle - 6}px`;
    hair.style.height = `${middle === undefined ? places.bottom - places.top : 12}px`;
    const size = box.offsetWidth;
    const left = x + 12 + size <= width ? x + 12 : x - 12 - size;
    box.style.left = `${Math.max(0, Math.min(left, width - size))}px`;
    // Below the lane that is read, so as not to cover it.
    box.style.top = `${middle === undefined ? places.top + 4 : middle + 12}px`;
  };

  const point = (event: PointerEvent) => {
    const { left, top } = frame.getBoundingClientRect();
    const y = event.clientY - top;
    const far = (lane: string) => Math.abs(places.lane!(lane) - y);
    const lane = places.lane ? lanes.reduce((a, b) => (far(b) < far(a) ? b : a)) : lanes[0]!;
    show(lane, nearest(reading.steps(lane), places.step(event.clientX - left)));
  };
  frame.addEventListener('pointermove', point);
  frame.addEventListener('pointerdown', point);
  frame.addEventListener('pointerleave', (event) => {
    // A finger that leaves the glass has not gone elsewhere: the numbers stay until something else is touched.
    if (event.pointerType !== 'touch') clear();
  });
  frame.addEventListener('blur', clear);
  frame.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') return clear();
    const moved = moveByKey(event, reading, lanes, at);
    if (!moved) return;
    event.preventDefault();
    show(moved.lane, moved.index);
  });
  return clear;
}

function moveByKey(
  { key, shiftKey }: KeyboardEvent,
  reading: Reading,
  lanes: readonly string[],
  at: { lane: string; index: number } | null,
): { lane: string; index: number } | null {
  const lane = at?.lane ?? lanes[0]!;
  const steps = reading.steps(lane);
  const stride = shiftKey ? 10 : 1;
  const index = at?.index ?? -1;
  const within = (i: number) => Math.max(0, Math.min(steps.length - 1, i));
  if (key === 'ArrowRight') return { lane, index: within(index + stride) };
  if (key === 'ArrowLeft') return { lane, index: within(index - stride) };
  if (key === 'Home') return { lane, index: 0 };
  if (key === 'End') return { lane, index: steps.length - 1 };
  if ((key === 'ArrowDown' || key === 'ArrowUp') && lanes.length > 1) {
    const next = lanes[lanes.indexOf(lane) + (key === 'ArrowDown' ? 1 : -1)] ?? lane;
    return { lane: next, index: nearest(reading.steps(next), steps[within(index)]!) };
  }
  return null;
}

/** Event texts are longer, and have the line to themselves. */
const longestLabel = 44;

function line({ label, value, stroke }: ReadoutRow): HTMLElement {
  return element(
    'tr',
    {},
    element(
      'th',
      { scope: 'row' },
      ...(stroke ? [swatch(stroke.colour, stroke.dash)] : []),
      value === '' ? label : shorten(label, longestLabel),
    ),
    element('td', {}, value),
  );
}
