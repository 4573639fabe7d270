/** Generators, iterables and streams as sources. */
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { describe, expect, it, vi } from 'vitest';
import { iterableSource, onePassSource, type Pass } from '../../lib/index.js';
import { expectResumable, pass, readAll } from '../support/cursors.js';
import { expectError } from '../support/expect.js';

const upTo = (size: number) => Array.from({ length: size }, (_, i) => i);

async function* letters({ epoch }: Pass): AsyncGenerator<string> {
  for (const letter of 'abcdefghij') yield letter + epoch;
}

/** A source of numbers that yields them one by one as `release` is called, and says when it was closed. */
function byHand(count = 10) {
  const waiting: (() => void)[] = [];
  const finished = vi.fn();
  let allowed = 0;
  return {
    finished,
    release(more: number) {
      allowed += more;
      for (const go of waiting.splice(0)) go();
    },
    async *make(): AsyncGenerator<number> {
      try {
        for (let i = 0; i < count; i++) {
          while (allowed <= i) await new Promise<void>((go) => waiting.push(go));
          yield i;
        }
      } finally {
        finished();
      }
    },
  };
}

describe('iterableSource', () => {
  it('reads generators, streams and arrays, made anew for each pass', async () => {
    const makers: ((pass: Pass) => AsyncIterable<number> | Iterable<number>)[] = [
      async function* () {
        yield* upTo(10);
      },
      function* () {
        yield* upTo(10);
      },
      () => upTo(10),
      () => new Set(upTo(10)),
      () => Float64Array.from(upTo(10)),
      () => Readable.from(upTo(10)),
      () => ReadableStream.from(upTo(10)),
    ];
    for (const make of makers) {
      const source = iterableSource(make);
      for (const epoch of [0, 1])
        for (const count of [1, 3, 10, 11])
          expect(await pass(source, epoch, 1, count)).toEqual({ samples: upTo(10), indices: upTo(10) });
    }
  });

  it('tells the maker which pass it is, and calls it when the first sample is wanted', async () => {
    const make = vi.fn(letters);
    const source = iterableSource(make);
    const cursor = source.open(3, 8);
    expect(make).not.toHaveBeenCalled();
    expect((await cursor.read(2)).samples).toEqual(['a3', 'b3']);
    expect(make.mock.calls).toEqual([[{ epoch: 3, seed: 8 }]]);
  });

  it('goes on from every position', async () => {
    for (const count of [1, 3]) await expectResumable(() => iterableSource(letters), { epoch: 2, count });
    await expectResumable(() => iterableSource(() => []));
  });

  it('passes over many samples without keeping the event loop', async () => {
    const skipped = 3_000_000;
    const cursor = iterableSource(function* () {
      for (let i = 0; ; i++) yield i;
    }).open(0, 1, { taken: skipped });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    expect((await cursor.read(1)).samples).toEqual([skipped]);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
    await cursor.close();
  });

  it('says so when a pass is shorter than it was', async () => {
    const cursor = iterableSource(letters).open(0, 1, { taken: 11 });
    for (let i = 0; i < 2; i++)
      await expectError('ERR_STATE', /ended after 10 samples, but 11/, () => cursor.read(1));
    expect(cursor.position()).toEqual({ taken: 11 });
    for (const position of [{ taken: 0.5 }, { taken: 1, size: 3 }, 4])
      await expectError('ERR_STATE', /no position in an iterable/, () =>
        iterableSource(letters).open(0, 1, position),
      );
  });

  it('keeps what came before a failure, and fails for good', async () => {
    const cause = new Error('the disk is gone');
    const source = iterableSource(async function* () {
      yield* ['a', 'b', 'c', 'd'];
      throw cause;
    });
    const cursor = source.open(0, 1);
    expect((await cursor.read(1)).samples).toEqual(['a']);
    for (let i = 0; i < 2; i++) {
      const error = await expectError('ERR_SOURCE', /failed after 4 samples: the disk is gone/, () =>
        cursor.read(5),
      );
      expect(error.cause).toBe(cause);
      expect(cursor.position()).toEqual({ taken: 1 });
    }
    expect(await cursor.read(3)).toEqual({ samples: ['b', 'c', 'd'], indices: [1, 2, 3] });
    await expectError('ERR_SOURCE', /the disk is gone/, () => cursor.read(1));
    await cursor.close();
  });

  it.each<[string, () => never, RegExp]>([
    [
      'throws itself',
      () => {
        throw new Error('no such bucket');
      },
      /after 0 samples: no such bucket/,
    ],
    [
      'throws no error',
      () => {
        throw 'x';
      },
      /after 0 samples: "x"/,
    ],
    ['gives nothing', () => undefined as never, /undefined cannot be iterated/],
    ['gives a promise', () => Promise.resolve([1]) as never, /Promise cannot be iterated/],
    ['gives text', () => 'data.txt' as never, /"data.txt" cannot be iterated/],
    [
      'gives an iterator of nothing',
      () => ({ [Symbol.iterator]: () => ({ next: () => 1 }) }) as never,
      /returned 1/,
    ],
  ])('a maker that %s is an error of the source', async (_, make, message) => {
    const cursor = iterableSource<unknown>(make).open(0, 1);
    await expectError('ERR_SOURCE', message, () => cursor.read(1));
    await expectError('ERR_SOURCE', message, () => cursor.read(1));
    await cursor.close();
  });

  it('notices a generator that was made once and is handed out for each pass', async () => {
    const generator = letters({ epoch: 0, seed: 0 });
    const source = iterableSource(() => generator);
    await pass(source);
    await expectError('ERR_SOURCE', /made once and handed out twice/, () => source.open(1, 1).read(1));
    const list = iterableSource(() => ['x']);
    expect([await pass(list, 0), await pass(list, 1)]).toEqual([await pass(list), await pass(list)]);
  });

  it('an aborted read takes nothing: what came meanwhile comes next', async () => {
    const { make, release, finished } = byHand();
    const cursor = iterableSource(make).open(0, 1);
    release(3);
    const stop = new AbortController();
    const reason = new Error('stop');
    const read = cursor.read(5, stop.signal);
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort(reason);
    await expect(read).rejects.toBe(reason);
    expect(cursor.position()).toEqual({ taken: 0 });
    expect((await cursor.read(2)).samples).toEqual([0, 1]);
    release(10);
    expect(await readAll(cursor)).toEqual({ samples: upTo(10).slice(2), indices: upTo(10).slice(2) });
    expect(finished).toHaveBeenCalledTimes(1);
  });

  it('a skip that was aborted goes on where it was', async () => {
    const { make, release } = byHand();
    const cursor = iterableSource(make).open(0, 1, { taken: 4 });
    release(2);
    const stop = new AbortController();
    const read = cursor.read(1, stop.signal);
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort('stop');
    await expectError('ERR_ABORTED', /stop/, () => read);
    expect(cursor.position()).toEqual({ taken: 4 });
    release(8);
    expect((await cursor.read(2)).samples).toEqual([4, 5]);
  });

  it('leaves no listener on the signal', async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    await iterableSource(letters).open(0, 1).read(8, signal);
    expect(added.mock.calls.length).toBe(8);
    expect(removed.mock.calls.length).toBe(8);
  });

  it('closes generators and streams, once, also when nothing was read', async () => {
    const { make, release, finished } = byHand();
    const cursor = iterableSource(make).open(0, 1);
    release(3);
    await cursor.read(2);
    await cursor.close();
    await cursor.close();
    expect(finished).toHaveBeenCalledTimes(1);
    await expectError('ERR_DISPOSED', /closed/, () => cursor.read(1));
    const stream = Readable.from(upTo(10));
    const streaming = iterableSource(() => stream).open(0, 1);
    await streaming.read(2);
    await streaming.close();
    expect(stream.destroyed).toBe(true);
    const never = vi.fn(letters);
    await iterableSource(never).open(0, 1).close();
    expect(never).not.toHaveBeenCalled();
  });

  it('closes what stalls without waiting for it: the read is refused, a stream destroyed', async () => {
    const stalled = new Readable({ objectMode: true, read() {} });
    const cursor = iterableSource(() => stalled).open(0, 1);
    const read = cursor.read(1);
    await new Promise((resolve) => setImmediate(resolve));
    await cursor.close();
    await expectError('ERR_DISPOSED', /closed/, () => read);
    if (!stalled.closed) await once(stalled, 'close');
    expect(stalled.destroyed).toBe(true);

    const { make, release, finished } = byHand();
    const waiting = iterableSource(make).open(0, 1);
    const refused = expectError('ERR_DISPOSED', /closed/, () => waiting.read(1));
    await new Promise((resolve) => setImmediate(resolve));
    await waiting.close();
    await refused;
    release(1);
    await vi.waitFor(() => expect(finished).toHaveBeenCalledTimes(1));
  });

  it('refuses what is no function', async () => {
    for (const given of [undefined, [], letters({ epoch: 0, seed: 0 })])
      await expectError('ERR_INVALID_OPTION', /takes a function/, () => iterableSource(given as never));
  });
});

describe('onePassSource', () => {
  it('is passed over once, and says what to do for more', async () => {
    const source = onePassSource(letters({ epoch: 0, seed: 0 }));
    expect(source.once).toBe(true);
    expect((await pass(source)).samples).toHaveLength(10);
    await expectError('ERR_SOURCE', /once only.*a function that makes it anew/, () => source.open(0, 1));
    await expectError('ERR_SOURCE', /once only/, () => onePassSource([1]).open(1, 1));
  });

  it('goes on from a position in a new process, where the iterable is new', async () => {
    await expectResumable(() => onePassSource(letters({ epoch: 0, seed: 0 })));
  });

  it('is still to be had after a position that is none', async () => {
    const source = onePassSource([1, 2]);
    await expectError('ERR_STATE', /no position/, () => source.open(0, 1, 'x'));
    expect((await pass(source)).samples).toEqual([1, 2]);
  });

  it('refuses what cannot be iterated', async () => {
    for (const given of [undefined, null, 3, 'text', {}, () => []])
      await expectError('ERR_INVALID_OPTION', /takes an iterable/, () => onePassSource(given as never));
  });
});
