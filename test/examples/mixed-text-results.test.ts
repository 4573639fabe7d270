import { describe, expect, it } from 'vitest';
import { type RunResult, samplesToReach, standardError } from '../../examples/mixed-text/comparison.js';
import { CostAccount } from '../../examples/mixed-text/cost-account.js';
import { formatResults } from '../../examples/mixed-text/results.js';

describe('results', () => {
  const run = (mixing: string, seed: number, means: number[]): RunResult => ({
    mixing,
    seed,
    evaluations: means.map((loss, i) => ({ samples: 100 * i, losses: [loss - 1, loss + 1] })),
    cost: {
      seconds: 10,
      mixing: mixing === 'pike' ? 1 : 0.125,
      parts:
        mixing === 'pike'
          ? { next: 0.1, draw: 0.2, observe: 0.3, update: 0.4 }
          : { next: 0.025, draw: 0.1, observe: 0, update: 0 },
      extraPasses: mixing === 'pike' ? 0.5 : 0,
    },
    weights: [0.5, 0.5],
  });

  it('interpolate when a loss was reached', () => {
    expect(samplesToReach(run('pike', 1, [4, 3, 1]), 2)).toBe(150);
    expect(samplesToReach(run('pike', 1, [4, 3, 1]), 5)).toBe(0);
    expect(samplesToReach(run('pike', 1, [4, 3, 1]), 0.5)).toBeNull();
  });

  it('have a standard error from two seeds on', () => {
    expect(standardError([1])).toBeNull();
    expect(standardError([1, 3])).toBeCloseTo(1, 12);
  });

  it('tell how far apart the tasks’ losses lay, for balanced in words', () => {
    const spread = (mixing: string, spreads: number[]): RunResult => ({
      ...run(mixing, 1, [3, 3, 3]),
      evaluations: spreads.map((by, i) => ({ samples: 100 * i, losses: [3 - by, 3] })),
    });
    const runs = [spread('uniform', [0.5, 2, 1.5]), spread('balanced τ=3', [0.5, 1.75, 0.75])];
    const text = formatResults(runs, ['a', 'b']);
    expect(text).toMatch(/│ highest − lowest, in the end +│ 1\.500 +│ 0\.750 +│/);
    expect(text).toMatch(/│ … at first, and at most +│ 0\.500, 2\.000 +│ 0\.500, 1\.750 +│/);
    expect(text).toContain(
      'balanced τ=3: highest − lowest task loss 0.500 at first, 1.750 at most, 0.750 in the end (uniform: 1.500).',
    );
  });

  it('say what happened, also when mixing did not help', () => {
    const better = formatResults([run('uniform', 1, [4, 2]), run('pike', 1, [4, 1.5])], ['a', 'b']);
    expect(better).toContain('pike ended 0.5000 below uniform. Better: a -0.500, b -0.500. Worse: none.');
    expect(better).toContain('80 (80 %)');
    expect(better).toMatch(/│ mixing itself +│ 0\.1 \(1\.3 %\) +│ 1\.0 \(10\.0 %\) +│/);
    expect(better).toMatch(/│ extra passes to measure +│ 0\.0 \(0\.0 %\) +│ 0\.5 \(5\.0 %\) +│/);
    expect(better).toContain(
      'pike: mixing itself took 10.00 % of the time (next 1.00 %, draw 2.00 %, observe 3.00 %, update 4.00 %), the extra passes of measuring 5.00 %.',
    );
    // Who measures nothing has nothing to say about it.
    const still = formatResults([run('uniform', 1, [4, 2]), run('static', 1, [4, 2])], ['a', 'b']);
    expect(still).not.toContain('the extra passes of measuring');
    const worse = formatResults([run('uniform', 1, [4, 2]), run('pike', 1, [4, 2.25])], ['a', 'b']);
    expect(worse).toContain('pike did not beat uniform: it ended 0.2500 above. Better: none.');
    expect(worse).toContain('not reached');
    const level = formatResults([run('uniform', 1, [4, 2]), run('pike', 1, [4, 2.00001])], ['a', 'b']);
    expect(level).toContain('pike ended level with uniform, to four digits. Better: none.');
    const seeds = [1, 2].flatMap((seed) => [run('uniform', seed, [4, 2]), run('pike', seed, [4, seed])]);
    expect(formatResults(seeds, ['a', 'b'])).toContain('-0.5000 ± 0.5000');
  });
});

describe('costs', () => {
  it('add up by part; the extra passes are those beyond the median plain step', () => {
    const costs = new CostAccount();
    const step = (passes: number, observe: number) => ({
      next: 1,
      draw: 2,
      observe,
      update: observe,
      mixing: 3 + 2 * observe,
      passes,
    });
    for (const passes of [10, 30, 11]) costs.add(step(passes, 0), false);
    for (const passes of [20, 24]) costs.add(step(passes, 5), true);
    const { seconds, mixing, parts, extraPasses } = costs.total();
    expect(parts).toEqual({ next: 5, draw: 10, observe: 10, update: 10 });
    expect([mixing, seconds, extraPasses]).toEqual([35, 35 + 95, 44 - 2 * 11]);
    const always = new CostAccount();
    always.add(step(20, 5), true);
    expect(always.total().extraPasses).toBe(0);
  });
});
