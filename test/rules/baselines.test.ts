/** The rules that PiKE is compared with, against numbers worked out by hand from their papers. */
import { describe, expect, it } from 'vitest';
import {
  doremi,
  famo,
  Mixer,
  type MixerOptions,
  type MixerState,
  odm,
  proportional,
  rules,
  temperature,
  type WeightRule,
} from '../../lib/index.js';
import { splitMix64 } from '../../lib/rules/baselines/random.js';
import { expectError, largestDifference } from '../support/expect.js';

const mixerOf = (rule: string | WeightRule, options: Partial<MixerOptions> = {}) =>
  new Mixer({ tasks: ['a', 'b', 'c'], batchSize: 12, backend: 'reference', rule, ...options });
const two = { tasks: ['a', 'b'] };

/** Twenty batches' counts, updating before or after each is drawn. */
async function countsOf(mixer: Mixer, when: 'before' | 'after', steps = 20): Promise<number[][]> {
  const all: number[][] = [];
  for (let i = 0; i < steps; i++) {
    if (when === 'before' && mixer.due) await mixer.update();
    const { due } = mixer;
    all.push(Array.from(mixer.next()));
    if (when === 'after' && due) await mixer.update();
  }
  return all;
}

/** The weights and loss weights after each update with these losses. */
async function follow(mixer: Mixer, losses: readonly (readonly number[] | Record<string, number>)[]) {
  const reports = [];
  for (const each of losses) reports.push(await mixer.update({ losses: each }));
  return reports;
}

describe('fixed mixtures', () => {
  it.each<[string, string | WeightRule, number[]]>([
    ['uniform', 'uniform', [1 / 3, 1 / 3, 1 / 3]],
    ['in proportion to size', proportional({ sizes: [1, 2, 5] }), [1 / 8, 2 / 8, 5 / 8]],
    // √1 : √4 : √16 = 1 : 2 : 4
    ['temperature 2', temperature({ sizes: [1, 4, 16], temperature: 2 }), [1 / 7, 2 / 7, 4 / 7]],
    // The default T = 5: 32^(1/5) = 2, 243^(1/5) = 3
    ['temperature 5', temperature({ sizes: [1, 32, 243] }), [1 / 6, 2 / 6, 3 / 6]],
    ['temperature 1', temperature({ sizes: [1, 2, 5], temperature: 1 }), [1 / 8, 2 / 8, 5 / 8]],
    ['temperature ∞', temperature({ sizes: [1, 2, 1e6], temperature: Infinity }), [1 / 3, 1 / 3, 1 / 3]],
    // The floor of 0.2 is met, and the rest, 0.8, shared as 1 : 3.
    ['with a floor', proportional({ sizes: [0.01, 1, 3] }), [0.2, 0.2, 0.6]],
  ])('%s', async (name, rule, expected) => {
    const mixer = mixerOf(rule, name === 'with a floor' ? { minWeight: 0.2 } : {});
    expect(largestDifference(mixer.weights, expected)).toBeLessThan(1e-15);
    const report = await mixer.update();
    expect(report.weights).toEqual(report.previous);
    expect(report.floored).toEqual(name === 'with a floor' ? ['a', 'b'] : []);
    const restored = Mixer.restore(JSON.parse(JSON.stringify(mixer.state())) as MixerState, { rule });
    await restored.update();
    expect(restored.weights).toEqual(mixer.weights);
  });

  it('the extremes of temperature and size are weights, too', () => {
    const weights = (sizes: number[], T: number) =>
      mixerOf(temperature({ sizes, temperature: T }), two).weights;
    expect(Array.from(weights([1, 2], Number.MIN_VALUE))).toEqual([0, 1]);
    expect(Array.from(weights([Number.MIN_VALUE, Number.MAX_VALUE], 1))).toEqual([expect.closeTo(0, 300), 1]);
    expect(Array.from(weights([Number.MIN_VALUE, Number.MAX_VALUE], 1e300))).toEqual([0.5, 0.5]);
  });

  it('keep a floor that comes with a restore', async () => {
    const rule = proportional({ sizes: [1, 3, 6] });
    const mixer = Mixer.restore(mixerOf(rule).state(), { rule, minWeight: 0.2 });
    await mixer.update();
    // 0.8 for b and c, as 3 : 6, is 0.267 and 0.533: none of them below.
    expect(largestDifference(mixer.weights, [0.2, 0.8 / 3, 1.6 / 3])).toBeLessThan(1e-15);
  });
});

describe('round-robin', () => {
  it.each(['before', 'after'] as const)('gives whole batches in turn, updated %s each', async (when) => {
    const counts = await countsOf(mixerOf('round-robin'), when);
    expect(counts.slice(0, 4)).toEqual([
      [12, 0, 0],
      [0, 12, 0],
      [0, 0, 12],
      [12, 0, 0],
    ]);
    expect(counts.map((each) => each.indexOf(12))).toEqual(counts.map((_, step) => step % 3));
  });

  it('takes turns of several batches, and leaves the others their floor', async () => {
    const turns = await countsOf(mixerOf('round-robin', { updateInterval: 4 }), 'before');
    expect(turns.map((each) => each.indexOf(12))).toEqual(turns.map((_, step) => Math.floor(step / 4) % 3));
    // 0.25 · 12 = 3 samples for each of the others.
    const floored = mixerOf('round-robin', { minWeight: 0.25 });
    expect((await countsOf(floored, 'before')).slice(0, 2)).toEqual([
      [6, 3, 3],
      [3, 6, 3],
    ]);
  });

  it('goes on in turn after a restore, and without an update stays', async () => {
    const mixer = mixerOf('round-robin');
    await countsOf(mixer, 'before', 4);
    const restored = Mixer.restore(JSON.parse(JSON.stringify(mixer.state())) as MixerState);
    expect((await countsOf(restored, 'before', 3)).map((each) => each.indexOf(12))).toEqual([1, 2, 0]);
    expect(Array.from(restored.next())).toEqual([12, 0, 0]);
    expect(restored.needs).toEqual({ gradients: false, losses: false, inner: false });
  });
});

describe('random', () => {
  it('draws from SplitMix64, whose published outputs for seed 1234567 it has', () => {
    const outputs = [0n, 1n, 2n, 3n, 4n].map((i) => splitMix64(1234567n, i));
    expect(outputs).toEqual([
      6457827717110365317n,
      3203168211198807973n,
      9817491932198370423n,
      4593380528125082431n,
      16408922859458223821n,
    ]);
  });

  it('gives whole batches to tasks drawn by the initial weights, independently', async () => {
    const initialWeights = [0.5, 0.2, 0.3];
    const counts = await countsOf(mixerOf('random', { initialWeights, seed: 7 }), 'before', 3000);
    const drawn = counts.map((each) => each.indexOf(12));
    expect(drawn.every((task) => task >= 0)).toBe(true);
    // Chi-squared over pairs of neighbours, 8 degrees of freedom: beyond 26.1 once in a thousand.
    const pairs = new Map<string, number>();
    for (let i = 1; i < drawn.length; i += 2) {
      const key = `${drawn[i - 1]}${drawn[i]}`;
      pairs.set(key, (pairs.get(key) ?? 0) + 1);
    }
    let chiSquared = 0;
    for (const [j, p] of initialWeights.entries())
      for (const [k, q] of initialWeights.entries()) {
        const expected = (drawn.length / 2) * p * q;
        chiSquared += ((pairs.get(`${j}${k}`) ?? 0) - expected) ** 2 / expected;
      }
    expect(chiSquared).toBeLessThan(26.1);
    expect(chiSquared).toBeGreaterThan(0.5);
  });

  it('depends on the seed and the number of the draw alone', async () => {
    const sequence = async (seed: number) => countsOf(mixerOf('random', { seed }), 'before');
    expect(await sequence(1)).toEqual(await sequence(1));
    expect(await sequence(1)).not.toEqual(await sequence(2));
    const mixer = mixerOf('random', { seed: 1 });
    await countsOf(mixer, 'before', 8);
    const restored = Mixer.restore(JSON.parse(JSON.stringify(mixer.state())) as MixerState);
    expect(await countsOf(restored, 'before', 12)).toEqual((await sequence(1)).slice(8));
  });

  it('never draws a task of weight 0', async () => {
    const mixer = mixerOf('random', { initialWeights: [0, 1, 0] });
    for (const counts of await countsOf(mixer, 'before')) expect(counts).toEqual([0, 12, 0]);
  });
});

describe('FAMO', () => {
  // Losses lie 1e-8 above these, the least that FAMO knows, so that the numbers below are exact.
  const minLosses = [1e-8, 1e-8];
  const losses = [
    [4, 1],
    [2, 1],
    [1, 1],
  ];

  it('is Algorithm 1, by hand', async () => {
    const rule = famo({ optimizer: 'gradient', learningRate: 4, decay: 0.25, minLosses });
    const mixer = mixerOf(rule, { ...two, initialWeights: [0.3, 0.7] });
    const reports = await follow(mixer, losses);
    // 1. ξ = 0, z = (½, ½): y ∝ (½/4, ½/1) = 1 : 4, of mean 1.
    // 2. r = (ln 2, 0), their mean by z is ½ ln 2, so δ = ½·(½ ln 2, −½ ln 2) and ξ = −4δ = (−ln 2, ln 2).
    //    z = (½, 2)/2.5 = (0.2, 0.8): y ∝ (0.2/2, 0.8/1) = 1 : 8.
    // 3. r = (ln 2, 0), mean 0.2 ln 2, δ = (0.2·0.8 ln 2, −0.8·0.2 ln 2) = ±0.16 ln 2; decay adds 0.25·(∓ln 2).
    //    ξ = ∓ln 2 ∓ 4·(0.16 − 0.25) ln 2 = ∓0.64 ln 2, so y = 2/(1 + 2^1.28) and its complement to 2.
    const expected = [
      [0.4, 1.6],
      [2 / 9, 16 / 9],
      [0.5833642423643727, 1.4166357576356277],
    ];
    for (const [i, { lossWeights, weights }] of reports.entries()) {
      expect(largestDifference(lossWeights, expected[i])).toBeLessThan(1e-14);
      expect(largestDifference(weights, [0.3, 0.7])).toBeLessThan(1e-15);
    }
    expect(
      largestDifference(mixer.state().rule.logits as number[], [-0.443614195558365, 0.443614195558365]),
    ).toBeLessThan(1e-14);
  });

  it('by default steps its logits by Adam, by hand', async () => {
    const rule = famo({ learningRate: 0.1, decay: 0.5, minLosses });
    const reports = await follow(mixerOf(rule, two), losses);
    // As above, but the steps are Adam's (0.9, 0.999, 1e-8, decay added to the gradient). The first:
    // gradient g = ±¼ ln 2, m̂ = g, √v̂ = |g|, ξ = ∓0.1·|g|/(|g| + 1e-8) = ∓0.099999994; y ∝ e^∓0.0999…/(2, 1).
    // The second with r = (ln 2, 0) again, in 40 digits: ξ = ∓0.1975950513533240.
    const expected = [
      [0.4, 1.6],
      [0.580921578897658, 1.419078421102342],
      [0.8049370319599113, 1.1950629680400888],
    ];
    for (const [i, { lossWeights }] of reports.entries())
      expect(largestDifference(lossWeights, expected[i])).toBeLessThan(1e-14);
  });

  it('a loss that is not known, or at its minimum, pushes nobody', async () => {
    const mixer = mixerOf(famo({ optimizer: 'gradient', learningRate: 1, decay: 0 }));
    const [, second, third] = await follow(mixer, [
      { a: 4, b: 1 },
      { b: 1, c: 3 },
      { a: 2, b: 1, c: 3 },
    ]);
    expect(second.missed).toEqual([{ task: 'a', reason: 'not measured' }]);
    // Only b has two losses so far, and alone is its own average: the logits stay, and y ∝ 1/ℓ of the last losses.
    const inverse = [1 / 4, 1, 1 / 3];
    const total = inverse.reduce((x, y) => x + y, 0);
    const expected = inverse.map((x) => (3 * x) / total);
    expect(largestDifference(second.lossWeights, expected)).toBeLessThan(1e-7);
    expect(third.lossWeights[0]).toBeLessThan((3 * (1 / 2)) / (1 / 2 + 1 + 1 / 3));
    const [zero] = await follow(mixer, [[0, -1, 2]]);
    expect(zero.lossWeights.every((y) => Number.isFinite(y) && y >= 0)).toBe(true);
  });
});

it('a floor that comes with a restore holds for FAMO, too', async () => {
  const mixer = mixerOf('famo', { initialWeights: [0.1, 0.3, 0.6] });
  const restored = Mixer.restore(mixer.state(), { minWeight: 0.2 });
  const report = await restored.update({ losses: [1, 2, 3] });
  expect(largestDifference(report.weights, [0.2, 0.8 / 3, 1.6 / 3])).toBeLessThan(1e-15);
  expect(report.floored).toEqual(['a']);
});

describe('ODM', () => {
  it('is its Algorithm 1, by hand', async () => {
    const mixer = mixerOf('odm', two);
    const reports = await follow(mixer, [[1, 3], { b: 2 }]);
    // 1. π₁ = (½, ½), so R = 0.1·(1, 3)/½ = (0.2, 0.6). ε₁ = min(½, √(ln 2/2) = 0.589) = ½, ε₂ = √(ln 2/4) = 0.416277306.
    //    π₂ = (1 − 2ε₂)·(e^0.1, e^0.3)/(e^0.1 + e^0.3) + ε₂ = 0.167445389·(0.450166, 0.549834) + 0.416277306.
    // 2. a is not drawn and keeps R = 0.2; b: 0.9·0.6 + 0.1·2/0.508344473 = 0.933434001. ε₃ = √(ln 2/6) = 0.339888997.
    //    π₃ = (1 − 2ε₃) softmax(ε₂·(0.2, 0.933434001)) + ε₃.
    const expected = [
      [0.4916555269424459, 0.5083444730575541],
      [0.4757462104236195, 0.5242537895763805],
    ];
    for (const [i, { weights }] of reports.entries())
      expect(largestDifference(weights, expected[i])).toBeLessThan(1e-14);
    expect(mixer.state().rule.rewards).toEqual([
      expect.closeTo(0.2, 14),
      expect.closeTo(0.933434001154875, 14),
    ]);
  });

  it('is EXP3 on full information with sums and without importance, by hand', async () => {
    const reports = await follow(mixerOf(odm({ reward: 'sum', importance: false }), two), [
      [1, 3],
      [2, 1],
    ]);
    // R = (1, 3), then (3, 4); ε as above.
    const expected = [
      [0.4613103064559492, 0.5386896935440508],
      [0.4671477520377675, 0.532852247962232],
    ];
    for (const [i, { weights }] of reports.entries())
      expect(largestDifference(weights, expected[i])).toBeLessThan(1e-14);
  });

  it('explores every task, and less as time goes by', async () => {
    const mixer = mixerOf(odm({ reward: 'sum' }));
    for (let t = 1; t <= 400; t++) {
      const { weights } = await mixer.update({ losses: [0, 0, 100] });
      const least = Math.min(1 / 3, Math.sqrt(Math.log(3) / (3 * (t + 1))));
      expect(Math.min(...weights)).toBeGreaterThan(least * (1 - 1e-12));
      expect(Math.max(...weights)).toBeLessThanOrEqual(1 - 2 * least + 1e-12);
    }
    // After 400 updates: √(ln 3/1203) = 0.0302 for a and for b.
    expect(largestDifference(mixer.weights, [0.0302196, 0.0302196, 0.9395608])).toBeLessThan(1e-6);
  });
});

it('ODM and FAMO have finite answers at the ends of the number line', async () => {
  const [low, high] = [-Number.MAX_VALUE, Number.MAX_VALUE];
  const mixer = mixerOf(famo({ minLosses: [low, low, 0] }));
  for (const losses of [
    [high, 1, 0],
    [1, high, high],
  ]) {
    const { lossWeights } = await mixer.update({ losses });
    expect(lossWeights.reduce((a, b) => a + b)).toBeCloseTo(3, 12);
  }
  // A weight of e^-800 is 0 as a number: nothing is divided by it.
  const rare = Mixer.restore({
    ...mixerOf('odm', two).state(),
    rule: {
      ...rules.odm.init(2, { ...mixerOf('odm', two).state().options } as never),
      logWeights: [0, -800],
    },
  });
  const { weights } = await rare.update({ losses: [1, 0] });
  expect(Array.from(weights)).toEqual([1, 0]);
  expect(rare.state().rule.rewards).toEqual([expect.closeTo(0.1, 14), 'unknown']);
});

describe('DoReMi', () => {
  it('is its Algorithm 1, by hand', async () => {
    const mixer = mixerOf(doremi({ referenceLosses: [1, 2, 5] }));
    const [first, second] = await follow(mixer, [[2, 1, 5], { a: 1.5, c: 5.5 }]);
    // 1. λ = (1, max(−1, 0), 0): w = (e, 1, 1)/(e + 2), then 0.999 w + 0.001/3.
    const one = [0.5758741012143966, 0.2120629493928017, 0.2120629493928017];
    expect(largestDifference(first.weights, one)).toBeLessThan(1e-14);
    // 2. λ = (½, its last: 0, ½): w ∝ (0.5758741 √e, 0.2120629, 0.2120629 √e), then as before.
    const two = [0.6280046214424895, 0.1405250235645564, 0.2314703549929541];
    expect(largestDifference(second.weights, two)).toBeLessThan(1e-14);
    const mean = one.map((x, k) => (x + two[k]) / 2);
    expect(largestDifference(mixer.state().rule.average as number[], mean)).toBeLessThan(1e-14);
  });

  it('with steps limited and pulled back goes part of the way', async () => {
    const options = { maxLogStep: 0.1, priorPull: 0.05 };
    const mixer = mixerOf(doremi({ referenceLosses: [0, 0, 0] }), options);
    const report = await mixer.update({ losses: [3, 0, 0] });
    expect(report.limited).toBe(true);
    const moves = report.weights.map((w) => Math.abs(Math.log(w * 3)));
    expect(Math.max(...moves)).toBeCloseTo(0.1, 12);
  });
});

describe('a state', () => {
  it.each<[string, () => WeightRule, () => WeightRule]>([
    ['famo', () => famo({ decay: 0 }), () => rules.famo],
    ['odm', () => odm({ smoothing: 0.5 }), () => rules.odm],
    ['doremi', () => doremi({ referenceLosses: [1, 2, 3] }), () => doremi({ referenceLosses: [1, 2, 4] })],
    ['proportional', () => proportional({ sizes: [1, 2, 3] }), () => proportional({ sizes: [1, 2, 4] })],
    [
      'temperature',
      () => temperature({ sizes: [1, 2, 3] }),
      () => temperature({ sizes: [1, 2, 3], temperature: 3 }),
    ],
  ])('of %s goes on with the same numbers and no others', async (_, make, other) => {
    const losses = [
      [3, 2, 1],
      [2, 2, 1.5],
      [1, 2, 0.5],
    ];
    const mixer = mixerOf(make());
    const [, second, third] = await follow(mixer, losses);
    const half = mixerOf(make());
    await follow(half, losses.slice(0, 2));
    const saved = JSON.parse(JSON.stringify(half.state())) as MixerState;
    expect(saved).toEqual(half.state());
    expect(half.weights).toEqual(second.weights);
    const restored = Mixer.restore(saved, { rule: make() });
    const [last] = await follow(restored, losses.slice(2));
    expect([last.weights, last.lossWeights]).toEqual([third.weights, third.lossWeights]);
    const wrong = Mixer.restore(saved, { rule: other() });
    const before = wrong.state();
    await expectError('ERR_STATE', /made with/, () => wrong.update({ losses: losses[2] }));
    expect(wrong.state()).toEqual(before);
  });

  it.each<[string, object]>([
    ['famo', { losses: ['unknown', null, 1] }],
    ['famo', { logits: [0, 0] }],
    ['famo', { steps: -1 }],
    ['famo', { first: 'none' }],
    ['odm', { rewards: [0, 0] }],
    ['odm', { updates: 0.5 }],
    ['random', { draws: 'one' }],
    ['round-robin', { turn: 3 }],
    ['round-robin', { since: -1 }],
  ])('of %s with %o is refused', async (name, damage) => {
    const mixer = mixerOf(name);
    const saved = mixer.state();
    await expectError('ERR_STATE', /state/, async () =>
      Mixer.restore({ ...saved, rule: { ...saved.rule, ...damage } } as MixerState).update({
        losses: [1, 2, 3],
      }),
    );
  });
});

describe('bad input', () => {
  it.each<[string, RegExp, () => unknown]>([
    ['no sizes', /needs sizes/, () => proportional({ sizes: [] })],
    ['nothing', /needs sizes.* a list of numbers .* got undefined/, () => temperature(undefined as never)],
    ['sizes by task', /needs sizes.* got an object/, () => proportional({ sizes: { a: 1 } } as never)],
    ['losses by task', /needs referenceLosses/, () => doremi({ referenceLosses: { a: 1 } } as never)],
    [
      'a temperature of 0',
      /must be a number > 0, but is 0/,
      () => temperature({ sizes: [1, 2], temperature: 0 }),
    ],
    ['a size of 0', /sizes\[1\] must be a finite number > 0/, () => proportional({ sizes: [1, 0, 2] })],
    ['a misspelt option', /no option "size"/, () => proportional({ size: [1] } as never)],
    ['temperature 0', /temperature must be/, () => temperature({ sizes: [1, 2], temperature: 0 })],
    ['α = 1', /smoothing must be/, () => odm({ smoothing: 1 })],
    ['an unknown reward', /reward must be one of/, () => odm({ reward: 'max' as never })],
    ['an unknown optimiser', /optimizer must be one of/, () => famo({ optimizer: 'sgd' as never })],
    ['a negative rate', /learningRate must be/, () => famo({ learningRate: -1 })],
    ['no reference', /needs referenceLosses/, () => doremi({} as never)],
    ['a share above 1', /uniformShare must be/, () => doremi({ referenceLosses: [1], uniformShare: 2 })],
    ['a rule without its data', /proportional\(\{ sizes \}\)/, () => mixerOf('proportional')],
    [
      'initial weights of a fixed mixture',
      /weights of its own/,
      () => mixerOf('uniform', { initialWeights: [0.2, 0.2, 0.6] }),
    ],
    ['small steps in turns', /no meaning/, () => mixerOf('round-robin', { maxLogStep: 0.3 })],
    ['a prior in turns', /no meaning/, () => mixerOf('random', { priorPull: 0.1 })],
  ])('%s', async (_, message, work) => {
    await expectError('ERR_INVALID_OPTION', message, work);
  });

  it.each<[string, WeightRule]>([
    ['sizes', proportional({ sizes: [1, 2] })],
    ['referenceLosses', doremi({ referenceLosses: [1, 2] })],
    ['minLosses', famo({ minLosses: [1, 2] })],
  ])('%s of another number of tasks', async (name, rule) => {
    await expectError('ERR_SHAPE', new RegExp(`2 ${name}.*3 tasks`), () => mixerOf(rule));
  });

  it.each([[[1, Number.NaN]], [[1, Infinity]]])('numbers that are none: %o', async (values) => {
    for (const make of [
      () => proportional({ sizes: values }),
      () => doremi({ referenceLosses: values }),
      () => famo({ minLosses: values }),
    ])
      await expectError('ERR_NON_FINITE', /\[1\] must be finite/, make);
  });
});
