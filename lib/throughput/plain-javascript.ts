/**
 * The same estimates in plain JavaScript, one thread, written as one would who wants them fast and has nothing but the
 * language: means and deviations over blocks of columns that stay in the cache, two micro-batches in one loop, and
 * several sums at a time, so that an addition need not wait for the one before.
 */
export interface PlainStatistics {
  readonly normSquared: Float64Array;
  readonly variance: Float64Array;
  readonly inner: Float64Array | null;
}

/** Columns whose means of all tasks are held at once. */
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
      const blocks = rows[k].map((row) => row.subarray(begin, begin + count));
      const mean = means[k];
      deviation[k] +=
        blocks.length === 2
          ? meanOfTwo(blocks[0], blocks[1], samples[k][0], samples[k][1], mean)
          : meanOfMany(blocks, samples[k], n[k], mean);
      for (let j = inner ? 0 : k; j <= k; j++) products[k * K + j] += dot(mean, means[j], count);
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

/** Writes the mean of two blocks of s and t samples. Returns their deviation from it. */
function meanOfTwo(x: Numbers, y: Numbers, s: number, t: number, mean: Float64Array): number {
  const share = s / (s + t);
  let even = 0;
  let odd = 0;
  let j = 0;
  // The deviations are those of a difference: s(x − m)² + t(y − m)² = (x − y)² st/(s + t).
  for (; j + 2 <= x.length; j += 2) {
    const a = x[j] - y[j];
    const b = x[j + 1] - y[j + 1];
    mean[j] = y[j] + share * a;
    mean[j + 1] = y[j + 1] + share * b;
    even += a * a;
    odd += b * b;
  }
  for (; j < x.length; j++) {
    const a = x[j] - y[j];
    mean[j] = y[j] + share * a;
    even += a * a;
  }
  return share * t * (even + odd);
}

/** The same for any number of blocks, of n samples in all. */
function meanOfMany(
  blocks: readonly Numbers[],
  samples: readonly number[],
  n: number,
  mean: Float64Array,
): number {
  mean.fill(0);
  for (let i = 0; i < blocks.length; i++) {
    const block = blocks[i];
    const share = samples[i] / n;
    for (let j = 0; j < block.length; j++) mean[j] += share * block[j];
  }
  let sum = 0;
  for (let i = 0; i < blocks.length; i++) sum += samples[i] * squaredDistance(blocks[i], mean);
  return sum;
}

function squaredDistance(block: Numbers, mean: Float64Array): number {
  let even = 0;
  let odd = 0;
  let j = 0;
  for (; j + 2 <= block.length; j += 2) {
    const a = block[j] - mean[j];
    const b = block[j + 1] - mean[j + 1];
    even += a * a;
    odd += b * b;
  }
  for (; j < block.length; j++) even += (block[j] - mean[j]) ** 2;
  return even + odd;
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
