import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { WeightUpdate } from '../../lib/backends/backend.js';
import { decodeSolvedWeights, encodeWeightUpdate, SOLVED_RULES } from '../../lib/backends/weight-update.js';
import { resolveOptions } from '../../lib/mixer/options.js';

const header = readFileSync(new URL('../../native/math/layout.h', import.meta.url), 'utf8');

/** The names in an enum of the header, without the one that counts them. */
function partsOf(name: string): string[] {
  const [, body] = new RegExp(`enum ${name} : int \\{([^}]*)\\}`).exec(header)!;
  return [...body.replaceAll(/\/\/.*/g, '').matchAll(/k(\w+)/g)]
    .map(([, part]) => part)
    .filter((part) => !part.endsWith('Parts'));
}

const state = partsOf('StatePart');
const average = (base: number) => ({
  numerator: [base, base + 0.5],
  denominator: [base + 1, base + 1.5],
  estimate: [base + 2, base + 2.5],
  known: [true, false],
});

const update: WeightUpdate = {
  rule: 'balanced',
  options: resolveOptions({ tasks: ['a', 'b'], batchSize: 8, maxLogStep: Infinity, lossScale: 'paper' }),
  logWeights: Float64Array.of(-Infinity, 0),
  lossWeights: Float64Array.of(2, 3),
  normSquared: average(10),
  variance: average(20),
  logPrior: Float64Array.of(30, 31),
  losses: Float64Array.of(32, Number.NaN),
  excluded: [false, true],
};

describe('an update of the weights', () => {
  it('is written in the order of native/math/layout.h', () => {
    const { inputs, options } = encodeWeightUpdate(update);
    const part = Object.fromEntries(
      [...state, ...partsOf('InputPart').filter((name) => !state.includes(name))].map((name, p) => [
        name,
        Array.from(inputs.subarray(2 * p, 2 * p + 2)),
      ]),
    );
    expect(part).toEqual({
      LogWeight: [-Infinity, 0],
      LossWeight: [2, 3],
      NormNumerator: [10, 10.5],
      NormDenominator: [11, 11.5],
      NormEstimate: [12, 12.5],
      NormKnown: [1, 0],
      VarianceNumerator: [20, 20.5],
      VarianceDenominator: [21, 21.5],
      VarianceEstimate: [22, 22.5],
      VarianceKnown: [1, 0],
      LogPrior: [30, 31],
      Loss: [32, Number.NaN],
      Excluded: [0, 1],
    });
    expect(inputs).toHaveLength(2 * Object.keys(part).length);
    expect(options).toEqual({
      rule: 3,
      batchSize: 8,
      zeta1: 0.05,
      zeta2: 0.1 * 0.05,
      relative: 1,
      minWeight: 0.25,
      maxLogStep: Infinity,
      priorPull: 0.05,
      smoothing: 0.9,
      clipNorms: 1,
      tau: 1,
      lossScaleMean: 0,
      learningRate: Number.NaN,
      smoothness: Number.NaN,
      alpha: Number.NaN,
      beta: 1,
      gamma: 1,
    });
  });

  it('has every option that native code reads, as a number', () => {
    const reader = readFileSync(new URL('../../native/addon/update_options.h', import.meta.url), 'utf8');
    const read = [...reader.matchAll(/number\("(\w+)"\)/g)].map(([, name]) => name);
    expect(Object.keys(encodeWeightUpdate(update).options).sort()).toEqual(read.sort());
  });

  it('names rules by their numbers', () => {
    const [, body] = /enum class Rule : int \{([^}]*)\}/.exec(header)!;
    const rules = [...body.matchAll(/k(\w+)/g)].map(([, name]) => name.toLowerCase());
    expect(SOLVED_RULES).toEqual(rules);
  });

  it('writes NaN for losses that nobody gave', () => {
    const { inputs } = encodeWeightUpdate({ ...update, losses: null });
    expect(Array.from(inputs.slice(22, 24))).toEqual([Number.NaN, Number.NaN]);
  });

  it('is read in the order of native/math/layout.h', () => {
    const names = [...state, ...partsOf('OutputPart').filter((name) => !state.includes(name))];
    const flags = ['NormKnown', 'VarianceKnown', 'Missed', 'Clipped', 'Floored'];
    // Part p is (p, p + ½), and flags are those of the second task, of the first for one of them.
    const outputs = Float64Array.from(
      names.flatMap((name, p) =>
        flags.includes(name) ? (name === 'Clipped' ? [1, 0] : [0, 1]) : [p, p + 0.5],
      ),
    );
    const pair = (name: string) => [names.indexOf(name), names.indexOf(name) + 0.5];
    const averageOf = (kind: string) => ({
      numerator: pair(`${kind}Numerator`),
      denominator: pair(`${kind}Denominator`),
      estimate: pair(`${kind}Estimate`),
      known: [false, true],
    });
    const array = (name: string) => Float64Array.from(pair(name));
    expect(decodeSolvedWeights({ outputs, measured: true, limited: false }, 2)).toEqual({
      logWeights: array('LogWeight'),
      lossWeights: array('LossWeight'),
      normSquared: averageOf('Norm'),
      variance: averageOf('Variance'),
      raw: { normSquared: array('NormSquared'), variance: array('Variance') },
      smoothed: { normSquared: array('SmoothedNorm'), variance: array('SmoothedVariance') },
      missed: [false, true],
      clipped: [0],
      floored: [1],
      measured: true,
      limited: false,
    });
  });
});
