import { describe, expect, it } from 'vitest';
import { type MixedBatch, MixedSource, Mixer, type WeightRule } from '../../lib/index.js';
import { indexSpace } from '../../lib/sampling/index-space.js';
import { expectError } from '../support/expect.js';
import { mulberry32 } from '../support/gradients.js';
import { mixtureOf, names } from '../support/sources.js';

const sum = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0);
const indicesOf = (batch: MixedBatch<unknown>) =>
  Object.fromEntries(Object.entries(batch.tasks).map(([task, { indices }]) => [task, indices]));

/** Weights that drift for no reason but the step. */
const drift: WeightRule = {
  name: 'drift',
  needs: { gradients: false },
  init: (K) => ({ logWeights: new Array(K).fill(-Math.log(K)) }),
  update: (_state, { tasks: K }, { step }) => {
    const x = Array.from({ length: K }, (_, k) => Math.exp(1.5 * Math.sin(step / (20 + 7 * k) + k)));
    return { state: { logWeights: x.map((w) => Math.log(w / sum(x))) } };
  },
};

const K = 8;
const sizes = [50, 333, 1000, 77, 2048, 10, 500, 123];
const driftingMixer = () =>
  new Mixer({ tasks: names(K), batchSize: 24, rule: drift, updateInterval: 1, backend: 'reference' });
const drifting = () =>
  new MixedSource<number>({
    mixer: driftingMixer(),
    sources: Object.fromEntries(names(K).map((name, k) => [name, indexSpace(sizes[k])])),
    seed: 5,
  });

async function step(mixed: MixedSource<number>) {
  if (mixed.mixer.due) await mixed.mixer.update();
  const { value } = await mixed.next();
  return value!;
}

describe('MixedSource', () => {
  it('2,000 steps of drifting weights: batches sum to b, tasks follow their targets, passes repeat nothing', async () => {
    const mixed = drifting();
    const totals = new Float64Array(K);
    const targets = new Float64Array(K);
    const seen = names(K).map(() => new Map<number, number>());
    let moved = 0;
    for (let t = 0; t < 2000; t++) {
      const batch = await step(mixed);
      expect(batch.step).toBe(t);
      expect(sum(batch.counts)).toBe(24);
      expect(batch.samples.length).toBe(24);
      const indices = indicesOf(batch);
      for (const [k, name] of names(K).entries()) {
        expect(indices[name].length).toBe(batch.counts[k]);
        totals[k] += batch.counts[k];
        targets[k] += 24 * batch.weights[k];
        expect(Math.abs(totals[k] - targets[k])).toBeLessThanOrEqual(2);
        moved = Math.max(moved, Math.abs(batch.weights[k] - 1 / K));
        // Within pass e every sample has been seen e times, or e + 1 times.
        for (const i of indices[name]) {
          const times = seen[k].get(i) ?? 0;
          const pass = Math.floor(sum([...seen[k].values()]) / sizes[k]);
          expect(times).toBe(pass);
          seen[k].set(i, times + 1);
        }
      }
      expect(batch.samples).toEqual(names(K).flatMap((name) => batch.tasks[name].samples));
    }
    expect(moved).toBeGreaterThan(0.2);
    for (const [k, name] of names(K).entries()) {
      expect(mixed.accounting[name]).toEqual({
        samples: totals[k],
        passes: Math.floor(totals[k] / sizes[k]),
        inPass: totals[k] % sizes[k],
        size: sizes[k],
        drawn: 0,
        retired: false,
      });
      if (sizes[k] === 10) expect(totals[k]).toBeGreaterThan(1000);
    }
  });

  it('resumed at any step, it goes on with the same samples and weights, and the same measurements', async () => {
    const random = mulberry32(3);
    const run = async (mixed: MixedSource<number>, from: number, to: number) => {
      const trace: string[] = [];
      for (let t = from; t < to; t++) {
        const batch = await step(mixed);
        const drawn = t % 3 === 0 ? (await mixed.draw(`task${t % K}`, 1 + (t % 7))).indices : [];
        trace.push(JSON.stringify([t, Array.from(batch.weights), indicesOf(batch), drawn]));
      }
      return trace;
    };
    const whole = await run(drifting(), 0, 150);
    const steps = [0, 1, 149, ...Array.from({ length: 20 }, () => Math.floor(150 * random()))];
    for (const at of steps) {
      const first = drifting();
      await run(first, 0, at);
      const state = JSON.parse(JSON.stringify(first.state()));
      expect(state).toEqual(first.state());
      const second = MixedSource.restore<number>(state, {
        sources: Object.fromEntries(names(K).map((name, k) => [name, indexSpace(sizes[k])])),
        overrides: { rule: drift },
        // What is read ahead, and in what pieces, is no part of the sequence.
        prefetch: at % 40,
      });
      expect(await run(second, at, 150)).toEqual(whole.slice(at));
      // Taking a state has changed nothing.
      expect(await run(first, at, Math.min(at + 10, 150))).toEqual(whole.slice(at, at + 10));
    }
  });

  it('a state taken while a batch is gathered stands before it', async () => {
    let gate: Promise<void> | undefined;
    const { mixed, mixer } = mixtureOf({ a: { gate: () => gate }, b: {} }, { prefetch: 0 });
    await mixed.next();
    let open!: () => void;
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const before = mixed.state();
    const pending = mixed.next();
    for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(mixed.state()).toEqual(before);
    expect(mixer.step).toBe(1);
    open();
    await pending;
    expect(mixer.step).toBe(2);
  });

  it('weights that change while samples are read act on that very batch', async () => {
    const rule: WeightRule = {
      name: 'jump',
      needs: { gradients: false },
      init: () => ({ logWeights: [Math.log(0.5), Math.log(0.5)] }),
      update: () => ({ state: { logWeights: [Math.log(0.125), Math.log(0.875)] } }),
    };
    const { mixed, mixer } = mixtureOf(
      { a: { delay: () => 20 }, b: { delay: () => 5 } },
      { prefetch: 0 },
      { rule, minWeight: 0 },
    );
    const pending = mixed.next();
    await mixer.update();
    const { value } = await pending;
    expect(Array.from(value!.counts)).toEqual([1, 7]);
    expect(value!.weights[0]).toBeCloseTo(0.125, 12);
    expect(value!.tasks.a.indices).toEqual([0]);
    // What was read for the old weights comes next.
    expect((await mixed.next()).value!.tasks.a.indices).toEqual([1]);
  });

  it('ends before the first batch that needs more of a source with stop, and loses nothing', async () => {
    for (const tells of [true, false]) {
      const { mixed, mixer, sources } = mixtureOf(
        { a: { size: 10, tells }, b: { size: 1000 } },
        { exhausted: { a: 'stop', b: 'repeat' } },
      );
      const batches: MixedBatch<string>[] = [];
      for await (const batch of mixed) batches.push(batch);
      // 4 of a in each batch: two left over for a third, which cannot be filled.
      expect(batches.map(({ counts }) => Array.from(counts))).toEqual([
        [4, 4],
        [4, 4],
      ]);
      expect(mixed.endedBy).toBe('a');
      expect(mixer.step).toBe(2);
      expect(mixed.accounting.a).toMatchObject({ samples: 8, passes: 0, inPass: 8 });
      expect(await mixed.next()).toEqual({ done: true, value: undefined });
      expect(sources.a.open_ + sources.b.open_).toBe(0);
      // The same end again after a restore, unless a policy says otherwise.
      const again = MixedSource.restore<string>(mixed.state(), { sources });
      expect((await again.next()).done).toBe(true);
      const repeated = MixedSource.restore<string>(mixed.state(), { sources, exhausted: 'repeat' });
      expect((await repeated.next()).value!.tasks.a.samples).toEqual(['0:8', '0:9', '1:0', '1:1']);
    }
  });

  it('is ended by the same task whatever was read ahead', async () => {
    for (const prefetch of [0, 1, 4, 30])
      for (const slow of ['a', 'b', 'none']) {
        const fake = (name: string) => ({ size: 10, ...(name === slow && { delay: () => 20 }) });
        const { mixed } = mixtureOf(
          { a: fake('a'), b: fake('b'), c: {} },
          { exhausted: { a: 'stop', b: 'stop' }, prefetch },
          { batchSize: 12 },
        );
        let batches = 0;
        for await (const _ of mixed) {
          batches++;
          await new Promise((resolve) => setImmediate(resolve));
        }
        expect([batches, mixed.endedBy], `${prefetch} read ahead, slow: ${slow}`).toEqual([2, 'a']);
      }
  });

  it('passes over a source as often as { repeat } says', async () => {
    const { mixed } = mixtureOf(
      { a: { size: 6 }, b: {} },
      { exhausted: { a: { repeat: 3, after: 'stop' }, b: 'repeat' } },
    );
    const seen: string[] = [];
    for await (const { tasks } of mixed) seen.push(...tasks.a.samples);
    expect(seen).toEqual([0, 1, 2].flatMap((e) => [0, 1, 2, 3, 4, 5].map((i) => `${e}:${i}`)).slice(0, 16));
  });

  it('draws for measurements from a cursor of its own', async () => {
    const trace = async (draws: boolean) => {
      const mixed = drifting();
      const seen: unknown[] = [];
      const drawn: number[] = [];
      for (let t = 0; t < 20; t++) {
        if (draws) drawn.push(...(await mixed.draw('task5', 3)).samples);
        seen.push(indicesOf(await step(mixed)));
      }
      return { seen, drawn };
    };
    const { seen, drawn } = await trace(true);
    expect(seen).toEqual((await trace(false)).seen);
    // Six passes over its 10 samples, each in an order of its own, which is not that of training.
    const passes = [0, 1, 2, 3, 4, 5].map((e) => drawn.slice(10 * e, 10 * e + 10));
    for (const pass of passes)
      expect([...pass].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(new Set(passes.map(String)).size).toBe(6);
    const trained = (seen as Record<string, number[]>[]).flatMap(({ task5 }) => task5).slice(0, 10);
    expect(trained.length).toBeGreaterThan(5);
    expect(trained).not.toEqual(passes[0].slice(0, trained.length));
  });
});

describe('a source that is dropped', () => {
  const countsOf = async (mixed: MixedSource<string>, n = Infinity) => {
    const counts: number[][] = [];
    while (counts.length < n) {
      const { value } = await mixed.next();
      if (!value) break;
      counts.push(Array.from(value.counts));
    }
    return counts;
  };

  it.each([
    ['size known', true, undefined],
    ['size unknown', false, undefined],
    ['nothing read ahead', false, 0],
    ['all read ahead', true, 100],
  ])(
    'gives its last samples, and the others fill that batch and all that follow: %s',
    async (_, tells, prefetch) => {
      const { mixed, mixer } = mixtureOf(
        { a: { size: 10, tells }, b: {}, c: {} },
        { exhausted: { a: 'drop' }, ...(prefetch === undefined ? {} : { prefetch }) },
        { initialWeights: [0.5, 0.25, 0.25], minWeight: 0.1 },
      );
      expect(await countsOf(mixed, 3)).toEqual([
        [4, 2, 2],
        [4, 2, 2],
        [2, 3, 3],
      ]);
      // Its last samples can still be measured.
      await mixer.observe('a', Float32Array.of(1, 2), { samples: 2 });
      expect(mixer.activeTasks).toEqual(['a', 'b', 'c']);
      expect(await countsOf(mixed, 2)).toEqual([
        [0, 4, 4],
        [0, 4, 4],
      ]);
      expect(mixer.activeTasks).toEqual(['b', 'c']);
      expect(Array.from(mixer.weights)).toEqual([0, 0.5, 0.5]);
      expect(mixed.accounting.a).toMatchObject({ samples: 10, retired: true });
      expect(mixed.accounting.b).toMatchObject({ samples: 15, retired: false });
      // Measurements may go on.
      expect((await mixed.draw('a', 12)).indices.length).toBe(12);
    },
  );

  it('until none is left: what no longer fills a batch is not handed out', async () => {
    const { mixed, mixer, sources } = mixtureOf(
      { a: { size: 10 }, b: { size: 7, tells: false }, c: { size: 20 } },
      { exhausted: 'drop' },
      { batchSize: 6 },
    );
    const counts = await countsOf(mixed);
    expect(counts.map(sum)).toEqual([6, 6, 6, 6, 6, 6]);
    expect(counts.slice(0, 4)).toEqual([
      [2, 2, 2],
      [2, 2, 2],
      [2, 2, 2],
      [3, 1, 2],
    ]);
    expect(mixer.step).toBe(6);
    expect(mixed.endedBy).toBe('c');
    const { accounting } = mixed;
    // 37 samples make six batches, and one sample is left.
    expect([accounting.a.samples, accounting.b.samples, accounting.c.samples]).toEqual([10, 7, 19]);
    expect(sources.a.open_ + sources.b.open_ + sources.c.open_).toBe(0);
    expect((await mixed.next()).done).toBe(true);
  });

  it('none of its samples is lost or seen twice, and no batch misses any: all sizes and policies', async () => {
    const random = mulberry32(11);
    for (let trial = 0; trial < 60; trial++) {
      const K = 2 + Math.floor(3 * random());
      const fakes = names(K).map(() => ({ size: 1 + Math.floor(60 * random()), tells: random() < 0.5 }));
      const passes = names(K).map(() => 1 + Math.floor(3 * random()));
      const exhausted = Object.fromEntries(names(K).map((name, k) => [name, { repeat: passes[k] }]));
      const batchSize = K + Math.floor(20 * random());
      const { mixed, sources } = mixtureOf(
        Object.fromEntries(names(K).map((name, k) => [name, fakes[k]])),
        { exhausted, prefetch: Math.floor(30 * random()) },
        { batchSize, minPerTask: Math.floor(2 * random()) },
      );
      const seen = names(K).map(() => [] as string[]);
      for await (const batch of mixed) {
        expect(sum(batch.counts)).toBe(batchSize);
        for (const [k, name] of names(K).entries()) seen[k].push(...batch.tasks[name].samples);
      }
      const all = fakes.map(({ size }, k) =>
        Array.from({ length: passes[k] * size }, (_, i) => `${Math.floor(i / size)}:${i % size}`),
      );
      for (const k of fakes.keys()) expect(seen[k]).toEqual(all[k].slice(0, seen[k].length));
      // Less than a batch is left.
      const left = sum(all.map((list, k) => list.length - seen[k].length));
      expect(left).toBeLessThan(batchSize);
      for (const source of Object.values(sources)) expect(source.open_).toBe(0);
    }
  });

  it('is dropped at the same step after a resume, whatever is read ahead', async () => {
    const make = () =>
      mixtureOf(
        { a: { size: 10 }, b: {}, c: { size: 23, tells: false } },
        { exhausted: { a: 'drop', c: 'drop' } },
      );
    const whole = await countsOf(make().mixed, 15);
    for (let at = 0; at < 15; at++)
      for (const prefetch of [0, 3, 50]) {
        const { mixed, sources } = make();
        await countsOf(mixed, at);
        const state = JSON.parse(JSON.stringify(mixed.state()));
        const second = MixedSource.restore<string>(state, { sources, prefetch });
        expect(await countsOf(second, 15 - at)).toEqual(whole.slice(at));
        expect(second.mixer.activeTasks).toEqual(['b']);
      }
  });

  it('at the same step whatever is read ahead, also where batches ask nothing of it for long', async () => {
    const weightsWith = async (prefetch: number) => {
      const { mixed } = mixtureOf(
        { a: { size: 2, tells: false }, b: {}, c: {} },
        { exhausted: { a: 'drop' }, prefetch },
        { batchSize: 4, initialWeights: [0.06, 0.47, 0.47], minWeight: 0.01 },
      );
      const weights: number[] = [];
      for (let t = 0; t < 20; t++) {
        weights.push((await mixed.next()).value!.weights[0]);
        for (let i = 0; i < 9; i++) await new Promise((resolve) => setImmediate(resolve));
      }
      return weights;
    };
    const weights = await weightsWith(0);
    const gone = weights.indexOf(0);
    expect(gone).toBeGreaterThan(4);
    for (const prefetch of [1, 2, 3, 50]) expect(await weightsWith(prefetch)).toEqual(weights);
  });

  it('needs a rule that can go on without it', async () => {
    const rule: WeightRule = {
      name: 'mine',
      needs: { gradients: false },
      init: (K) => ({ logWeights: new Array(K).fill(-Math.log(K)), more: 1 }),
      update: (state) => ({ state }),
    };
    await expectError('ERR_INVALID_OPTION', /rule 'mine' .*retire/, () =>
      mixtureOf({ a: {}, b: {} }, { exhausted: 'drop' }, { rule }),
    );
    mixtureOf({ a: {}, b: {} }, { exhausted: 'stop' }, { rule });
  });

  it('a task that is retired by hand gives no more samples', async () => {
    const { mixed, mixer, sources } = mixtureOf({ a: {}, b: {}, c: {} });
    await mixed.next();
    mixer.retire('b');
    expect(await countsOf(mixed, 1)).toEqual([[4, 0, 4]]);
    // Nor is it opened for any.
    const { read } = sources.b;
    await mixed.return();
    expect(await countsOf(mixed, 3)).toEqual(new Array(3).fill([4, 0, 4]));
    await new Promise((resolve) => setImmediate(resolve));
    expect([sources.b.opened, sources.b.read]).toEqual([1, read]);
    const never = mixtureOf({ a: {}, b: {}, c: {} });
    never.mixer.retire('b');
    expect(await countsOf(never.mixed, 3)).toEqual(new Array(3).fill([4, 0, 4]));
    expect(never.sources.b.opened).toBe(0);
  });
});
