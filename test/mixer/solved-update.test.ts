/** An update whose weights a backend has solved for: what it says goes into state and report. */
import { expect, it } from 'vitest';
import type { SolvedWeights } from '../../lib/backends/backend.js';
import { LossAverage } from '../../lib/mixer/measurement.js';
import { resolveOptions } from '../../lib/mixer/options.js';
import { computeUpdate } from '../../lib/mixer/update.js';
import { initSmoothing } from '../../lib/statistics/smoothing.js';

const options = resolveOptions({ tasks: ['a', 'b'], batchSize: 8, inner: true });
const input = {
  options,
  step: 4,
  passedOver: 0,
  rule: { logWeights: [Math.log(0.5), Math.log(0.5)] },
  smoothing: initSmoothing(2, true),
  lossWeights: Float64Array.of(1, 1),
};
const moments = {
  microBatches: Int32Array.of(2, 2),
  samples: Float64Array.of(2, 2),
  deviation: Float64Array.of(2, 2),
  meanNormSquared: Float64Array.of(4, 9),
  meanInner: Float64Array.of(4, 5, 5, 9),
  rowDeviation: null,
  rowAlignment: null,
};
const averageOf = (...estimate: number[]) => ({
  numerator: estimate,
  denominator: [1, 1],
  estimate,
  known: [true, true],
});
const solved: SolvedWeights = {
  logWeights: Float64Array.of(Math.log(0.25), Math.log(0.75)),
  lossWeights: Float64Array.of(1, 2),
  normSquared: averageOf(-1, 8),
  variance: averageOf(2, 3),
  raw: { normSquared: Float64Array.of(3.5, 8.5), variance: Float64Array.of(2.5, 2.25) },
  smoothed: { normSquared: Float64Array.of(0, 8), variance: Float64Array.of(2, 3) },
  missed: [false, false],
  clipped: [0],
  floored: [0],
  measured: true,
  limited: true,
};

it('is taken as it was solved, with the products averaged here', () => {
  const { rule, smoothing, lossWeights, report } = computeUpdate(
    input,
    moments,
    new LossAverage(2),
    undefined,
    solved,
  );
  expect(rule).toEqual({ logWeights: [Math.log(0.25), Math.log(0.75)] });
  expect(lossWeights).toEqual(Float64Array.of(1, 2));
  expect(smoothing).toMatchObject({ normSquared: solved.normSquared, variance: solved.variance });
  expect(smoothing.inner).toMatchObject({ estimate: [5], known: [true] });
  expect(report).toMatchObject({
    weights: Float64Array.of(0.25, 0.75),
    statistics: { ...solved.raw, inner: Float64Array.of(3.5, 5, 5, 8.5) },
    smoothed: { ...solved.smoothed, inner: Float64Array.of(0, 5, 5, 8) },
    missed: [],
    clipped: ['a'],
    floored: ['a'],
    limited: true,
  });
});

it('misses what the backend missed, also where it only just overflowed there', () => {
  const raw = { normSquared: Float64Array.of(Number.NaN, 8), variance: Float64Array.of(Number.NaN, 2) };
  const { report } = computeUpdate(input, moments, new LossAverage(2), undefined, {
    ...solved,
    raw,
    missed: [true, false],
  });
  expect(report.missed).toEqual([{ task: 'a', reason: 'non-finite gradient' }]);
  expect(report.statistics).toMatchObject({
    ...raw,
    inner: Float64Array.of(Number.NaN, Number.NaN, Number.NaN, 8),
  });
});

it('changes nothing when all was missed', () => {
  const losses = new LossAverage(2);
  for (const k of [0, 1]) losses.add(k, Number.NaN, 1);
  const none = { ...solved, missed: [true, true], measured: false };
  const { rule, smoothing, lossWeights, report } = computeUpdate(input, moments, losses, undefined, none);
  expect({ rule, smoothing, lossWeights }).toEqual({
    rule: input.rule,
    smoothing: input.smoothing,
    lossWeights: input.lossWeights,
  });
  expect(report.missed.map(({ reason }) => reason)).toEqual(['non-finite loss', 'non-finite loss']);
});
