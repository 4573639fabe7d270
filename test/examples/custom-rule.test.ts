/** The example of a user's own rule, and the two functions that such rules are built on. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { learningProgress } from '../../examples/custom-rule/learning-progress.js';
import { initialState, Mixer, type MixerState, multiplyWeights } from '../../lib/index.js';
import { resolveOptions } from '../../lib/mixer/options.js';
import { decodeLogWeights } from '../../lib/rules/rule.js';
import { weightsOf } from '../../lib/rules/simplex.js';
import { expectError, largestDifference } from '../support/expect.js';

const paper = { minWeight: 0, maxLogStep: Infinity, priorPull: 0 };
const mixerOf = (options = {}) =>
  new Mixer({
    tasks: ['a', 'b', 'c'],
    batchSize: 12,
    backend: 'reference',
    rule: learningProgress(),
    ...options,
  });

describe('learningProgress', () => {
  it('follows falling losses, by hand', async () => {
    const mixer = mixerOf({ ...paper, rule: learningProgress({ rate: 20 }) });
    expect((await mixer.update({ losses: [4, 2, 0] })).weights).toEqual(mixer.weights);
    const report = await mixer.update({ losses: [2, 3, 1] });
    // Averages (4, 2, 0) → (3.8, 2.1, 0.1): they fell by 1/20, −1/20 and nothing, so that exponents are (1, −1, 0).
    const raw = [Math.E, 1 / Math.E, 1];
    const total = raw.reduce((x, y) => x + y);
    const expected = raw.map((x) => x / total);
    expect(largestDifference(report.weights, expected)).toBeLessThan(1e-15);
    expect(mixer.state().rule.averages).toEqual([3.8, 2.1, 0.1].map((x) => expect.closeTo(x, 14)));
  });

  it('keeps the weight of a task whose loss is not known twice, the floor, and goes on from a state', async () => {
    const mixer = mixerOf();
    const losses = [
      { a: 3, b: 3 },
      { b: 2, c: 5 },
      { a: 1, b: 2.5, c: 4 },
      { a: 0.5, b: 2, c: 4 },
    ];
    const first = await mixer.update({ losses: losses[0]! });
    const second = await mixer.update({ losses: losses[1]! });
    expect(second.weights[0]).toBeCloseTo(first.weights[0]!, 14);
    expect(second.weights[2]).toBeCloseTo(first.weights[2]!, 14);
    const saved = JSON.parse(JSON.stringify(mixer.state())) as MixerState;
    const restored = Mixer.restore(saved, { rule: learningProgress() });
    for (const each of losses.slice(2)) {
      const expected = await mixer.update({ losses: each });
      expect((await restored.update({ losses: each })).weights).toEqual(expected.weights);
    }
    for (let i = 0; i < 60; i++) await mixer.update({ losses: [1, 2, 1.2 ** i] });
    expect(mixer.weights[2]).toBeGreaterThanOrEqual(0.5 / 3);
    expect(mixer.weights[2]).toBeLessThan(0.5 / 3 + 1e-12);
  });
});

describe('multiplyWeights', () => {
  it('stays on the simplex above the floor, whatever the exponents, and keeps the rest of the state', () => {
    const exponent = fc.oneof(
      fc.double({ min: -10, max: 10, noNaN: true }),
      fc.constantFrom(1e300, -1e300, Infinity, -Infinity, Number.NaN),
    );
    fc.assert(
      fc.property(
        fc.array(exponent, { minLength: 4, maxLength: 4 }),
        fc.constantFrom(0, 0.1, 0.25),
        fc.constantFrom(0.3, Infinity),
        (exponents, minWeight, maxLogStep) => {
          const options = resolveOptions({
            tasks: ['a', 'b', 'c', 'd'],
            batchSize: 8,
            minWeight,
            maxLogStep,
          });
          const state = { ...initialState(options), note: 'kept' };
          const { state: next } = multiplyWeights(state, exponents, options);
          const weights = weightsOf(decodeLogWeights(next.logWeights, 4));
          expect(Math.abs(weights.reduce((x, y) => x + y) - 1)).toBeLessThan(1e-12);
          for (const w of weights) expect(w).toBeGreaterThanOrEqual(minWeight);
          expect(next.note).toBe('kept');
        },
      ),
      { numRuns: 500 },
    );
  });

  it('refuses another number of exponents', async () => {
    const options = resolveOptions({ tasks: ['a', 'b'], batchSize: 8 });
    await expectError('ERR_SHAPE', /2 numbers, one per task, but there are 3/, () =>
      multiplyWeights(initialState(options), [1, 2, 3], options),
    );
  });
});

it('the program trains by it: weight goes to what can be learned while it is being learned', () => {
  const program = fileURLToPath(new URL('../../dist-examples/custom-rule/main.js', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  const rows = stdout
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t').map(Number));
  expect(rows.map(([step]) => step)).toEqual(Array.from({ length: 11 }, (_, i) => 30 * i));
  const learnable = rows.map((row) => row[4]!);
  expect(Math.max(...learnable)).toBeGreaterThan(0.5);
  expect(rows.at(-1)![1]!).toBeLessThan(0.3 * rows[0]![1]!);
  for (const [, , learned] of rows) expect(learned).toBe(0);
});
