/**
 * From measured sums to unbiased estimates (METHOD: with n = sum s_i and ḡ = sum (s_i/n) g_i)
 *
 *     σ² = sum_i s_i ‖g_i − ḡ‖² / (m − 1)
 *     N  = ‖ḡ‖² − σ²/n
 *     G_jk = ⟨ḡ_j, ḡ_k⟩,  j ≠ k
 *
 * All three are unbiased (derived); for equal s_i they are the estimators of McCandlish et al. 2018,
 * arXiv 1812.06162, appendix A. The plain ‖ḡ‖² would be too large by σ²/n, which in language-model training is
 * several times the signal and would turn PiKE's penalty for noise into a reward.
 */
import type { Moments, Statistics } from './statistics.js';

/**
 * @param moments sums of one measurement, K tasks
 * @param rowSamples s_ki of every micro-batch; given when standard errors are wanted
 * @returns the estimates; NaN for a task with fewer than two micro-batches or a non-finite gradient
 */
export function estimate(moments: Moments, rowSamples?: readonly (readonly number[])[]): Statistics {
  const { microBatches, samples, deviation, meanNormSquared, meanInner } = moments;
  const tasks = microBatches.length;
  const normSquared = new Float64Array(tasks).fill(Number.NaN);
  const variance = new Float64Array(tasks).fill(Number.NaN);
  for (let k = 0; k < tasks; k++) {
    if (microBatches[k] < 2) continue;
    const sigma2 = deviation[k] / (microBatches[k] - 1);
    const n = meanNormSquared[k] - sigma2 / samples[k];
    if (!Number.isFinite(sigma2) || !Number.isFinite(n)) continue;
    variance[k] = sigma2;
    normSquared[k] = n;
  }
  let inner: Float64Array | null = null;
  if (meanInner) {
    inner = new Float64Array(tasks * tasks).fill(Number.NaN);
    for (let j = 0; j < tasks; j++)
      for (let k = 0; k < tasks; k++) {
        const known = !Number.isNaN(normSquared[j]) && !Number.isNaN(normSquared[k]);
        if (known) inner[j * tasks + k] = j === k ? normSquared[k] : meanInner[j * tasks + k];
      }
  }
  return {
    tasks,
    microBatches: microBatches.slice(),
    samples: samples.slice(),
    normSquared,
    variance,
    inner,
    standardError: rowSamples ? jackknife(moments, rowSamples) : null,
  };
}

/**
 * Jackknife standard errors of N and σ² from two scalars per row, d_i = ‖g_i − ḡ‖² and a_i = ⟨g_i − ḡ, ḡ⟩ (derived).
 * Leaving row i out of m rows of s samples each moves the mean by −(g_i − ḡ)/(m − 1), hence
 *
 *     ‖ḡ₍ᵢ₎‖² = ‖ḡ‖² − 2 a_i/(m − 1) + d_i/(m − 1)²,   σ²₍ᵢ₎ = s (sum_j d_j − d_i m/(m − 1)) / (m − 2)
 *
 * exactly. NaN where m < 3 or s differs within a task; null where the row scalars are not known (streaming).
 */
function jackknife(
  moments: Moments,
  rowSamples: readonly (readonly number[])[],
): Statistics['standardError'] {
  const { microBatches, meanNormSquared, rowDeviation, rowAlignment } = moments;
  if (!rowDeviation || !rowAlignment) return null;
  const tasks = microBatches.length;
  const normSquared = new Float64Array(tasks).fill(Number.NaN);
  const variance = new Float64Array(tasks).fill(Number.NaN);
  for (let k = 0, first = 0; k < tasks; first += microBatches[k++]) {
    const m = microBatches[k];
    const s = rowSamples[k][0];
    if (m < 3 || rowSamples[k].some((other) => other !== s)) continue;
    let total = 0;
    for (let i = 0; i < m; i++) total += rowDeviation[first + i];
    const norms: number[] = [];
    const variances: number[] = [];
    for (let i = 0; i < m; i++) {
      const d = rowDeviation[first + i];
      const without = meanNormSquared[k] - (2 * rowAlignment[first + i]) / (m - 1) + d / (m - 1) ** 2;
      const sigma2 = (s * (total - (d * m) / (m - 1))) / (m - 2);
      variances.push(sigma2);
      norms.push(without - sigma2 / (s * (m - 1)));
    }
    normSquared[k] = jackknifeError(norms);
    variance[k] = jackknifeError(variances);
  }
  return { normSquared, variance };
}

/** sqrt((m − 1)/m · sum (x_i − x̄)²). */
function jackknifeError(leaveOneOut: readonly number[]): number {
  const m = leaveOneOut.length;
  const mean = leaveOneOut.reduce((sum, x) => sum + x, 0) / m;
  return Math.sqrt(((m - 1) / m) * leaveOneOut.reduce((sum, x) => sum + (x - mean) ** 2, 0));
}
