/** Small helpers for elements. Text is only ever set as text, so nothing that a log says can become markup. */

type Attributes = Record<string, string | number | boolean>;
type Child = Node | string;

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false) continue;
    made.setAttribute(key, value === true ? '' : String(value));
  }
  made.append(...children);
  return made;
}

/** A sample of a line as the task is drawn. */
export function swatch(colour: string, dash: string): SVGSVGElement {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('class', 'swatch');
  svg.setAttribute('width', '18');
  svg.setAttribute('height', '10');
  svg.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS(space, 'line');
  for (const [key, value] of Object.entries({ x1: 1, x2: 17, y1: 5, y2: 5, 'stroke-dasharray': dash }))
    line.setAttribute(key, String(value));
  line.style.stroke = colour;
  svg.append(line);
  return svg;
}

/** A number as a reader wants it: six significant digits, no zeros that say nothing. */
export function format(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4)
    return minus(
      value
        .toExponential(3)
        .replace(/\.?0+e/, 'e')
        .replace('e+', 'e'),
    );
  return minus(String(Number(value.toPrecision(6))));
}

export function minus(text: string): string {
  return text.replace(/^-/, '−');
}

/** With thousands set apart. */
export function whole(value: number): string {
  return minus(value.toLocaleString('en-US'));
}

export function percent(share: number): string {
  return `${format(Number((100 * share).toPrecision(3)))} %`;
}

/** Long names are cut in the middle: both ends tell them apart. */
export function shorten(text: string, length: number): string {
  if (text.length <= length) return text;
  const front = Math.ceil((length - 1) * 0.6);
  return `${text.slice(0, front)}…${text.slice(text.length - (length - 1 - front))}`;
}
