/** Sources that throw, end early, are empty, stall, or are left in the middle; and what stands after that. */
import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { type MixedBatch, MixedSource, type SampleSource } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { type FakeOptions, type FakeSource, mixerFor, mixtureOf } from '../support/sources.js';

const openIn = (sources: Record<string, FakeSource>) =>
  Object.values(sources).reduce((sum, { open_ }) => sum + open_, 0);
const ticks = async (n = 20) => {
  for (let i = 0; i < n; i++) await new Promise((resolve) => setImmediate(resolve));
};
const aOf = ({ value }: IteratorResult<MixedBatch<string>, undefined>) => value!.tasks.a.samples;

/** Batches until one fails, and the failure. */
async function untilItFails(mixed: MixedSource<string>) {
  const batches: MixedBatch<string>[] = [];
  try {
    for await (const batch of mixed) batches.push(batch);
  } catch (error) {
    return { batches, error };
  }
  return { batches, error: null };
}

describe('a source that fails', () => {
  const failing: [string, FakeOptions, RegExp, number][] = [
    ['throws', { throwsAt: 10 }, /^Source 'b' failed: no sample 10$/, 2],
    ['ends early', { size: 50, endsAfter: 10 }, /^Source 'b' failed: pass 0 ended after 10 of its 50/, 2],
    ['is empty', { size: 0, tells: false }, /^Source 'b' failed: it is empty/, 0],
    ['is empty, and says so', { size: 0 }, /^Source 'b' failed: it is empty/, 0],
  ];
  it.each(
    failing.flatMap(([what, fake, message, batches]) =>
      [0, 4, 100].map((prefetch) => [what, prefetch, fake, message, batches] as const),
    ),
  )(
    '%s, prefetch %i: it is named, all are closed, nothing else is lost',
    async (_, prefetch, fake, message, n) => {
      const { mixed, mixer, sources } = mixtureOf({ a: {}, b: fake, c: {} }, { prefetch }, { batchSize: 12 });
      const { batches, error } = await untilItFails(mixed);
      expect(batches.length).toBe(n);
      await expectError('ERR_SOURCE', message, () => {
        throw error;
      });
      expect(openIn(sources)).toBe(0);
      expect(mixer.step).toBe(n);
      expect(mixed.accounting).toMatchObject({
        a: { samples: 4 * n },
        b: { samples: 4 * n },
        c: { samples: 4 * n },
      });
      // The state can be saved, and goes on with sound sources as if nothing had happened.
      const state = JSON.parse(JSON.stringify(mixed.state()));
      const sound = mixtureOf({ a: {}, b: {}, c: {} }).sources;
      if (fake.size !== undefined && fake.tells !== false) state.sources.b.size = 1000;
      else state.sources.b.size = 1000;
      const { value } = await MixedSource.restore<string>(state, { sources: sound }).next();
      for (const task of ['a', 'b', 'c']) expect(value!.tasks[task].indices[0]).toBe(4 * n);
      // Here, too, the others have lost nothing, and the same failure comes again.
      await expectError('ERR_SOURCE', message, () => mixed.next());
      expect((await mixed.draw('a', 2)).samples).toEqual(['0:0', '0:1']);
    },
  );

  it('its error is the cause, and a failure that passes is no more than that', async () => {
    const { mixed, sources } = mixtureOf({ a: {}, b: { throwsAt: 10, throwsOnce: true } });
    const { batches, error } = await untilItFails(mixed);
    expect((error as Error).cause).toMatchObject({ message: 'no sample 10' });
    const after: MixedBatch<string>[] = [];
    for await (const batch of mixed) {
      after.push(batch);
      if (after.length === 20) break;
    }
    const numbers = [...batches, ...after].flatMap(({ tasks }) => tasks.b.indices);
    expect(numbers).toEqual(Array.from(numbers.keys()));
    expect(openIn(sources)).toBe(0);
  });

  it('does so when what it has left is needed, not when it is read ahead', async () => {
    const { mixed, sources } = mixtureOf({ a: {}, b: { throwsAt: 10 } }, { prefetch: 100 });
    expect((await mixed.next()).done).toBe(false);
    await ticks();
    expect((await mixed.next()).done).toBe(false);
    // Two samples are still to be had: not four.
    await expectError('ERR_SOURCE', /no sample 10/, () => mixed.next());
    expect(sources.a.open_).toBe(0);
  });

  it('in its second pass', async () => {
    let passes = 0;
    const once = () => (passes++ === 0 ? ['x', 'y', 'z'] : []);
    const { mixer } = mixtureOf({ a: {}, b: {} });
    const mixed = new MixedSource<string>({ mixer, sources: { a: once, b: ['s'] }, prefetch: 0 });
    await expectError('ERR_SOURCE', /^Source 'a' failed: pass 1 is empty, .*new iterable/, () =>
      mixed.next(),
    );
  });

  it.each<[string, unknown, RegExp]>([
    [
      'open throws',
      {
        open: () => {
          throw new TypeError('no such table');
        },
      },
      /'a' failed: no such table/,
    ],
    [
      'read throws at once',
      {
        open: () => ({
          read() {
            throw new Error('at once');
          },
          position: () => 0,
          close: async () => {},
        }),
      },
      /'a' failed: at once/,
    ],
    [
      'read returns nothing',
      { open: () => ({ read: async () => undefined, position: () => 0, close: async () => {} }) },
      /'a' failed: read must return/,
    ],
    [
      'lists of two lengths',
      {
        open: () => ({
          read: async () => ({ samples: [1], indices: [] }),
          position: () => 0,
          close: async () => {},
        }),
      },
      /'a' failed: read must return/,
    ],
    [
      'more than was asked for',
      {
        open: () => ({
          read: async (n: number) => ({
            samples: new Array(n + 1).fill(0),
            indices: new Array(n + 1).fill(0),
          }),
          position: () => 0,
          close: async () => {},
        }),
      },
      /'a' failed: read\(\d+\) returned/,
    ],
    [
      'something that is no error',
      {
        open: () => {
          throw 'a text';
        },
      },
      /'a' failed: "a text"/,
    ],
  ])('%s', async (_, source, message) => {
    const { mixer } = mixtureOf({ a: {}, b: {} });
    const mixed = new MixedSource<unknown>({
      mixer,
      sources: { a: source as SampleSource<unknown>, b: ['s'] },
    });
    await expectError('ERR_SOURCE', message, () => mixed.next());
    expect(mixer.step).toBe(0);
  });
});

describe('what is no failure', () => {
  it('a source that is longer than it says: what lies beyond is not read, however much is read at once', async () => {
    for (const prefetch of [0, 5, 100]) {
      const { mixed } = mixtureOf({ a: { size: 6, endsAfter: 30 }, b: {} }, { prefetch });
      const seen: string[] = [];
      for (let i = 0; i < 3; i++) seen.push(...aOf(await mixed.next()));
      expect(seen).toEqual([0, 1].flatMap((e) => [0, 1, 2, 3, 4, 5].map((i) => `${e}:${i}`)));
    }
  });

  it('a cursor that cannot be closed behind its last sample', async () => {
    const source: SampleSource<string> = {
      open: () => ({
        read: async () => ({ samples: ['x'], indices: [0] }),
        position: () => 0,
        close: async () => {
          throw new Error('stuck');
        },
      }),
    };
    const { mixer } = mixtureOf({ a: {}, b: {} });
    const mixed = new MixedSource<string>({ mixer, sources: { a: source, b: ['s'] } });
    expect(aOf(await mixed.next())).toEqual(['x', 'x', 'x', 'x']);
    await mixed.return();
  });
});

describe('a source that stalls', () => {
  it('is named after `timeout`; the others are closed, the state stands', async () => {
    const { mixed, mixer, sources } = mixtureOf({ a: {}, b: { stallsAt: 10 } }, { timeout: 30, prefetch: 4 });
    const { batches, error } = await untilItFails(mixed);
    expect(batches.length).toBe(2);
    await expectError('ERR_TIMEOUT', /^Source 'b' has given nothing for 0\.03 s .*sample 8 of pass 0/, () => {
      throw error;
    });
    expect(mixer.step).toBe(2);
    expect(openIn(sources)).toBe(0);
    expect(mixed.state().sources.b.training).toMatchObject({ inPass: 8, samples: 8 });
    const sound = mixtureOf({ a: {}, b: {} }).sources;
    const { value } = await MixedSource.restore<string>(mixed.state(), { sources: sound }).next();
    expect(value!.tasks.b.indices).toEqual([8, 9, 10, 11]);
  });

  it('a read that takes its time is waited for; the time is of one read', async () => {
    const { mixed } = mixtureOf({ a: { delay: () => 25 }, b: {} }, { timeout: 60, prefetch: 0 });
    for (let i = 0; i < 4; i++) expect((await mixed.next()).done).toBe(false);
  });

  it('an iterator that never answers, not even to being closed, holds nothing up', async () => {
    async function* hangs() {
      yield 'x';
      await new Promise(() => {});
    }
    const { mixer } = mixtureOf({ a: {}, b: {} });
    const mixed = new MixedSource<string>({ mixer, sources: { a: hangs, b: ['s'] }, timeout: 30 });
    await expectError('ERR_TIMEOUT', /'a'/, () => mixed.next());
    // One whose close does not settle either.
    const stuck: SampleSource<string> = {
      open: () => ({
        read: () => new Promise(() => {}),
        position: () => 0,
        close: () => new Promise(() => {}),
      }),
    };
    const second = new MixedSource<string>({ mixer, sources: { a: stuck, b: ['s'] }, timeout: 30 });
    const started = performance.now();
    await expectError('ERR_TIMEOUT', /'a'/, () => second.next());
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('does not hold up measurements of the others, nor its own once it answers', async () => {
    const { mixed } = mixtureOf({ a: {}, b: { stallsAt: 0 } }, { timeout: 50 });
    const stalled = expectError('ERR_TIMEOUT', /'b'/, () => mixed.draw('b', 3));
    expect((await mixed.draw('a', 3)).samples).toEqual(['0:0', '0:1', '0:2']);
    await stalled;
  });
});

describe('leaving early', () => {
  it('break closes all, keeps the place, and another loop goes on there', async () => {
    const { mixed, sources } = mixtureOf({ a: {}, b: { delay: () => 3 } });
    const seen: string[] = [];
    for (let loops = 0; loops < 4; loops++) {
      let batches = 0;
      for await (const batch of mixed) {
        seen.push(...aOf({ value: batch, done: false }));
        if (++batches === 3) break;
      }
      expect(openIn(sources)).toBe(0);
      await ticks();
      expect(openIn(sources)).toBe(0);
    }
    expect(seen).toEqual(Array.from({ length: 48 }, (_, i) => `0:${i}`));
  });

  it('an error of the loop closes all', async () => {
    const { mixed, sources } = mixtureOf({ a: {}, b: {} });
    const loop = async () => {
      for await (const _ of mixed) throw new RangeError('mine');
    };
    await expect(loop()).rejects.toThrow(new RangeError('mine'));
    expect(openIn(sources)).toBe(0);
  });

  it('generators are told: their finally blocks run', async () => {
    const closed: string[] = [];
    const generator = (name: string) =>
      async function* () {
        try {
          for (let i = 0; ; i++) yield i;
        } finally {
          closed.push(name);
        }
      };
    const { mixer } = mixtureOf({ a: {}, b: {} });
    const mixed = new MixedSource<number>({ mixer, sources: { a: generator('a'), b: generator('b') } });
    for await (const _ of mixed) break;
    expect(closed.sort()).toEqual(['a', 'b']);
    {
      await using again = mixed;
      await again.draw('a', 1);
    }
    expect(closed.sort()).toEqual(['a', 'a', 'b']);
  });

  it('return ends a call that waits', async () => {
    const { mixed, mixer, sources } = mixtureOf({ a: { stallsAt: 0 }, b: {} });
    const waiting = mixed.next();
    const behind = mixed.next();
    await ticks();
    expect(await mixed.return()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
    // The one behind it is a new beginning.
    await ticks();
    expect(await mixed.return()).toEqual({ done: true, value: undefined });
    expect(await behind).toEqual({ done: true, value: undefined });
    expect(mixer.step).toBe(0);
    expect(openIn(sources)).toBe(0);
  });

  it('an abort rejects with its reason, closes all, and leaves a state to save', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const { mixed, mixer, sources } = mixtureOf(
      { a: {}, b: { stallsAt: 40 } },
      { signal, timeout: Infinity },
    );
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 20);
    const { batches, error } = await untilItFails(mixed);
    expect(error).toBe(reason);
    expect(batches.length).toBeGreaterThan(0);
    expect(mixer.step).toBe(batches.length);
    await ticks();
    expect(openIn(sources)).toBe(0);
    await expect(mixed.next()).rejects.toBe(reason);
    await expect(mixed.draw('a', 1)).rejects.toBe(reason);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    const again = MixedSource.restore<string>(mixed.state(), {
      sources: mixtureOf({ a: {}, b: {} }).sources,
    });
    expect(aOf(await again.next())[0]).toBe(`0:${4 * batches.length}`);
  });

  it('an abort between batches stops what is read ahead', async () => {
    const controller = new AbortController();
    const { mixed, sources } = mixtureOf(
      { a: { delay: () => 2 }, b: { delay: () => 2 } },
      { signal: controller.signal, prefetch: 50 },
    );
    await mixed.next();
    expect(openIn(sources)).toBe(2);
    controller.abort();
    await ticks();
    expect(openIn(sources)).toBe(0);
  });

  it('a draw can be aborted alone, and the samples come with the next one', async () => {
    const { mixed } = mixtureOf({ a: { delay: () => 20 }, b: {} });
    const controller = new AbortController();
    const drawing = mixed.draw('a', 3, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('not now')), 5);
    await expect(drawing).rejects.toThrow('not now');
    expect((await mixed.draw('a', 2)).samples).toEqual(['0:0', '0:1']);
    expect((await mixed.next()).done).toBe(false);
  });
});

describe('reading ahead', () => {
  it('never holds more of a task than prefetch, or than a batch takes', async () => {
    for (const prefetch of [0, 1, 5, 64]) {
      const { mixed, mixer, sources } = mixtureOf({ a: {}, b: { delay: () => 1 } }, { prefetch });
      expect(sources.a.read).toBe(0);
      for (let t = 0; t < 20; t++) {
        await mixed.next();
        await new Promise((resolve) => setTimeout(resolve, 4));
        for (const task of ['a', 'b']) {
          const ahead = sources[task].read - mixed.accounting[task].samples;
          expect(ahead).toBeLessThanOrEqual(prefetch);
          if (prefetch > 0) expect(ahead).toBeGreaterThan(0);
        }
      }
      expect(mixer.step).toBe(20);
    }
  });

  it('goes on through the ends of passes', async () => {
    const { mixed, sources } = mixtureOf({ a: { size: 3, tells: false }, b: {} }, { prefetch: 40 });
    await mixed.next();
    await ticks(60);
    expect(sources.a.read - mixed.accounting.a.samples).toBe(40);
  });

  it('brings samples while a batch is trained on', async () => {
    let gate: Promise<void> | undefined;
    const { mixed } = mixtureOf({ a: { gate: () => gate }, b: { gate: () => gate } }, { prefetch: 8 });
    await mixed.next();
    await ticks();
    // From here on nothing comes, but there is enough for two batches.
    gate = new Promise(() => {});
    expect(aOf(await mixed.next())).toEqual(['0:4', '0:5', '0:6', '0:7']);
    expect(aOf(await mixed.next())).toEqual(['0:8', '0:9', '0:10', '0:11']);
    await mixed.return();
  });

  it('what a read that was abandoned brings late is nobody’s', async () => {
    const late: (() => void)[] = [];
    let opened = 0;
    const source: SampleSource<string> = {
      open(_epoch, _seed, position) {
        const which = opened++;
        let at = (position as number | undefined) ?? 0;
        return {
          read: async (count) => {
            if (which === 0) await new Promise<void>((resolve) => late.push(resolve));
            const indices = Array.from({ length: count }, () => at++);
            return { samples: indices.map((i) => `${which}:${i}`), indices };
          },
          position: () => at,
          close: async () => {},
        };
      },
    };
    const { mixer } = mixtureOf({ a: {}, b: {} });
    const mixed = new MixedSource<string>({ mixer, sources: { a: source, b: ['s'] } });
    const waiting = mixed.next();
    await ticks();
    await mixed.return();
    await waiting;
    const next = mixed.next();
    for (const resolve of late) resolve();
    await ticks();
    expect(aOf(await next)).toEqual(['1:0', '1:1', '1:2', '1:3']);
  });
});

describe('options that are refused', () => {
  const { mixer, sources } = mixtureOf({ a: {}, b: {} });
  const good = { mixer, sources };
  async function* endless() {
    yield 'x';
  }
  it.each<[string, object, RegExp]>([
    ['no mixer', { sources }, /mixer must be a Mixer/],
    ['a missing source', { mixer, sources: { a: ['x'] } }, /Source "b" must be/],
    [
      'a missing source whose name every object has',
      { mixer: mixerFor(['a', 'toString']), sources: { a: ['x'] } },
      /Source "toString" must be/,
    ],
    ['a policy that is nothing', { ...good, exhausted: { a: null } }, /exhausted\['a'\] must be one of/],
    ['a source for no task', { mixer, sources: { ...sources, c: ['x'] } }, /sources has no option "c"/],
    ['a misspelt option', { ...good, exhaust: 'stop' }, /no option "exhaust"/],
    ['a policy that is none', { ...good, exhausted: 'again' }, /exhausted must be one of/],
    ['a policy for no task', { ...good, exhausted: { c: 'stop' } }, /exhausted has no option "c"/],
    ['a policy of nonsense', { ...good, exhausted: { a: 3 } }, /exhausted\['a'\] must be one of/],
    ['no passes', { ...good, exhausted: { repeat: 0 } }, /exhausted.repeat must be a positive integer/],
    ['half a pass', { ...good, exhausted: { a: { repeat: 1.5 } } }, /exhausted\['a'\].repeat/],
    [
      'what comes after',
      { ...good, exhausted: { repeat: 2, after: 'repeat' } },
      /exhausted.after must be one of/,
    ],
    ['a negative seed', { ...good, seed: -1 }, /seed must be/],
    ['a negative prefetch', { ...good, prefetch: -1 }, /prefetch must be/],
    ['no time', { ...good, timeout: 0 }, /timeout must be/],
    ['more time than timers have', { ...good, timeout: 2 ** 31 }, /timeout must be/],
    ['a signal that is none', { ...good, signal: 'stop' }, /signal must be an AbortSignal/],
    ['a stream to be repeated', { mixer, sources: { a: endless(), b: ['x'] } }, /'a' is a stream.*only once/],
  ])('%s', async (_, options, message) => {
    await expectError('ERR_INVALID_OPTION', message, () => new MixedSource(options as never));
  });

  it('a draw from what there is only once, of nothing, or of no task', async () => {
    const mixed = new MixedSource<string>({
      mixer,
      sources: { a: endless(), b: ['x'] },
      exhausted: { a: 'drop' },
    });
    await expectError('ERR_INVALID_OPTION', /'a' is a stream/, () => mixed.draw('a', 1));
    await expectError('ERR_INVALID_OPTION', /count must be/, () => mixed.draw('b', 0));
    await expectError('ERR_INVALID_OPTION', /no task "c"/, () => mixed.draw('c', 1));
  });

  it('a state of another version, of other sources, or damaged', async () => {
    const { mixed, sources } = mixtureOf({ a: {}, b: {} });
    await mixed.next();
    const state = mixed.state();
    const restore =
      (change: object, more: object = {}) =>
      () =>
        MixedSource.restore<string>({ ...state, ...change } as never, { sources, ...more });
    await expectError('ERR_STATE', /no state of a MixedSource/, restore({ format: 'x' }));
    await expectError('ERR_STATE', /version 2, but this release reads version 1/, restore({ version: 2 }));
    await expectError('ERR_STATE', /no state of a Mixer/, restore({ mixer: 3 }));
    await expectError('ERR_STATE', /no source for task 'b'/, restore({ sources: { a: state.sources.a } }));
    const damage = (more: object) => ({ sources: { ...state.sources, a: { ...state.sources.a, ...more } } });
    await expectError('ERR_STATE', /training\.epoch/, restore(damage({ training: {} })));
    await expectError(
      'ERR_STATE',
      /measuring\.skip/,
      restore(damage({ measuring: { ...state.sources.a.measuring, skip: -1 } })),
    );
    await expectError('ERR_STATE', /'a' had 999 samples .* 1000/, restore(damage({ size: 999 })));
    await expectError('ERR_STATE', /policy/, restore(damage({ policy: 'x' })));
    await expectError('ERR_INVALID_OPTION', /restore has no option "seed"/, restore({}, { seed: 1 }));
  });

  it('a source that has become shorter than where the state stands', async () => {
    const { mixed } = mixtureOf({ a: { tells: false }, b: { tells: false } }, { prefetch: 0 });
    const state = { ...mixed.state() };
    state.sources.a.training = { epoch: 0, skip: 9, inPass: 9, samples: 9 };
    const { sources } = mixtureOf({ a: { size: 4, tells: false }, b: { tells: false } });
    const again = MixedSource.restore<string>(state, { sources });
    await expectError('ERR_STATE', /'a' failed: the pass ends before .* number 9 of pass 0/, () =>
      again.next(),
    );
  });
});
