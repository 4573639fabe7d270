/** Numbers and values in words, for the summary and the table of options. */

const LONGEST_VALUE = 240;

export function number(value: number, digits = 4): string {
  return String(Number(value.toPrecision(digits))).replace('-', '−');
}

/** "1 step", "2,000 steps". */
export function counted(count: number, what: string): string {
  return `${count.toLocaleString('en-US')} ${what}${count === 1 ? '' : 's'}`;
}

export function percent(share: number): string {
  return `${number(100 * share, 2)} %`;
}

export function duration(seconds: number): string {
  if (seconds < 0.001) return `${number(seconds * 1e6, 3)} µs`;
  if (seconds < 1) return `${number(seconds * 1e3, 3)} ms`;
  if (seconds < 120) return `${number(seconds, 3)} s`;
  if (seconds < 7200) return `${number(seconds / 60, 3)} min`;
  return `${number(seconds / 3600, 3)} h`;
}

/** Anything of a log as one line. */
export function inWords(value: unknown): string {
  const text =
    typeof value === 'string'
      ? value
      : typeof value === 'number'
        ? number(value, 6)
        : Array.isArray(value)
          ? value.map(inWords).join(', ')
          : String(JSON.stringify(value));
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}

/** `record` as lines, with `prefix` before its names. */
export function entriesInWords(record: object, prefix = ''): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [prefix + name, inWords(value)]),
  );
}
