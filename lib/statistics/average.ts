/** What is remembered of an average over updates; smoothing.ts says how it moves. */

/** Averages of a list of numbers, as plain JSON. `known[i]` is false while entry i never had an estimate. */
export interface Average {
  /** Weighted sums of the estimates. */
  numerator: number[];
  /** Sums of their weights. */
  denominator: number[];
  /** The average; 0 while it is not known. */
  estimate: number[];
  /** Whether there ever was an estimate. */
  known: boolean[];
}

export function emptyAverage(length: number): Average {
  const zeros = () => new Array<number>(length).fill(0);
  return {
    numerator: zeros(),
    denominator: zeros(),
    estimate: zeros(),
    known: new Array<boolean>(length).fill(false),
  };
}
