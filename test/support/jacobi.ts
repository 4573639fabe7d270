/**
 * Eigenvalues by Jacobi's rotations, and what follows from them: slow, plain, and of nothing in common with what it is
 * held against.
 */

/** Eigenvalues of a symmetric matrix, and its eigenvectors as columns. */
export function jacobi(matrix: readonly (readonly number[])[]): { values: number[]; vectors: number[][] } {
  const n = matrix.length;
  const a = matrix.map((row) => [...row]);
  const v = a.map((_, i) => a.map((_, j) => Number(i === j)));
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off = Math.max(off, Math.abs(a[p][q]));
    if (off === 0) break;
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        if (a[p][q] === 0) continue;
        const angle = Math.atan2(2 * a[p][q], a[q][q] - a[p][p]) / 2;
        const c = Math.cos(angle);
        const s = Math.sin(angle);
        for (const row of [...a, ...v]) [row[p], row[q]] = [c * row[p] - s * row[q], s * row[p] + c * row[q]];
        for (let k = 0; k < n; k++)
          [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
        a[p][q] = a[q][p] = 0;
      }
  }
  return { values: a.map((row, i) => row[i]), vectors: v };
}

/** The matrix with its negative eigenvalues set to 0, row-major, and the Frobenius norm of the change. */
export function psdPart(inner: ArrayLike<number>, n: number): { matrix: Float64Array; change: number } {
  const rows = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => inner[i * n + j]));
  const { values, vectors } = jacobi(rows);
  const matrix = new Float64Array(n * n);
  values.forEach((value, e) => {
    if (value > 0)
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) matrix[i * n + j] += value * vectors[i][e] * vectors[j][e];
  });
  const change = Math.sqrt(values.reduce((sum, value) => sum + Math.min(0, value) ** 2, 0));
  return { matrix, change };
}
