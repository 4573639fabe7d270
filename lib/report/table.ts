/** Tables of the page, thinned where a log has more rows than a page can hold. */
import type { Cell, Quantity, Table } from './page-data.js';

/** What a quantity of a table is: how many series, and the number in a row of the log. */
export interface Source<Row> {
  series: number;
  at(row: Row, series: number): number | null | undefined;
}

/**
 * At most `rows` rows, as they are. A longer log is cut into a third as many buckets of equally many rows, of which mean,
 * smallest and largest are kept, to six digits; nulls are left out of them, and a bucket of nothing else is null.
 *
 * @param log the rows, `length` in all; each is used only until the next is asked for
 */
export function tableOf<Row extends { readonly step: number }, Name extends string>(
  log: Iterable<Row>,
  length: number,
  sources: Record<Name, Source<Row>>,
  rows: number,
): Table<Name> {
  const per = length <= rows ? 1 : Math.ceil(length / Math.max(1, Math.floor(rows / 3)));
  const names = Object.keys(sources) as Name[];
  const columns = names.map((name) => new Columns(sources[name], per > 1));
  const step: number[] = [];
  let inBucket = 0;
  let last = 0;
  const close = () => {
    step.push(last);
    for (const column of columns) column.close();
    inBucket = 0;
  };
  for (const row of log) {
    for (const column of columns) column.take(row);
    last = row.step;
    if (++inBucket === per) close();
  }
  if (inBucket > 0) close();
  const quantities = Object.fromEntries(names.map((name, i) => [name, columns[i].quantity])) as Record<
    Name,
    Quantity
  >;
  return { step, per, rows: length, quantities };
}

/** One quantity while rows come in; of the bucket that is open, sums, smallest and largest numbers. */
class Columns<Row> {
  readonly quantity: Quantity;
  readonly #source: Source<Row>;
  readonly #sum: Float64Array;
  readonly #n: Int32Array;
  readonly #min: Float64Array;
  readonly #max: Float64Array;

  constructor(source: Source<Row>, thinned: boolean) {
    const { series } = source;
    const columns = (): Cell[][] => Array.from({ length: series }, () => []);
    this.#source = source;
    this.quantity = { value: columns(), min: thinned ? columns() : null, max: thinned ? columns() : null };
    this.#sum = new Float64Array(series);
    this.#n = new Int32Array(series);
    this.#min = new Float64Array(series).fill(Infinity);
    this.#max = new Float64Array(series).fill(-Infinity);
  }

  take(row: Row): void {
    const { series, at } = this.#source;
    for (let k = 0; k < series; k++) {
      const x = at(row, k);
      if (x === null || x === undefined || !Number.isFinite(x)) continue;
      this.#sum[k] += x;
      this.#n[k]++;
      if (x < this.#min[k]) this.#min[k] = x;
      if (x > this.#max[k]) this.#max[k] = x;
    }
  }

  close(): void {
    const { value, min, max } = this.quantity;
    for (let k = 0; k < this.#source.series; k++) {
      const some = this.#n[k] > 0;
      if (min && max) {
        value[k].push(some ? rounded(this.#sum[k] / this.#n[k]) : null);
        min[k].push(some ? rounded(this.#min[k]) : null);
        max[k].push(some ? rounded(this.#max[k]) : null);
      } else value[k].push(some ? this.#sum[k] : null);
    }
    this.#sum.fill(0);
    this.#n.fill(0);
    this.#min.fill(Infinity);
    this.#max.fill(-Infinity);
  }
}

function rounded(x: number): number {
  return Number(x.toPrecision(6));
}
