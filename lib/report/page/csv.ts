/** Tables for other programs: a row per number, as RFC 4180 has it. */

export type CsvCell = string | number | null;

export interface Csv {
  name: string;
  columns: readonly string[];
  rows: Iterable<readonly CsvCell[]>;
}

/** Numbers come as JavaScript prints them: the shortest digits that read back as the same double. */
export function csvText({ columns, rows }: Csv): string {
  const lines = [columns.map(field).join(',')];
  for (const row of rows) lines.push(row.map(field).join(','));
  return lines.join('\r\n') + '\r\n';
}

function field(value: CsvCell): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  // A leading = + - @ would be run as a formula by a spreadsheet.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Hands the table to the browser as a file, without any server. */
export function download(csv: Csv): void {
  const url = URL.createObjectURL(new Blob([csvText(csv)], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${csv.name}.csv`;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
