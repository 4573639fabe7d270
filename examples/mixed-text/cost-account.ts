import type { StepCost } from 'pike-mixer/tfjs';

/** What a run took, in seconds, evaluation left out. */
export interface RunCost {
  /** All of it. */
  seconds: number;
  /** Mixing itself: `next`, draws, reading gradients and `observe`, `update`. */
  mixing: number;
  /** `mixing` by part. */
  parts: { next: number; draw: number; observe: number; update: number };
  /** What the passes of measuring steps took beyond those of the plain steps that they replace. */
  extraPasses: number;
}

/** Adds up what the steps of a run cost. */
export class CostAccount {
  private readonly parts = { next: 0, draw: 0, observe: 0, update: 0 };
  private readonly plain: number[] = [];
  private readonly measuring: number[] = [];

  add(cost: StepCost, measured: boolean): void {
    for (const part of ['next', 'draw', 'observe', 'update'] as const) this.parts[part] += cost[part];
    (measured ? this.measuring : this.plain).push(cost.passes);
  }

  total(): RunCost {
    const { parts, plain, measuring } = this;
    const mixing = sum(Object.values(parts));
    const extraPasses = plain.length > 0 ? sum(measuring) - measuring.length * median(plain) : 0;
    return { seconds: mixing + sum(plain) + sum(measuring), mixing, parts, extraPasses };
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
