/**
 * Plain arrays that take several turns of the event loop to copy: the order of calls, abort, and how long the JS
 * thread is held up.
 */
import { describe, expect, it } from 'vitest';
import { loadAddon, type NativeMomentsRequest } from '../../lib/backends/load-addon.js';
import type { HostView } from '../../lib/gradients/host-gradient.js';
import { expectError } from '../support/expect.js';
import { cpu, flat, single, viewOf } from './rows.js';

/** 32 MB: some ten slices. */
const LENGTH = 8_000_000;

function constant(value: number, length = LENGTH): HostView {
  return viewOf([new Float32Array(length).fill(value)], ['float32']);
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('a call that is still being copied', () => {
  it('is not overtaken by a later one of the same stream', async () => {
    const stream = cpu().stream({ tasks: 2, layout: constant(0, LENGTH), inner: false });
    const first = stream.add(0, constant(2), 1, null);
    const second = stream.add(0, constant(4), 3, null);
    const between = stream.moments();
    const third = stream.add(1, constant(1), 1, null);
    const after = stream.moments();
    stream.dispose();
    await Promise.all([first, second, third]);
    // ḡ = (2 + 3·4)/4 = 3.5 and deviation = d (1·1.5² + 3·0.5²)
    expect(await between).toMatchObject({
      microBatches: Int32Array.of(2, 0),
      samples: Float64Array.of(4, 0),
    });
    expect((await between).meanNormSquared[0] / LENGTH).toBeCloseTo(12.25, 4);
    expect((await after).microBatches).toEqual(Int32Array.of(2, 1));
    expect((await after).deviation[0] / LENGTH).toBeCloseTo(3, 4);
    await expectError('ERR_DISPOSED', /disposed/, () => stream.moments());
  });

  it('is not overtaken by a small one, nor by a refused one', async () => {
    const stream = cpu().stream({ tasks: 1, layout: constant(0), inner: false });
    const order: string[] = [];
    const note = (name: string) => () => order.push(name);
    const calls = [
      cpu()
        .moments(single(constant(1)))
        .then(note('large')),
      cpu()
        .moments(single(flat(1, -1), flat(1, -1)))
        .catch(note('refused')),
      stream.add(0, constant(3), 1, null).then(note('added')),
      cpu()
        .moments(single(flat(3)))
        .then(note('small')),
    ];
    await Promise.all(calls);
    expect(order).toEqual(['large', 'refused', 'added', 'small']);
    // Once all have been begun, a call is begun before it returns.
    const row = flat(5);
    const call = cpu().moments(single(row));
    row.tensors[0][0] = 7;
    expect((await call).meanNormSquared[0]).toBe(25);
  });

  it('is stopped by its signal, and so is one that waits for it', async () => {
    const stream = cpu().stream({ tasks: 1, layout: constant(0), inner: false });
    await stream.add(0, constant(1), 1, null);
    const controller = new AbortController();
    const reason = new Error('enough');
    const aborted = [
      stream.add(0, constant(9), 1, null, controller.signal),
      stream.add(0, constant(9), 1, null, controller.signal),
      cpu().moments({ ...single(constant(9)), signal: controller.signal }),
    ];
    const spared = stream.add(0, constant(1), 1, null);
    controller.abort(reason);
    // Those that wait leave at once, before the one that is being copied.
    for (const call of await Promise.allSettled(aborted))
      expect(call).toEqual({ status: 'rejected', reason });
    await spared;
    expect(await stream.moments()).toMatchObject({
      microBatches: Int32Array.of(2),
      deviation: Float64Array.of(0),
    });
  });

  it('sees what is taken away between two slices only if it has not been copied yet', async () => {
    const outcomes = { error: 0, right: 0 };
    for (let round = 0; round < 40; round++) {
      const row = viewOf([constant(1).tensors[0], constant(1, 1000).tensors[0]], ['float32', 'float32']);
      const call = cpu()
        .moments(single(row))
        .then(
          ({ meanNormSquared }) => {
            expect(meanNormSquared[0]).toBe(LENGTH + 1000);
            outcomes.right++;
          },
          (error) => {
            expect(error).toMatchObject({ code: 'ERR_DETACHED' });
            outcomes.error++;
          },
        );
      for (let i = 0; i < round; i++) await turn();
      const { buffer } = row.tensors[round % 2];
      const moved = structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
      new Uint8Array(moved).fill(255);
      await call;
    }
    expect(outcomes.error).toBeGreaterThan(0);
    expect(outcomes.right).toBeGreaterThan(0);
  }, 120_000);
});

describe('a slice', () => {
  const request = (tensors: Float32Array[]): NativeMomentsRequest => ({
    dtypes: new Uint8Array(tensors.length),
    lengths: Float64Array.from(tensors, (tensor) => tensor.length),
    rowsPerTask: Int32Array.of(1),
    samples: Float64Array.of(1),
    tensors,
    preconditioner: null,
    inner: false,
    rowScalars: false,
    threads: 1,
  });

  it('takes less than a millisecond, for one tensor and for thousands', async () => {
    const addon = loadAddon().addon!;
    for (const [tensors, length] of [
      [1, 20_000_000],
      [20_000, 1000],
    ]) {
      const given = request(Array.from({ length: tensors }, () => new Float32Array(length).fill(1)));
      // The room of the first call serves the second, which waits for nothing.
      await addon.moments(given, null);
      const sections: number[] = [];
      let call = addon.moments(given, null, true);
      while ('advance' in call) {
        await turn();
        const began = performance.now();
        call = call.advance();
        sections.push(performance.now() - began);
      }
      expect(await call).toMatchObject({ meanNormSquared: Float64Array.of(tensors * length) });
      expect(sections.length).toBeGreaterThan(10);
      // Not the longest: the system may take the processor away from this thread in any of them.
      sections.sort((a, b) => a - b);
      expect(sections[Math.floor(sections.length / 2)]).toBeLessThan(1);
    }
  });

  it('comes to nothing once the call is abandoned or over', async () => {
    const addon = loadAddon().addon!;
    const given = request([new Float32Array(LENGTH)]);
    for (let round = 0; round < 50; round++) {
      const call = addon.moments(given, null, true);
      if (!('advance' in call)) throw new Error('copied in one slice');
      if (round % 2) call.advance();
      call.abandon();
      call.abandon();
      expect(call.advance()).toMatchObject({ code: 'ERR_INTERNAL' });
      expect(call.waiting).toBe(false);
    }
    const call = addon.moments(given, null);
    expect(call).toBeInstanceOf(Promise);
    expect(await call).toMatchObject({ meanNormSquared: Float64Array.of(0) });
  });
});
