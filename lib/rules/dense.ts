/**
 * The few loops over rows of dense matrices that everything about the Gramian is made of. native/math/dense.h has the
 * same sums in the same order, so that both give the same bits. All matrices are square and row-major.
 */

/** sum_i a[i] b[i] over `length` entries, in four running sums, which do not wait for each other. */
export function dot(
  a: Float64Array,
  aFirst: number,
  b: Float64Array,
  bFirst: number,
  length: number,
): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const whole = length & ~3;
  let i = 0;
  for (; i < whole; i += 4) {
    s0 += a[aFirst + i] * b[bFirst + i];
    s1 += a[aFirst + i + 1] * b[bFirst + i + 1];
    s2 += a[aFirst + i + 2] * b[bFirst + i + 2];
    s3 += a[aFirst + i + 3] * b[bFirst + i + 3];
  }
  for (; i < length; i++) s0 += a[aFirst + i] * b[bFirst + i];
  return s0 + s1 + (s2 + s3);
}

/** y ← y + factor·x over `length` entries of different rows. Four at a time: that is a fifth faster. */
export function addMultiple(
  y: Float64Array,
  yFirst: number,
  factor: number,
  x: Float64Array,
  xFirst: number,
  length: number,
): void {
  const whole = length & ~3;
  let i = 0;
  for (; i < whole; i += 4) {
    const to = yFirst + i;
    const from = xFirst + i;
    const y0 = y[to] + factor * x[from];
    const y1 = y[to + 1] + factor * x[from + 1];
    const y2 = y[to + 2] + factor * x[from + 2];
    const y3 = y[to + 3] + factor * x[from + 3];
    y[to] = y0;
    y[to + 1] = y1;
    y[to + 2] = y2;
    y[to + 3] = y3;
  }
  for (; i < length; i++) y[yFirst + i] += factor * x[xFirst + i];
}
