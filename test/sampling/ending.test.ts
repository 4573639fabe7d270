/** Ends that come at any moment: what waits is told, nothing is handed out after them, and nothing stays open. */
import { describe, expect, it } from 'vitest';
import { mixtureOf, openIn, ticks } from '../support/sources.js';

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
});
