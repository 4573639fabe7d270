/** What a part of the bench has found, and how it is shown. */

export interface Check {
  readonly what: string;
  /** What came out, and what was promised, in words. */
  readonly found: string;
  readonly promised: string;
  readonly kept: boolean;
}

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface PartReport {
  readonly checks: readonly Check[];
  readonly tables: readonly Table[];
  /** What was not done, and why; whatever else a reader must know. A line each. */
  readonly notes: readonly string[];
  /** All figures behind the tables, for the JSON file. */
  readonly data: unknown;
}

export function partReport(found: Partial<PartReport>): PartReport {
  return { checks: [], tables: [], notes: [], data: null, ...found };
}

export const broken = (report: PartReport): Check[] => report.checks.filter((check) => !check.kept);

/** A check that `value` stays below `limit`. NaN never does. */
export function below(what: string, value: number, limit: number): Check {
  return { what, found: short(value), promised: `< ${short(limit)}`, kept: value < limit };
}

/** A check that `value` reaches `limit`. NaN never does. */
export function atLeast(what: string, value: number, limit: number): Check {
  return { what, found: short(value), promised: `>= ${short(limit)}`, kept: value >= limit };
}

/** Three digits, and an exponent where that is shorter. */
export function short(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  const size = Math.abs(value);
  return size >= 1e-2 && size < 1e5 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}

/** As '93.4 %'; '-' where there is no number. */
export const percent = (share: number) => (Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : '-');

export function formatReport(name: string, report: PartReport): string {
  const failed = broken(report);
  const verdict = `${report.checks.length - failed.length} of ${report.checks.length} promises kept`;
  return [
    `== ${name}${report.checks.length > 0 ? `: ${verdict}` : ''}`,
    ...report.tables.map(formatTable),
    ...failed.map(({ what, found, promised }) => `BROKEN: ${what}: ${found}, promised ${promised}`),
    ...report.notes,
    '',
  ].join('\n');
}

/** Columns of numbers end at the same place, others begin there. */
export function formatTable({ title, head, rows }: Table): string {
  const columns = head.map((name, c) => {
    const cells = rows.map((row) => row[c] ?? '');
    const numbers = c > 0 && cells.every((cell) => /^([-(]?\d.*|-|)$/.test(cell));
    return { numbers, width: Math.max(...[name, ...cells].map((cell) => cell.length)) };
  });
  const line = (cells: readonly string[]) =>
    columns
      .map(({ numbers, width }, c) =>
        numbers ? (cells[c] ?? '').padStart(width) : (cells[c] ?? '').padEnd(width),
      )
      .join('  ')
      .trimEnd();
  return [title, line(head), ...rows.map(line)].filter((text) => text !== '').join('\n');
}
