/** Ends that come at any moment: what waits is told, nothing is handed out after them, and nothing stays open. */
import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { MixedSource, type SampleSource } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { type FakeOptions, FakeSource, mixerFor, mixtureOf, openIn, ticks } from '../support/sources.js';

/** A mixture that waits for its first samples, and n microtasks after these have begun to come. */
async function waitingMixture(n: number, signal?: AbortSignal) {
  let come!: () => void;
  const coming = new Promise<void>((resolve) => {
    come = resolve;
  });
  const made = mixtureOf({ a: { gate: () => coming }, b: {} }, { prefetch: 0, ...(signal && { signal }) });
  const first = made.mixed.next().then(
    (result) => result,
    (error: unknown) => error,
  );
  await ticks();
  come();
  for (let i = 0; i < n; i++) await Promise.resolve();
  return { ...made, first };
}

describe('at any moment of a hand-out', () => {
  it('an abort lets no batch out after it, and no source stays open', async () => {
    const reason = new Error('enough');
    let before = 0;
    for (let n = 0; n < 40; n++) {
      const controller = new AbortController();
      const { mixed, mixer, sources, first } = await waitingMixture(n, controller.signal);
      const { step } = mixer;
      controller.abort(reason);
      expect(mixer.step).toBe(step);
      if (step === 0) expect(await first, `after ${n} microtasks`).toBe(reason);
      expect(mixer.step).toBe(step);
      await ticks();
      expect(openIn(sources), `after ${n} microtasks`).toBe(0);
      await expect(mixed.next()).rejects.toBe(reason);
      before += Number(step === 0);
    }
    expect(before).toBeGreaterThan(5);
    expect(before).toBeLessThan(40);
  });

  it('return ends it, and the calls behind it, and no source stays open', async () => {
    const done = { done: true, value: undefined };
    for (let n = 0; n < 40; n++) {
      const { mixed, mixer, sources, first } = await waitingMixture(n);
      const second = mixed.next();
      const third = mixed.next();
      const { step } = mixer;
      expect(await mixed.return()).toEqual(done);
      if (step === 0) expect(await first, `after ${n} microtasks`).toEqual(done);
      expect(await second).toEqual(done);
      expect(await third).toEqual(done);
      expect(mixer.step).toBe(step);
      await ticks();
      expect(openIn(sources), `after ${n} microtasks`).toBe(0);
      // A call after it is a new beginning.
      expect((await mixed.next()).done).toBe(false);
      expect(mixer.step).toBe(step + 1);
    }
  });

  it('a source that fails leaves none open that goes on to its next pass', async () => {
    for (let n = -10; n < 10; n++) {
      const coming = { a: () => {}, b: () => {} };
      const gateOf = (name: 'a' | 'b') =>
        new Promise<void>((resolve) => {
          coming[name] = resolve;
        });
      const failing = gateOf('a').then(() => {
        throw new Error('mine');
      });
      const gate = gateOf('b');
      const { mixed, sources } = mixtureOf(
        { a: { gate: () => failing }, b: { gate: () => gate, size: 2, tells: false } },
        { prefetch: 0 },
      );
      const next = mixed.next();
      next.catch(() => undefined);
      await ticks();
      coming[n < 0 ? 'a' : 'b']();
      for (let i = 0; i < Math.abs(n); i++) await Promise.resolve();
      coming[n < 0 ? 'b' : 'a']();
      await expectError('ERR_SOURCE', /'a' failed: mine/, () => next);
      await ticks();
      expect(openIn(sources), `after ${n} microtasks`).toBe(0);
    }
  });
});

/** A mixture of fakes that take their time to close. */
function slowToClose(
  fakes: Record<string, FakeOptions>,
  options: { signal?: AbortSignal; timeout?: number } = {},
) {
  const sources = Object.fromEntries(
    Object.entries(fakes).map(([name, fake]) => [name, new FakeSource(fake)] as const),
  );
  const slow = (source: FakeSource): SampleSource<string> => ({
    ...(source.size === undefined ? {} : { size: source.size }),
    open: (...at) => {
      const cursor = source.open(...at);
      return {
        ...cursor,
        close: async () => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          await cursor.close();
        },
      };
    },
  });
  const mixed = new MixedSource<string>({
    mixer: mixerFor(Object.keys(fakes)),
    sources: Object.fromEntries(Object.entries(sources).map(([name, source]) => [name, slow(source)])),
    exhausted: 'stop',
    ...options,
  });
  return { mixed, sources };
}

describe('when an end is told, all is closed:', () => {
  it('an abort, of a call that waits and of a draw', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const { mixed, sources } = slowToClose(
      { a: {}, b: { stallsAt: 0 } },
      { signal: controller.signal, timeout: Infinity },
    );
    const waiting = mixed.next();
    const drawing = mixed.draw('b', 1);
    drawing.catch(() => undefined);
    await ticks();
    expect(openIn(sources)).toBe(3);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(openIn(sources)).toBe(0);
    await expect(drawing).rejects.toBe(reason);
  });

  it('an abort of draws without a batch, and after a return', async () => {
    for (const returns of [0, 1, 2]) {
      const controller = new AbortController();
      const reason = new Error('enough');
      const { mixed, sources } = slowToClose(
        { a: { delay: () => 5 }, b: { stallsAt: 3 } },
        { signal: controller.signal },
      );
      const first = mixed.draw('a', 1);
      await ticks(2);
      if (returns > 0) await mixed.return();
      await first;
      await mixed.draw('a', 1);
      if (returns > 1) await mixed.return();
      const waiting = mixed.draw('b', 4);
      await ticks();
      expect(openIn(sources)).toBe(returns > 1 ? 1 : 2);
      controller.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      expect(openIn(sources)).toBe(0);
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    }
  });

  it('an abort between draws', async () => {
    for (const returned of [false, true]) {
      const controller = new AbortController();
      const { mixed, sources } = mixtureOf({ a: { delay: () => 5 }, b: {} }, { signal: controller.signal });
      const drawing = mixed.draw('a', 1);
      await ticks(2);
      if (returned) await mixed.return();
      await drawing;
      expect(openIn(sources)).toBe(1);
      controller.abort();
      await ticks();
      expect(openIn(sources)).toBe(0);
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    }
  });

  it('a return, of calls that wait and of a second return', async () => {
    const { mixed, sources } = slowToClose({ a: {}, b: { stallsAt: 0 } });
    const waiting = mixed.next();
    await ticks();
    expect(openIn(sources)).toBe(2);
    const opened = [mixed.return(), waiting, mixed.return()].map((call) =>
      call.then(({ done }) => [done, openIn(sources)]),
    );
    expect(await Promise.all(opened)).toEqual(new Array(3).fill([true, 0]));
  });

  it('a failure, a stall and the end', async () => {
    for (const [fake, code] of [
      [{ throwsAt: 0 }, 'ERR_SOURCE'],
      [{ stallsAt: 0 }, 'ERR_TIMEOUT'],
    ] as const) {
      const { mixed, sources } = slowToClose({ a: {}, b: fake }, { timeout: 10 });
      await expectError(code, /'b'/, () => mixed.next());
      expect(openIn(sources)).toBe(0);
    }
    const { mixed, sources } = slowToClose({ a: {}, b: { size: 5 } });
    expect((await mixed.next()).done).toBe(false);
    expect(openIn(sources)).toBeGreaterThan(0);
    expect((await mixed.next()).done).toBe(true);
    expect(openIn(sources)).toBe(0);
  });
});
