import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../../lib/sampling/wait.js';

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
