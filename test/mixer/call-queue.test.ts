import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { CallQueue } from '../../lib/mixer/call-queue.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('calls one after the other', () => {
  it('begin in call order, also after one that failed', async () => {
    const queue = new CallQueue();
    const order: string[] = [];
    const call = (name: string, error?: Error) =>
      queue.inTurn(undefined, async () => {
        order.push(`${name} begins`);
        await turn();
        order.push(`${name} ends`);
        if (error) throw error;
        return name;
      });
    const results = await Promise.allSettled([call('a'), call('b', new Error('no')), call('c')]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(order).toEqual(['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]));
  });

  it('end at once when they are aborted before their turn, and let the others keep theirs', async () => {
    const queue = new CallQueue();
    const begun: string[] = [];
    let end!: () => void;
    const first = queue.inTurn(undefined, () => new Promise<void>((resolve) => (end = resolve)));
    const controller = new AbortController();
    const aborted = queue.inTurn(controller.signal, async () => void begun.push('aborted'));
    const last = queue.inTurn(controller.signal, async () => void begun.push('last'));
    const other = queue.inTurn(undefined, async () => void begun.push('other'));
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await expect(last).rejects.toThrow('enough');
    await expect(queue.inTurn(controller.signal, async () => 1)).rejects.toThrow('enough');
    await turn();
    expect(begun).toEqual([]); // the first is still at work
    end();
    await Promise.all([first, other]);
    expect(begun).toEqual(['other']);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });
});
