/**
 * The quantities between measurement and decision: sums as a backend returns them (`Moments`), and the
 * unbiased estimates made of them (`Statistics`).
 */

/**
 * Sums over the d parameters, as a backend measures them: means and deviations, never R×R products.
 * Task k has m_k micro-batch gradients g_ki of s_ki samples each; n_k = sum_i s_ki; ḡ_k = sum_i (s_ki/n_k) g_ki.
 * Tasks without micro-batches have zeros. Where a gradient is not finite, the numbers of its task are not finite.
 */
export interface Moments {
  /** m_k, length K. */
  readonly microBatches: Int32Array;
  /** n_k, length K. */
  readonly samples: Float64Array;
  /** sum_i s_ki ‖g_ki − ḡ_k‖², length K. */
  readonly deviation: Float64Array;
  /** ‖ḡ_k‖², length K. */
  readonly meanNormSquared: Float64Array;
  /** ⟨ḡ_j, ḡ_k⟩, K×K row-major and symmetric with `meanNormSquared` on its diagonal; null when not asked for. */
  readonly meanInner: Float64Array | null;
  /** ‖g_ki − ḡ_k‖² of every row, task by task, length sum m_k; null when not asked for or not known (streaming). */
  readonly rowDeviation: Float64Array | null;
  /** ⟨g_ki − ḡ_k, ḡ_k⟩ of every row, task by task, length sum m_k; null as `rowDeviation`. */
  readonly rowAlignment: Float64Array | null;
}

/** Unbiased estimates of what PiKE needs to know of K tasks. NaN stands for "no estimate". */
export interface Statistics {
  /** K. */
  readonly tasks: number;
  /** m_k: micro-batches measured, length K. */
  readonly microBatches: Int32Array;
  /** n_k: samples measured, length K. */
  readonly samples: Float64Array;
  /** N_k: squared norm of the expected gradient, length K. Unbiased, so it can be negative. */
  readonly normSquared: Float64Array;
  /** σ_k²: per-sample gradient variance (trace of the covariance), length K. */
  readonly variance: Float64Array;
  /** G_jk: inner products of the expected gradients, K×K row-major, `normSquared` on the diagonal; null when not measured. */
  readonly inner: Float64Array | null;
  /** Standard errors of N_k and σ_k²; null when not asked for or not known (the streaming form). */
  readonly standardError: StandardErrors | null;
}

/**
 * Standard errors, in the units of what they belong to. Of one measurement by the jackknife (derived), conservative where
 * noise dominates; NaN for a task with fewer than three micro-batches, or where the estimate itself is NaN. Of averages
 * over updates see smoothing.ts.
 */
export interface StandardErrors {
  /** Of N_k, length K. */
  readonly normSquared: Float64Array;
  /** Of σ_k², length K. */
  readonly variance: Float64Array;
}
