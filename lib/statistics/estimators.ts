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
 * Leaving row i out moves the mean by −(s_i/(n − s_i))(g_i − ḡ), hence, with S = sum_i s_i d_i,
 *
 *     ‖ḡ₍ᵢ₎‖² = ‖ḡ‖² − 2 a_i s_i/(n − s_i) + d_i (s_i/(n − s_i))²,   σ²₍ᵢ₎ = (S − s_i d_i n/(n − s_i)) / (m − 2),
 *     N₍ᵢ₎ = ‖ḡ₍ᵢ₎‖² − σ²₍ᵢ₎/(n − s_i)
 *
 * exactly. Every row tells as much of σ² as any other, so that is the plain jackknife, var = (m − 1)/m · sum_i (x₍ᵢ₎ − x̄)²;
 * of N a row tells in proportion to its samples, so that is the one for parts of unequal size (`unequalJackknife`).
 * Where an estimate is all but linear in the rows, var is without bias, and its root on average c₄(m) times the deviation,
 * as that of any m Gaussian numbers is: both errors are divided by c₄.
 *
 * Simulated: on average 0.9 to 2.2 times the true deviation at m = 3 to 8; about 1 where N is far above its noise, the
 * most where all is noise. NaN where m < 3; null where the row scalars are not known (streaming).
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
    if (m < 3) continue;
    const sizes = rowSamples[k];
    const n = sizes.reduce((sum, s) => sum + s, 0);
    const total = sizes.reduce((sum, s, i) => sum + s * rowDeviation[first + i], 0);
    const variances = sizes.map((s, i) => (total - s * rowDeviation[first + i] * (n / (n - s))) / (m - 2));
    const norms = sizes.map((s, i) => {
      const share = s / (n - s);
      const mean =
        meanNormSquared[k] - 2 * share * rowAlignment[first + i] + share * share * rowDeviation[first + i];
      return mean - variances[i] / (n - s);
    });
    const whole = meanNormSquared[k] - total / (m - 1) / n;
    const bias = meanOfDeviation(m);
    const shares = sizes.map((s) => s / n);
    const errorOfNorm = unequalJackknife(whole, norms, shares) / bias;
    const errorOfVariance = plainJackknife(variances) / bias;
    if (!Number.isFinite(errorOfNorm) || !Number.isFinite(errorOfVariance)) continue;
    normSquared[k] = errorOfNorm;
    variance[k] = errorOfVariance;
  }
  return { normSquared, variance };
}

/** c₄(m) = √(2/(m − 1)) Γ(m/2)/Γ((m − 1)/2): the mean of the deviation of a sample of m >= 2 from N(0, 1). */
function meanOfDeviation(m: number): number {
  // r(m) = Γ(m/2)/Γ((m − 1)/2): r(2) = 1/√π, r(i + 1) r(i) = (i − 1)/2.
  let ratio = 1 / Math.sqrt(Math.PI);
  for (let i = 2; i < m; i++) ratio = (i - 1) / (2 * ratio);
  return Math.sqrt(2 / (m - 1)) * ratio;
}

/** sqrt((m − 1)/m · sum (x₍ᵢ₎ − x̄)²). */
function plainJackknife(leftOut: readonly number[]): number {
  const m = leftOut.length;
  const mean = leftOut.reduce((sum, x) => sum + x / m, 0);
  return Math.sqrt(((m - 1) / m) * leftOut.reduce((sum, x) => sum + (x - mean) ** 2, 0));
}

/**
 * The delete-m_j jackknife of Busing, Meijer and van der Leeden, Statistics and Computing 9 (1999), which is the plain
 * one for equal shares. With h_i = 1/share_i and pseudo-values x̃_i = h_i x − (h_i − 1) x₍ᵢ₎,
 * var = (1/m) sum_i (x̃_i − x_J)²/(h_i − 1),  x_J = m x − sum_i (1 − share_i) x₍ᵢ₎.
 */
function unequalJackknife(whole: number, leftOut: readonly number[], shares: readonly number[]): number {
  // Around the estimate itself: x̃_i − x_J does not change with a constant added to all.
  const away = leftOut.map((x) => x - whole);
  const centre = -away.reduce((sum, x, i) => sum + (1 - shares[i]) * x, 0);
  const sum = away.reduce((total, x, i) => {
    const h = 1 / shares[i];
    return total + (-(h - 1) * x - centre) ** 2 / (h - 1);
  }, 0);
  return Math.sqrt(sum / leftOut.length);
}
