/** Figures out of repeated timings. */
export interface Timing {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** @param values at least one */
export function timing(values: readonly number[]): Timing {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), count: values.length };
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return Number.isInteger(middle) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[Math.floor(middle)];
}

/** Median of the ratios of what was timed one after the other. */
export function medianRatio(numerators: readonly number[], denominators: readonly number[]): number {
  return median(numerators.map((x, i) => x / denominators[i]));
}

/**
 * The rate at which memory was read and written, as a share of that of a copy timed beside it.
 *
 * @param bytes read and written by what is timed, in each run
 * @param milliseconds of each run
 * @param copied bytes that the copy beside each run moved: read once and written once
 * @param copyMilliseconds of the copy beside each run
 */
export function shareOfCopy(
  bytes: number,
  milliseconds: readonly number[],
  copied: number,
  copyMilliseconds: readonly number[],
): number {
  return (bytes / (2 * copied)) * medianRatio(copyMilliseconds, milliseconds);
}
