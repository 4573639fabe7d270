/**
 * The same estimates in plain JavaScript, one thread, written as one would who wants them fast and has nothing but the
 * language: means and deviations over blocks of columns that stay in the cache, with four sums at a time, so that an
 * addition need not wait for the one before.
 */
export interface PlainStatistics {
  readonly normSquared: Float64Array;
  readonly variance: Float64Array;
  readonly inner: Float64Array | null;
}

/** Columns whose means of all tasks are held at once, if there are not too many tasks. */
const BLOCK = 1024;

type Numbers = Float32Array | Float64Array;

/** @param rows `rows[k][i]`: gradient of micro-batch i of task k, at least two per task, all of one length */
export function plainStatistics(
  rows: readonly (readonly Numbers[])[],
  samples: readonly (readonly number[])[],
  inner: boolean,
): PlainStatistics {
  const K = rows.length;
  const d = rows[0][0].length;
  const n = samples.map((task) => task.reduce((sum, s) => sum + s, 0));
  const means = rows.map(() => new Float64Array(BLOCK));
  const deviation = new Float64Array(K);
  const products = new Float64Array(K * K);
  for (let begin = 0; begin < d; begin += BLOCK) {
    const count = Math.min(BLOCK, d - begin);
    for (let k = 0; k < K; k++) {
      const mean = means[k];
      const task = rows[k];
      const [first] = task;
      const share = samples[k][0] / n[k];
      for (let j = 0; j < count; j++) mean[j] = share * first[begin + j];
      for (let i = 1; i < task.length; i++) addScaled(task[i], begin, count, samples[k][i] / n[k], mean);
      for (let i = 0; i < task.length; i++)
        deviation[k] += samples[k][i] * squaredDistance(task[i], begin, count, mean);
      products[k * K + k] += dot(mean, mean, count);
      for (let j = 0; inner && j < k; j++) products[k * K + j] += dot(mean, means[j], count);
    }
  }
  const variance = deviation.map((sum, k) => sum / (rows[k].length - 1));
  const normSquared = variance.map((sigma2, k) => products[k * K + k] - sigma2 / n[k]);
  for (let k = 0; k < K; k++) {
    products[k * K + k] = normSquared[k];
    for (let j = 0; j < k; j++) products[j * K + k] = products[k * K + j];
  }
  return { normSquared, variance, inner: inner ? products : null };
}

function addScaled(row: Numbers, begin: number, count: number, factor: number, sum: Float64Array): void {
  for (let j = 0; j < count; j++) sum[j] += factor * row[begin + j];
}

function squaredDistance(row: Numbers, begin: number, count: number, mean: Float64Array): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let e = 0;
  let j = 0;
  for (; j + 4 <= count; j += 4) {
    const p = row[begin + j] - mean[j];
    const q = row[begin + j + 1] - mean[j + 1];
    const r = row[begin + j + 2] - mean[j + 2];
    const s = row[begin + j + 3] - mean[j + 3];
    a += p * p;
    b += q * q;
    c += r * r;
    e += s * s;
  }
  for (; j < count; j++) {
    const p = row[begin + j] - mean[j];
    a += p * p;
  }
  return a + b + (c + e);
}

function dot(x: Float64Array, y: Float64Array, count: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let e = 0;
  let j = 0;
  for (; j + 4 <= count; j += 4) {
    a += x[j] * y[j];
    b += x[j + 1] * y[j + 1];
    c += x[j + 2] * y[j + 2];
    e += x[j + 3] * y[j + 3];
  }
  for (; j < count; j++) a += x[j] * y[j];
  return a + b + (c + e);
}
