/** What is remembered of an average over updates; smoothing.ts says how it moves. */

/** Averages of a list of numbers, as plain JSON. `known[i]` is false while entry i never had an estimate. */
export interface Average {
  numerator: number[];
  denominator: number[];
  estimate: number[];
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
