/**
 * What calls of the native backend do to the caller's memory, to signals, errors and the event loop.
 */
import { getEventListeners, getMaxListeners, setMaxListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../lib/backends/load-addon.js';
import type { TensorMemory } from '../../lib/gradients/host-gradient.js';
import { expectError } from '../support/expect.js';
import { big, cpu, flat, type HostRequest, randomRequest, shared, single, viewOf } from './rows.js';

/** A batch in shared memory that takes long enough to be watched: many tasks of the same rows. */
function longRequest(length: number): HostRequest {
  const once = big(1, length).rows.map((task) => task.map(shared));
  const rows = Array.from({ length: 16 }, () => once).flat();
  return {
    rows,
    samples: rows.map((task) => task.map(() => 1)),
    inner: true,
    rowScalars: true,
    preconditioner: null,
  };
}

/** A batch that is copied before its call returns, as smaller ones are. */
function copiedAtOnce(): HostRequest {
  return randomRequest({
    shape: { dtypes: ['float32', 'bfloat16', 'float64'], lengths: [15_001, 1, 1000] },
    microBatches: [3, 2],
    seed: 1,
    metric: ['float32', 'float32', 'float16'],
  });
}

function transferAndOverwrite(request: HostRequest): void {
  for (const { buffer } of request.rows.flatMap((task) => task.flatMap((row) => row.tensors))) {
    const moved = structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
    new Uint8Array(moved).fill(255);
  }
}

describe('memory of the caller', () => {
  it('may be transferred while a call is in flight', async () => {
    const request = copiedAtOnce();
    const expected = await cpu().moments(request);
    const call = cpu().moments(request);
    transferAndOverwrite(request);
    expect(await call).toStrictEqual(expected);
    await expectError('ERR_DETACHED', /detached/, () => cpu().moments(request));

    const row = flat(3);
    const stream = cpu().stream({ tasks: 1, layout: row, inner: false });
    const add = stream.add(0, row, 1, null);
    structuredClone(row.tensors[0].buffer, { transfer: [row.tensors[0].buffer as ArrayBuffer] });
    await add;
    expect((await stream.moments()).meanNormSquared[0]).toBe(9);
    await expectError('ERR_DETACHED', /detached/, () => stream.add(0, row, 1, null));
  });

  it('that takes several slices to copy may not: that is an error, and changes nothing', async () => {
    const request = big();
    const call = cpu().moments(request);
    transferAndOverwrite(request);
    await expectError('ERR_DETACHED', /before all of it was read/, () => call);

    const [first, second] = [1, 2].map((value) =>
      viewOf([new Float32Array(8_000_000).fill(value)], ['float32']),
    );
    const backend = cpu();
    const [stream, other] = [0, 1].map(() => backend.stream({ tasks: 1, layout: first, inner: false }));
    for (const each of [stream, other]) await each.add(0, first, 2, null);
    const add = stream.add(0, second, 3, null);
    structuredClone(second.tensors[0].buffer, { transfer: [second.tensors[0].buffer as ArrayBuffer] });
    await expectError('ERR_DETACHED', /before all of it was read/, () => add);
    expect(await stream.moments()).toStrictEqual(await other.moments());
  });

  it('is checked by the addon itself too', async () => {
    const { addon } = loadAddon();
    const call = (tensor: TensorMemory, samples = Float64Array.of(1)) =>
      addon!.moments(
        {
          dtypes: Uint8Array.of(0),
          lengths: Float64Array.of(3),
          rowsPerTask: Int32Array.of(1),
          samples,
          tensors: [tensor],
          preconditioner: null,
          inner: false,
          rowScalars: false,
          threads: 1,
        },
        null,
      );
    const moved = new Float32Array(3);
    structuredClone(moved.buffer, { transfer: [moved.buffer] });
    expect(call(moved)).toMatchObject({
      code: 'ERR_DETACHED',
      message: expect.stringContaining('gradient 0, tensor 0'),
    });
    expect(call(new Float32Array(2))).toMatchObject({ code: 'ERR_SHAPE' });
    expect(call(new Float64Array(3))).toMatchObject({ code: 'ERR_SHAPE' });
    expect(call([1, 2, 3] as unknown as TensorMemory)).toMatchObject({ code: 'ERR_SHAPE' });
    expect(call(new Float32Array(3), Float64Array.of(1, 1))).toMatchObject({ code: 'ERR_SHAPE' });
    expect(call(new Float32Array(3), 'none' as unknown as Float64Array<ArrayBuffer>)).toMatchObject({
      code: 'ERR_SHAPE',
    });
    expect(await call(Float32Array.of(1, 2, 2))).toMatchObject({ meanNormSquared: Float64Array.of(9) });
  });

  it('must not be resizable', async () => {
    const resizable = new (ArrayBuffer as new (length: number, options: object) => ArrayBuffer)(8, {
      maxByteLength: 16,
    });
    const row = viewOf([new Float32Array(resizable)], ['float32']);
    await expectError('ERR_DETACHED', /resizable/, () => cpu().moments(single(row)));
    await expectError('ERR_DETACHED', /resizable/, () => cpu().moments(single(flat(1, 2), row)));
  });

  it('may be a part of a buffer, and odd parts too', async () => {
    const values = Float32Array.from({ length: 1003 }, (_, i) => i / 7);
    const part = values.subarray(3, 1000);
    const { meanNormSquared } = await cpu().moments(single(viewOf([part], ['float32'])));
    expect(meanNormSquared).toStrictEqual((await cpu().moments(single(flat(...part)))).meanNormSquared);
  });
});

describe('abort', () => {
  it('before a call begins', async () => {
    const signal = AbortSignal.abort(new Error('changed my mind'));
    const stream = cpu().stream({ tasks: 1, layout: flat(1), inner: false });
    await expect(cpu().moments({ ...big(), signal })).rejects.toThrow('changed my mind');
    await expect(stream.add(0, flat(1), 1, null, signal)).rejects.toThrow('changed my mind');
    await expect(stream.moments(signal)).rejects.toThrow('changed my mind');
    expect((await stream.moments()).microBatches[0]).toBe(0);
  });

  it('stops a batch in the middle, and leaves no listener behind', async () => {
    const request = longRequest(4_000_000);
    const began = performance.now();
    await cpu(1).moments(request);
    const whole = performance.now() - began;

    const controller = new AbortController();
    const reason = new Error('enough');
    const call = cpu(1).moments({ ...request, signal: controller.signal });
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    await new Promise((running) => setTimeout(running, 2));
    const aborted = performance.now();
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(performance.now() - aborted).toBeLessThan(whole / 2);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);

    const { signal } = new AbortController();
    await cpu().moments({ ...single(flat(1)), signal });
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  }, 120_000);

  it('may be shared by many calls without a warning of a leak', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const [{ signal }, limited] = [new AbortController(), new AbortController()];
    setMaxListeners(200, limited.signal);
    for (const each of [signal, limited.signal])
      await Promise.all(
        Array.from({ length: 30 }, () => cpu().moments({ ...single(flat(1)), signal: each })),
      );
    await new Promise((later) => setTimeout(later, 20));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    expect(getMaxListeners(limited.signal)).toBe(200);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('takes a waiting add back as if it had never been', async () => {
    const backend = cpu();
    const stream = backend.stream({ tasks: 1, layout: flat(1), inner: false });
    await stream.add(0, flat(2), 1, null);
    const controller = new AbortController();
    const ahead = backend.moments(big(1, 2_000_000));
    const add = stream.add(0, flat(100), 1, null, controller.signal);
    controller.abort();
    await expect(add).rejects.toMatchObject({ name: 'AbortError' });
    await ahead;
    await stream.add(0, flat(4), 1, null);
    const { microBatches, deviation, meanNormSquared } = await stream.moments();
    expect([microBatches[0], deviation[0], meanNormSquared[0]]).toEqual([2, 2, 9]);
  }, 120_000);
});

it('shows the line of the caller in an error', async () => {
  const error = await expectError('ERR_INVALID_OPTION', /element 1 of its tensor 0 is -1/, async () => {
    await cpu().moments(single(flat(1, 2), flat(1, -1)));
  });
  expect(error.stack).toContain('native-calls.test.ts');
});

it('keeps the event loop turning', async () => {
  const request = longRequest(8_000_000);
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const began = performance.now();
  await cpu(1).moments(request);
  const took = performance.now() - began;
  clearInterval(timer);
  expect(longest).toBeLessThan(Math.max(took / 2, 50));
}, 120_000);
