/** Loops that are left, aborts, and what is read ahead in the meantime. */
import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { MixedSource, type SampleSource } from '../../lib/index.js';
import { aOf, mixtureOf, names, openIn, ticks, untilItFails } from '../support/sources.js';

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

  it('return ends the calls that wait', async () => {
    const { mixed, mixer, sources } = mixtureOf({ a: { stallsAt: 0 }, b: {} });
    const waiting = mixed.next();
    const behind = mixed.next();
    await ticks();
    expect(await mixed.return()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
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

describe('many sources at once', () => {
  it('wait without a warning of a leak', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const tasks = names(30);
    const { signal } = new AbortController();
    const { mixed } = mixtureOf(
      Object.fromEntries(tasks.map((name) => [name, { delay: () => 5 }])),
      { signal },
      { batchSize: 60 },
    );
    expect((await mixed.next()).done).toBe(false);
    await Promise.all(tasks.map((task) => mixed.draw(task, 1)));
    const own = new AbortController();
    await Promise.all(tasks.map((task) => mixed.draw(task, 1, { signal: own.signal })));
    await mixed.return();
    await ticks();
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(getEventListeners(own.signal, 'abort')).toEqual([]);
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
