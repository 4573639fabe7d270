/** Tasks that leave the mixture: weights, floors, reports and states from there on, by every rule. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  doremi,
  famo,
  Mixer,
  type MixerOptions,
  type MixerState,
  proportional,
  temperature,
  type UpdateReport,
  type WeightRule,
} from '../../lib/index.js';
import { rules } from '../../lib/rules/rules.js';
import { expectError, largestDifference } from '../support/expect.js';
import { drawGradient, mulberry32 } from '../support/gradients.js';
import { row } from '../support/small.js';

const sum = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0);
const letters = (K: number) => Array.from({ length: K }, (_, k) => 'abcdefgh'[k]);
const throughJson = (state: MixerState): MixerState => JSON.parse(JSON.stringify(state));

/** Numbers of a rule for each of K tasks, of which the first is task number `first`. */
const perTask = (K: number, first: number) => Array.from({ length: K }, (_, k) => 0.1 * (k + first) ** 2);
const sizesOf = (K: number) => Array.from({ length: K }, (_, k) => k + 1);
const made: Record<string, (K: number, first?: number) => WeightRule> = {
  ...Object.fromEntries(Object.entries(rules).map(([name, rule]) => [name, () => rule])),
  doremi: (K, first = 0) => doremi({ referenceLosses: perTask(K, first) }),
  'famo of Algorithm 1': (K, first = 0) => famo({ minLosses: perTask(K, first), optimizer: 'gradient' }),
  proportional: (K) => proportional({ sizes: sizesOf(K) }),
  temperature: (K) => temperature({ sizes: sizesOf(K), temperature: 2 }),
};
const withTurns = ['round-robin', 'random'];

function mixerOf(rule: string, K: number, options: Partial<MixerOptions> = {}): Mixer {
  const bounds = ['mirror', 'conceptual', 'gramian'].includes(rule)
    ? { learningRate: 0.1, smoothness: 1 }
    : {};
  return new Mixer({
    tasks: letters(K),
    batchSize: 16,
    rule: made[rule](K),
    updateInterval: 1,
    backend: 'reference',
    ...bounds,
    ...options,
  });
}

/** Measures all active tasks; what is drawn depends on the step and the task alone. */
async function measure(mixer: Mixer, byRows: boolean): Promise<UpdateReport> {
  const { needs } = mixer;
  // What a task is like depends on its name, so that it is the same in another mixer.
  const letter = (task: string) => task.charCodeAt(0) - 'a'.charCodeAt(0);
  const losses = mixer.tasks.map((task) => 1 + letter(task) + 0.3 * Math.sin(mixer.step + 2 * letter(task)));
  if (!needs.gradients) return mixer.update(needs.losses ? { losses } : {});
  const rows = mixer.tasks.map((task) => {
    const k = letter(task);
    const random = mulberry32(100 * k + mixer.step);
    const drawn = [0, 1, 2].map(() => drawGradient([k + 1, 1, 1 - k, 0.5], 1, 2, random));
    return mixer.activeTasks.includes(task) ? drawn : [];
  });
  if (byRows)
    return mixer.measure(rows, {
      samples: rows.map((task) => task.map(() => 2)),
      losses: rows.map((task, k) => task.map(() => losses[k])),
    });
  for (const [k, task] of mixer.tasks.entries())
    for (const gradient of rows[k]) await mixer.observe(task, gradient, { samples: 2, loss: losses[k] });
  return mixer.update();
}

function expectMixture(mixer: Mixer, minWeight: number, before?: Float64Array): void {
  const { weights, tasks, activeTasks } = mixer;
  expect(weights.length).toBe(tasks.length);
  expect(Math.abs(sum(weights) - 1)).toBeLessThan(1e-12);
  for (const [k, task] of tasks.entries())
    if (activeTasks.includes(task)) expect(weights[k]).toBeGreaterThanOrEqual(minWeight);
    else expect(weights[k]).toBe(0);
  // The others keep their proportions.
  if (!before) return;
  const mass = sum(before.filter((_, k) => activeTasks.includes(tasks[k])));
  const expected = before.map((w, k) => (activeTasks.includes(tasks[k]) ? w / mass : 0));
  expect(largestDifference(weights, expected)).toBeLessThan(1e-12);
}

describe.each(Object.keys(made))('retire, rule %s', (rule) => {
  it('weights of the others sum to 1, floors hold, the retired have 0, from there on', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 6 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer(),
        fc.boolean(),
        async (K, floor, seed, byRows) => {
          const random = mulberry32(seed);
          const minWeight = floor / K;
          const mixer = mixerOf(rule, K, { minWeight, minPerTask: K <= 4 ? 1 : 0 });
          const order = letters(K);
          for (let left = K; left > 0; left--) {
            for (let i = 0; i < 3; i++) {
              const report = await measure(mixer, byRows);
              expectMixture(mixer, minWeight);
              expect(report.weights).toEqual(mixer.weights);
              expect(report.missed).toEqual([]);
              const counts = mixer.next();
              expect(sum(counts)).toBe(16);
              for (const [k, task] of mixer.tasks.entries())
                if (!mixer.activeTasks.includes(task)) expect(counts[k]).toBe(0);
            }
            if (left === 1) break;
            const [task] = order.splice(Math.floor(random() * left), 1);
            const before = mixer.weights;
            mixer.retire(task);
            expect(mixer.activeTasks).toEqual(order);
            expectMixture(mixer, minWeight, withTurns.includes(rule) ? undefined : before);
          }
        },
      ),
      { numRuns: 12 },
    );
  });

  it('goes on the same from a state', async () => {
    const run = async (mixer: Mixer, from: number, to: number) => {
      const trace: string[] = [];
      for (let t = from; t < to; t++) {
        if (t === 4) mixer.retire('b');
        if (t === 9) mixer.retire('d');
        await measure(mixer, false);
        trace.push(
          JSON.stringify([
            Array.from(mixer.next()),
            Array.from(mixer.weights),
            Array.from(mixer.lossWeights),
          ]),
        );
      }
      return trace;
    };
    const whole = await run(mixerOf(rule, 5), 0, 15);
    for (const at of [3, 4, 5, 9, 10, 13]) {
      const first = mixerOf(rule, 5);
      await run(first, 0, at);
      const state = first.state();
      expect(throughJson(state)).toEqual(state);
      const second = Mixer.restore(throughJson(state), { rule: made[rule](5) });
      expect(second.activeTasks).toEqual(first.activeTasks);
      expect(await run(second, at, 15)).toEqual(whole.slice(at));
    }
  });

  it.each([
    ['by rows', true],
    ['one by one', false],
  ])('what remains is the problem that never had the others, measured %s', async (_, byRows) => {
    if (withTurns.includes(rule) || rule === 'proportional' || rule === 'temperature') return;
    // Retired before anything was measured, so nothing of it can be left anywhere. The first: all others move up.
    const mixer = mixerOf(rule, 4, { minWeight: 0.1, inner: true });
    mixer.retire('a');
    const alone = mixerOf(rule, 3, {
      tasks: ['b', 'c', 'd'],
      minWeight: 0.1,
      inner: true,
      rule: made[rule](3, 1),
    });
    const rest = (list: ArrayLike<number>) => Array.from(list).slice(1);
    for (let i = 0; i < 6; i++) {
      const [all, three] = [await measure(mixer, byRows), await measure(alone, true)];
      expect(largestDifference(rest(mixer.weights), alone.weights)).toBeLessThan(1e-12);
      expect(largestDifference(rest(all.lossWeights), three.lossWeights)).toBeLessThan(1e-12);
      expect(rest(mixer.next())).toEqual(Array.from(alone.next()));
      if (!mixer.needs.gradients) continue;
      expect(all.conflict!.beta).toBeCloseTo(three.conflict!.beta, 12);
      if (byRows) expect(all.heterogeneity).toEqual(three.heterogeneity);
      const { inner } = all.smoothed;
      const block = [1, 2, 3].flatMap((j) => [1, 2, 3].map((k) => inner![4 * j + k]));
      expect(largestDifference(block, three.smoothed.inner!)).toBeLessThan(1e-9);
    }
  });
});

describe('retire', () => {
  const three = (options: Partial<MixerOptions> = {}) => mixerOf('pike', 3, options);

  it('tells of it, in an event and in every report', async () => {
    const mixer = three({ inner: true });
    const told: unknown[] = [];
    mixer.on('retire', (event) => told.push(event));
    mixer.next();
    mixer.retire('b');
    mixer.retire('b');
    expect(told).toEqual([{ task: 'b', step: 1 }]);
    const report = await measure(mixer, true);
    expect(report.retired).toEqual(['b']);
    expect(report.weights[1]).toBe(0);
    expect(report.lossWeights[1]).toBe(1);
    expect(report.statistics.microBatches).toEqual(Int32Array.of(3, 0, 3));
    expect(report.statistics.normSquared[1]).toBeNaN();
    expect(report.smoothed.variance[1]).toBeNaN();
    expect(report.losses![1]).toBeNaN();
    // Row-major by all three tasks.
    const { inner } = report.smoothed;
    expect(Array.from(inner!, Number.isNaN)).toEqual([
      false,
      true,
      false,
      true,
      true,
      true,
      false,
      true,
      false,
    ]);
    expect(inner![8]).toBe(report.smoothed.normSquared[2]);
    expect(report.conflict!.cosine.length).toBe(9);
  });

  it('nothing is measured of it: observe and measure say so', async () => {
    const mixer = three();
    mixer.retire('b');
    await expectError('ERR_INVALID_OPTION', /'b' was retired/, () =>
      mixer.observe('b', row(1), { samples: 1 }),
    );
    const two = [row(1), row(2)];
    const samples = [
      [1, 1],
      [1, 1],
      [1, 1],
    ];
    await expectError('ERR_INVALID_OPTION', /'b' was retired/, () =>
      mixer.measure([two, two, two], { samples }),
    );
    const report = await mixer.measure([two, [], two], { samples: [[1, 1], [], [1, 1]] });
    expect(report.missed).toEqual([]);
  });

  it('what is known of the others stays known: averages, products, errors', async () => {
    const control = mixerOf('pike', 5, { inner: true });
    const mixer = mixerOf('pike', 5, { inner: true });
    for (let t = 0; t < 4; t++) {
      for (const one of [control, mixer]) {
        await measure(one, true);
        one.next();
      }
      if (t === 1) mixer.retire('a');
      if (t === 2) mixer.retire('d');
    }
    const [all, rest] = [(await measure(control, true)).smoothed, (await measure(mixer, true)).smoothed];
    for (const k of [1, 2, 4]) {
      expect(rest.normSquared[k]).toBeCloseTo(all.normSquared[k], 12);
      expect(rest.variance[k]).toBeCloseTo(all.variance[k], 12);
      expect(rest.standardError!.normSquared[k]).toBeCloseTo(all.standardError!.normSquared[k], 12);
      for (const j of [1, 2, 4]) expect(rest.inner![5 * j + k]).toBeCloseTo(all.inner![5 * j + k], 12);
    }
    for (const k of [0, 3]) expect(rest.normSquared[k]).toBeNaN();
  });

  it('a measurement in progress goes on without it', async () => {
    const with3 = three();
    const with2 = three();
    for (const task of ['a', 'b', 'c'])
      for (const x of [1, 2, 4])
        for (const mixer of [with3, with2]) {
          if (mixer === with2 && task === 'b') continue;
          await mixer.observe(task, row(x, task === 'a' ? 3 : 1), { samples: 1 });
        }
    with3.retire('b');
    with2.retire('b');
    expect((await with3.update()).weights).toEqual((await with2.update()).weights);
  });

  it('also one that is being computed', async () => {
    const rows = [
      [row(1, 2), row(2, 2)],
      [row(5, 2), row(2, 5)],
      [row(3, 1), row(1, 3)],
    ];
    const samples = rows.map(() => [1, 1]);
    const [during, before] = [three(), three()];
    const pending = during.measure(rows, { samples });
    for (let i = 0; i < 2; i++) await Promise.resolve();
    during.retire('b');
    before.retire('b');
    const report = await before.measure([rows[0], [], rows[2]], { samples: [[1, 1], [], [1, 1]] });
    expect((await pending).weights).toEqual(report.weights);
    expect((await pending).retired).toEqual(['b']);
    // All that were measured, too.
    const mixer = three();
    const none = mixer.measure([[], rows[1], []], { samples: [[], [1, 1], []] });
    mixer.retire('b');
    expect((await none).missed.map(({ task }) => task)).toEqual(['a', 'c']);
  });

  it('refuses what cannot be', async () => {
    const mixer = three();
    await expectError('ERR_INVALID_OPTION', /no task "x"/, () => mixer.retire('x'));
    mixer.retire('a');
    mixer.retire('b');
    const state = mixer.state();
    await expectError('ERR_INVALID_OPTION', /'c' is the last task/, () => mixer.retire('c'));
    expect(mixer.state()).toEqual(state);
  });

  it('a rule of your own with a memory must say what becomes of it', async () => {
    const rule: WeightRule = {
      name: 'mine',
      needs: { gradients: false },
      init: (K) => ({ logWeights: new Array(K).fill(-Math.log(K)), seen: new Array(K).fill(0) }),
      update: (state) => ({ state }),
    };
    const of = (rule: WeightRule) =>
      new Mixer({ tasks: letters(3), batchSize: 8, rule, backend: 'reference' });
    const mixer = of(rule);
    expect(mixer.canRetire).toBe(false);
    const before = mixer.state();
    await expectError('ERR_INVALID_OPTION', /rule 'mine' keeps more .*seen.*retire/s, () =>
      mixer.retire('b'),
    );
    expect(mixer.state()).toEqual(before);
    const wrong = of({ ...rule, retire: (state) => state });
    await expectError('ERR_STATE', /list of 2/, () => wrong.retire('b'));
    const right = of({
      ...rule,
      retire: (_state, task, { options, step }) => ({
        logWeights: options.initialWeights.map(Math.log),
        seen: [task, step],
      }),
    });
    expect(right.canRetire).toBe(true);
    right.next();
    right.retire('b');
    expect(right.state().rule.seen).toEqual([1, 1]);
    await right.update();
    expect(right.weights[1]).toBe(0);
  });

  it('a task that has all the weight leaves it to the others as they began', () => {
    const mixer = three({ initialWeights: [0, 1, 0], minWeight: 0 });
    mixer.retire('b');
    expect(Array.from(mixer.weights)).toEqual([0.5, 0, 0.5]);
    const turns = mixerOf('round-robin', 3);
    turns.retire('a');
    expect(Array.from(turns.weights)).toEqual([0, 1, 0]);
  });

  it('hands turns on to the next in line', async () => {
    const mixer = mixerOf('round-robin', 4);
    const seen: number[] = [];
    for (let t = 0; t < 12; t++) {
      await mixer.update();
      if (t === 5) mixer.retire('b');
      if (t === 8) mixer.retire('a');
      seen.push(Array.from(mixer.next()).indexOf(16));
    }
    // At step 5 it is b's turn, at step 8 c's.
    expect(seen).toEqual([0, 1, 2, 3, 0, 2, 3, 0, 2, 3, 2, 3]);
    // Before the update that would have ended b's turn: c has one of its own all the same.
    const turns = mixerOf('round-robin', 4, { updateInterval: 2 });
    const order: number[] = [];
    for (let t = 0; t < 8; t++) {
      if (t === 4) turns.retire('b');
      if (turns.due) await turns.update();
      order.push(Array.from(turns.next()).indexOf(16));
    }
    expect(order).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
  });

  it('no batch loses anything: what was carried goes on', () => {
    const mixer = three({ batchSize: 10, initialWeights: [0.33, 0.33, 0.34] });
    const totals = [0, 0, 0];
    for (let t = 0; t < 7; t++)
      mixer.next().forEach((c, k) => {
        totals[k] += c;
      });
    mixer.retire('c');
    const after = [0, 0, 0];
    for (let t = 0; t < 500; t++) {
      mixer.next().forEach((c, k) => {
        after[k] += c;
      });
      for (const k of [0, 1]) expect(Math.abs(after[k] - 5 * (t + 1))).toBeLessThanOrEqual(2);
    }
  });

  it('refuses states whose retired tasks cannot be', async () => {
    const mixer = three();
    mixer.retire('b');
    const state = mixer.state();
    expect(state.version).toBe(3);
    for (const retired of [['x'], ['b', 'b'], ['a', 'b', 'c'], 'b', undefined, ['a', 'b'], []])
      await expectError('ERR_STATE', /./, () => Mixer.restore({ ...state, retired } as MixerState));
    await expectError('ERR_STATE', /version 2/, () =>
      Mixer.restore({ ...state, version: 2 } as unknown as MixerState),
    );
  });
});
