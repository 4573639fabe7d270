/** Tables for a terminal: columns that line up, nothing else, so that they can be cut and sorted by other programs. */
import Table from 'cli-table3';
import { printable } from './text.js';

const NO_LINES = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left']
    .concat(['left-mid', 'mid', 'mid-mid', 'right', 'right-mid'])
    .map((name) => [name, '']),
);

/** @param numbers indices of columns that are aligned to the right */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: readonly number[] = [],
): string {
  const laidOut = new Table({
    head: head.map(printable),
    chars: { ...NO_LINES, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((_, i) => (numbers.includes(i) ? 'right' : 'left')),
  });
  laidOut.push(...rows.map((row) => row.map(printable)));
  return laidOut.toString().replace(/ +$/gm, '') + '\n';
}

/** Three digits, in the shorter of the usual forms. */
export function short(x: number): string {
  if (!Number.isFinite(x)) return String(x);
  if (x === 0) return '0';
  return Math.abs(x) >= 0.01 && Math.abs(x) < 1e5 ? String(Number(x.toPrecision(3))) : x.toExponential(1);
}
