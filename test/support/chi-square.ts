/**
 * How far counts are from equal, as the normal deviate of the same probability as their chi-square (Wilson and Hilferty
 * 1931). Within ±4 for a fair draw, all but some in ten thousand; far below −4 is as suspect as far above 4.
 */
export function chiSquareDeviation(counts: ArrayLike<number>, freedom = counts.length - 1): number {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i];
  const expected = total / counts.length;
  let sum = 0;
  for (let i = 0; i < counts.length; i++) sum += (counts[i] - expected) ** 2 / expected;
  const variance = 2 / (9 * freedom);
  return (Math.cbrt(sum / freedom) - (1 - variance)) / Math.sqrt(variance);
}
