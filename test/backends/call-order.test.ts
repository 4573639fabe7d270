import { describe, expect, it } from 'vitest';
import { CallOrder } from '../../lib/backends/call-order.js';
import type { NativeCall } from '../../lib/backends/load-addon.js';

/** Calls that end when they are told to. */
class Calls {
  /** On a slow machine even these would be taken for long ones. */
  readonly order = new CallOrder(Infinity);
  readonly begun: string[] = [];
  readonly #ends = new Map<string, () => void>();

  async call(caller: object, name: string, signal?: AbortSignal): Promise<void> {
    const { result, end } = await this.order.begin(caller, signal, (): NativeCall<string> => {
      this.begun.push(name);
      return new Promise((resolve) => this.#ends.set(name, () => resolve(name)));
    });
    await result;
    end();
  }

  async end(name: string): Promise<void> {
    this.#ends.get(name)!();
    await new Promise((turn) => setImmediate(turn));
  }
}

const [A, B, C] = [{}, {}, {}];

describe('calls of the addon', () => {
  it('begin at once while few are in flight, and then in the turns of their callers', async () => {
    const calls = new Calls();
    for (let i = 0; i < 8; i++) void calls.call(A, `a${i}`);
    expect(calls.begun).toEqual(['a0', 'a1', 'a2', 'a3']);
    void calls.call(B, 'b0');
    void calls.call(B, 'b1');
    void calls.call(C, 'c0');
    for (const name of ['a0', 'a1', 'a2', 'a3', 'a4', 'b0', 'c0']) await calls.end(name);
    expect(calls.begun).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 'b0', 'c0', 'a5', 'b1', 'a6', 'a7']);
  });

  it('that are aborted while they wait never begin, and leave the others their turns', async () => {
    const calls = new Calls();
    for (let i = 0; i < 4; i++) void calls.call(A, `a${i}`);
    const controller = new AbortController();
    const aborted = calls.call(B, 'b0', controller.signal);
    void calls.call(B, 'b1');
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await calls.end('a0');
    expect(calls.begun).toEqual(['a0', 'a1', 'a2', 'a3', 'b1']);
  });

  it('that cannot be begun give their turn away', async () => {
    const order = new CallOrder();
    const fails = order.begin(A, undefined, () => {
      throw new Error('no');
    });
    const works = order.begin(B, undefined, (): NativeCall<number> => Promise.resolve(3));
    await expect(fails).rejects.toThrow('no');
    expect(await (await works).result).toBe(3);
  });

  // Node-API serves a thread no more that is being terminated: its calls give nothing. A loop of awaits that fail at
  // once would never let the event loop turn, where Node.js ends the thread.
  it('that give nothing let the event loop turn before they fail', async () => {
    const order = new CallOrder();
    const nothing = () => undefined as unknown as NativeCall<number>;
    const staged = { waiting: false, advance: nothing, abandon() {} } as unknown as NativeCall<number>;
    for (const give of [nothing, () => staged]) {
      let turned = false;
      setImmediate(() => {
        turned = true;
      });
      for (let i = 0; i < 3; i++)
        await expect(order.begin(A, undefined, give)).rejects.toMatchObject({ code: 'ERR_ABORTED' });
      expect(turned).toBe(true);
    }
    const works = await order.begin(B, undefined, () => Promise.resolve(3));
    expect(await works.result).toBe(3);
  });

  // Results that are there as soon as they are waited for, as Node-API delivers them in one turn, one after the other.
  it.each([
    [
      'that came at once',
      async (each: () => Promise<void>) => void (await Promise.all(Array.from({ length: 100 }, each))),
    ],
    [
      'one after the other',
      async (each: () => Promise<void>) => {
        for (let i = 0; i < 100; i++) await each();
      },
    ],
  ])('%s, which keep the JS thread, let the event loop turn', async (_, all) => {
    const order = new CallOrder();
    let turns = 0;
    let going = true;
    const turn = () => {
      turns++;
      if (going) setImmediate(turn);
    };
    setImmediate(turn);
    await all(async () => {
      const { result, end } = await order.begin(A, undefined, (): NativeCall<number> => {
        const until = performance.now() + 0.2;
        while (performance.now() < until);
        return Promise.resolve(1);
      });
      await result;
      end();
    });
    going = false;
    expect(turns).toBeGreaterThan(100 / 4); // three calls are more than half a millisecond
  });

  it('begin at once also after one that has kept the JS thread for long', async () => {
    const order = new CallOrder();
    for (let i = 0; i < 5; i++) {
      let begun = false;
      const call = order.begin(A, undefined, (): NativeCall<number> => {
        const until = performance.now() + 0.6;
        while (performance.now() < until);
        begun = true;
        return Promise.resolve(i);
      });
      expect(begun).toBe(true);
      const { result, end } = await call;
      await result;
      end();
    }
  });

  it('whose signal has fired before do not wait for their turn', async () => {
    const calls = new Calls();
    for (let i = 0; i < 5; i++) void calls.call(A, `a${i}`);
    await expect(calls.call(B, 'b0', AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    expect(calls.begun).toEqual(['a0', 'a1', 'a2', 'a3']);
  });

  it('work in turn comes after the calls of its caller', async () => {
    const calls = new Calls();
    for (let i = 0; i < 5; i++) void calls.call(A, `a${i}`);
    calls.order.inTurn(A, () => calls.begun.push('disposed'));
    await new Promise((turn) => setImmediate(turn));
    expect(calls.begun).not.toContain('disposed');
    await calls.end('a0');
    await calls.end('a1');
    expect(calls.begun).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 'disposed']);
  });
});
