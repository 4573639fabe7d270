import type { RunCost } from './cost-account.js';

/** What one run left behind: one mixing rule, one seed. */
export interface RunResult {
  /** How it was mixed: `uniform`, `pike`, … */
  mixing: string;
  seed: number;
  /** Held-out losses by task, in nats per byte, as training went on; the last one is the final one. */
  evaluations: { samples: number; losses: number[] }[];
  /** What training took, evaluation left out. */
  cost: RunCost;
  /** The last weights, in the order of the tasks. */
  weights: number[];
}

export function finalLosses(run: RunResult): number[] {
  return run.evaluations.at(-1)!.losses;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Highest minus lowest. */
export function range(values: readonly number[]): number {
  return Math.max(...values) - Math.min(...values);
}

/** Standard error of the mean; null for a single value, which tells nothing about it. */
export function standardError(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const center = mean(values);
  const variance = mean(values.map((value) => (value - center) ** 2)) * (values.length / (values.length - 1));
  return Math.sqrt(variance / values.length);
}

/**
 * Samples after which the mean held-out loss first came down to `target`, linear between evaluations; null if it
 * never did.
 */
export function samplesToReach(run: RunResult, target: number): number | null {
  let before: { samples: number; loss: number } | null = null;
  for (const { samples, losses } of run.evaluations) {
    const loss = mean(losses);
    if (loss <= target) {
      if (!before) return samples;
      const share = (before.loss - target) / (before.loss - loss);
      return before.samples + share * (samples - before.samples);
    }
    before = { samples, loss };
  }
  return null;
}
