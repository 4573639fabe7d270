/** Sources that throw, end early, are empty, or stall; and what stands after that. */
import { describe, expect, it } from 'vitest';
import { type MixedBatch, MixedSource, type SampleSource } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { aOf, type FakeOptions, mixtureOf, openIn, ticks, untilItFails } from '../support/sources.js';

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
