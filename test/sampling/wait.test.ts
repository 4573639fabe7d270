import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { joinSignals, waitFor } from '../../lib/sampling/wait.js';

const never = new Promise<never>(() => {});
const late = () => new Error('late');

describe('waitFor', () => {
  it('settles as the work does, and leaves neither timer nor listener behind', async () => {
    const { signal } = new AbortController();
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const error = new Error('no');
    const working = waitFor(Promise.resolve(3), 60_000, signal, late);
    expect(timers()).toBe(before + 1);
    expect(getEventListeners(signal, 'abort').length).toBe(1);
    expect(await working).toBe(3);
    await expect(waitFor(Promise.reject(error), 60_000, signal, late)).rejects.toBe(error);
    expect(timers()).toBe(before);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('ends with the time or the signal, whichever comes first', async () => {
    await expect(waitFor(never, 5, undefined, late)).rejects.toThrow('late');
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 5);
    await expect(waitFor(never, Infinity, controller.signal, late)).rejects.toBe(reason);
    await expect(waitFor(Promise.resolve(1), Infinity, controller.signal, late)).rejects.toBe(reason);
  });
});

describe('joinSignals', () => {
  it('aborts with the first of them, with its reason', () => {
    const [a, b] = [new AbortController(), new AbortController()];
    const { signal } = joinSignals(a.signal, b.signal);
    expect(signal.aborted).toBe(false);
    const reason = new Error('enough');
    b.abort(reason);
    a.abort(new Error('later'));
    expect(signal).toMatchObject({ aborted: true, reason });
    expect(joinSignals(new AbortController().signal, b.signal).signal).toMatchObject({
      aborted: true,
      reason,
    });
  });

  it('once released aborts no more', () => {
    const controller = new AbortController();
    const [{ signal, release }, other] = [joinSignals(controller.signal), joinSignals(controller.signal)];
    release();
    controller.abort();
    expect([signal.aborted, other.signal.aborted]).toEqual([false, true]);
  });

  it('leaves nothing behind in a signal that outlives thousands of them', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const { signal } = new AbortController();
    const join = async () => {
      for (let i = 0; i < 60_000; i++) joinSignals(signal, signal).release();
      for (let i = 0; i < 3; i++) {
        collect();
        await new Promise((later) => setTimeout(later, 10));
      }
      return process.memoryUsage().heapUsed;
    };
    await join();
    const before = await join();
    expect((await join()) - before).toBeLessThan(2e6); // bytes;
  }, 240_000);
});
