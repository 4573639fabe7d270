/**
 * Timings side by side. What is compared runs in turn, one call of each, because the speed of a machine wanders within
 * seconds: ratios of neighbours tell more than a ratio of two series. tinybench runs each of its tasks to the end before
 * the next, so it serves where nothing is compared (micro.ts) and not here.
 */
import type { Size } from './size.js';

/** Does the work once; seconds. */
export type TimedCall = () => Promise<number>;

export interface Limits {
  /** At most so many rounds are kept; at least three, but fewer than this when time is up. */
  readonly runs: number;
  readonly seconds: number;
}

export const LIMITS: Readonly<Record<Size, Limits>> = {
  full: { runs: 25, seconds: 8 },
  quick: { runs: 9, seconds: 3 },
  tiny: { runs: 2, seconds: 1 },
};

/** Seconds of every call, by name; those of one round stand at the same index. One round before is not kept. */
export async function interleave<Name extends string>(
  calls: Readonly<Record<Name, TimedCall>>,
  { runs, seconds }: Limits,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(calls) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  let started = performance.now();
  for (let run = -1; run < runs; run++) {
    for (const name of names) {
      const time = await calls[name]();
      if (run >= 0) times[name].push(time);
    }
    if (run < 0) started = performance.now();
    else if (run >= 2 && performance.now() - started > 1000 * seconds) break;
  }
  return times;
}

/** By the clock on the wall, as the caller sees it. */
export async function wallSeconds(work: () => unknown): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}
