/** The rules in TypeScript, alone and as part of a whole update: estimates, averages, rule, conflict, report. */
import { Bench } from 'tinybench';
import { computeUpdate } from '../../dist/mixer/update.js';
import { smoothedStatistics } from '../../dist/statistics/smoothing.js';
import type { Size } from '../../dist/throughput/size.js';
import type { Case } from './problems.js';

/** Milliseconds for each. */
const TIME: Readonly<Record<Size, number>> = { full: 1000, quick: 200, tiny: 5 };

export interface Timed {
  /** Median, in milliseconds. */
  readonly median: number;
  /** Which 99 % of the calls stay below. */
  readonly p99: number;
}

export interface TimedCase {
  readonly name: string;
  /** `rule.update` alone. */
  readonly rule: Timed;
  readonly update: Timed;
}

export async function timeTypescript(cases: readonly Case[], size: Size): Promise<TimedCase[]> {
  const bench = new Bench({ time: TIME[size], warmupTime: TIME[size] / 5, iterations: 8, throws: true });
  for (const { name, rule, input, moments, losses, samples } of cases) {
    const { options, step, smoothing } = input;
    const { statistics: raw } = computeUpdate(input, moments, losses, undefined, null, samples).report;
    const { statistics } = smoothedStatistics(smoothing, raw, options.clipNorms);
    const context = { step, losses: losses.means(), options };
    bench.add(`${name}: rule`, () => void rule.update(input.rule, statistics, context));
    bench.add(`${name}: update`, () => void computeUpdate(input, moments, losses, undefined, null, samples));
  }
  await bench.run();
  const timed = bench.tasks.map(({ name, result }): Timed => {
    if (!('latency' in result)) throw new Error(`${name} was not timed`);
    return { median: result.latency.p50, p99: result.latency.p99 };
  });
  return cases.map(({ name }, i) => ({ name, rule: timed[2 * i], update: timed[2 * i + 1] }));
}
