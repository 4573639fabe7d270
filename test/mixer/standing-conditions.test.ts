/** Which warnings an update brings, by made-up reports: begun, standing, ended. */
import { describe, expect, it } from 'vitest';
import type { UpdateReport } from '../../lib/index.js';
import { type MixerOptions, resolveOptions } from '../../lib/mixer/options.js';
import { StandingConditions } from '../../lib/mixer/standing-conditions.js';

const conditionsOf = (options: Partial<MixerOptions> = {}) =>
  new StandingConditions(resolveOptions({ tasks: ['a', 'b'], batchSize: 8, ...options }));

const report = (given: Partial<UpdateReport>): UpdateReport => {
  const base = { step: 5, missed: [], retired: [], conflict: null, heterogeneity: null };
  return { ...base, ...given } as Partial<UpdateReport> as UpdateReport;
};
const nothing: UpdateReport['missed'] = ['a', 'b'].map((task) => ({ task, reason: 'not measured' }));

/** What each update of a run brings: the number of warnings. */
const told = (conditions: StandingConditions, reports: Partial<UpdateReport>[]) =>
  reports.map((given) => conditions.after(report(given)).length);
const atH = (...values: (number | null)[]) => values.map((heterogeneity) => ({ heterogeneity }));

describe('nothing but noise', () => {
  it('begins after as many updates in a row as the averages remember', () => {
    // 1/(1 − 0.75) = 4.
    expect(told(conditionsOf({ smoothing: 0.75 }), atH(1, 0.5, 0.9, 1, 0.2, 0.3))).toEqual([
      0, 0, 0, 1, 0, 0,
    ]);
    expect(told(conditionsOf({ smoothing: 0.75 }), atH(1, 1, 1, 1.1, 1, 1, 1, 1))).toEqual([
      0, 0, 0, 0, 0, 0, 0, 1,
    ]);
    expect(told(conditionsOf({ smoothing: 0 }), atH(0.9))).toEqual([1]);
    expect(told(conditionsOf(), atH(...new Array(10).fill(1)))).toEqual([...new Array(9).fill(0), 1]);
  });

  it('ends only once differences are clearly more than noise', () => {
    const conditions = conditionsOf({ smoothing: 0.5 });
    expect(told(conditions, atH(1, 1, 1.9, 1, 1, 1.5, 1, 1))).toEqual([0, 1, 0, 0, 0, 0, 0, 0]);
    expect(told(conditions, atH(2.1, 1, 1))).toEqual([0, 0, 1]);
  });

  it('is neither begun nor ended by updates that tell nothing of it', () => {
    const conditions = conditionsOf({ smoothing: 0.5 });
    const missed = { heterogeneity: 0.5, missed: nothing };
    expect(told(conditions, [missed, missed, { heterogeneity: 1 }, missed])).toEqual([0, 0, 0, 0]);
    expect(told(conditions, atH(null, 1, null, 1))).toEqual([0, 1, 0, 0]);
  });

  it('says what may help, and what significance does already', () => {
    const message = (significance: number) =>
      conditionsOf({ smoothing: 0, significance }).after(
        report({
          heterogeneity: 0.34,
          smoothed: {
            normSquared: Float64Array.of(1, 1),
            standardError: { normSquared: Float64Array.of(1, 1), variance: Float64Array.of(1, 1) },
          } as Partial<UpdateReport['smoothed']> as UpdateReport['smoothed'],
        }),
      )[0].message;
    expect(message(0)).toMatch(/0\.34 times that at step 5.*significance would hold it back/);
    expect(message(2)).toMatch(/as far as significance lets it/);
  });
});
