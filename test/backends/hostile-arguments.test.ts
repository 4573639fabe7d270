/**
 * What test/stress/fuzz-arguments.mjs found in the addon's reading of its arguments; each of these read memory that was
 * none, or gone.
 */
import { describe, expect, it } from 'vitest';
import { loadAddon, type NativeAddon, type NativeMomentsRequest } from '../../lib/backends/load-addon.js';

function addonOf(): NativeAddon {
  const { addon, reasons } = loadAddon();
  if (!addon) throw new Error(reasons.join('; '));
  return addon;
}
const addon = addonOf();

function request(more: object = {}): NativeMomentsRequest {
  return {
    dtypes: Uint8Array.of(0),
    lengths: Float64Array.of(300_000),
    rowsPerTask: Int32Array.of(2),
    samples: Float64Array.of(1, 1),
    tensors: [0, 1].map(() => new Float32Array(300_000).fill(1)),
    preconditioner: null,
    inner: false,
    rowScalars: false,
    threads: 1,
    ...more,
  } as NativeMomentsRequest;
}

const transfer = (array: Float32Array<ArrayBuffer>) =>
  structuredClone(array.buffer, { transfer: [array.buffer] });

describe('typed arrays of another type than expected', () => {
  it.each([
    ['dtypes', new Float64Array(1)],
    ['lengths', Uint8Array.of(3)],
    ['rowsPerTask', Uint8Array.of(2)],
    ['samples', Uint8Array.of(1, 1)],
  ])('%s', (name, array) => {
    expect(addon.moments(request({ [name]: array }), null)).toMatchObject({ code: 'ERR_SHAPE' });
  });

  it('in a stream', () => {
    const stream = new addon.MomentStream({ ...request(), tasks: 1, lengths: Uint8Array.of(1) as never });
    expect(stream.moments(null)).toMatchObject({ code: 'ERR_SHAPE' });
  });
});

describe('script that runs while arguments are read', () => {
  it('takes numbers away: they have been copied', async () => {
    const rowsPerTask = Int32Array.of(2);
    const given = Object.defineProperty(request({ rowsPerTask }), 'samples', {
      get() {
        structuredClone(rowsPerTask.buffer, { transfer: [rowsPerTask.buffer] });
        return Float64Array.of(1, 1);
      },
    });
    expect(await addon.moments(given, null)).toMatchObject({ meanNormSquared: Float64Array.of(300_000) });
  });

  it.each([false, true])('takes a row away that was looked at before (in slices: %s)', async (inSlices) => {
    const given = request();
    const [first, second] = given.tensors as Float32Array<ArrayBuffer>[];
    Object.defineProperty(given.tensors, 1, {
      get() {
        if (first.length > 0) transfer(first);
        return second;
      },
    });
    let result: unknown = addon.moments(given, null, inSlices);
    while (result instanceof Object && 'advance' in result)
      result = (result as { advance(): unknown }).advance();
    expect(await result).toMatchObject({ code: 'ERR_DETACHED' });
  });

  it('disposes of the stream that is added to', async () => {
    const lengths = Float64Array.of(3);
    const options = { tasks: 1, dtypes: Uint8Array.of(0), lengths, inner: false, threads: 1 };
    const row = new Float32Array(3);
    const disposing = (stream: { dispose(): void }, value: unknown) => ({
      valueOf() {
        stream.dispose();
        return value;
      },
    });
    const byTask = new addon.MomentStream(options);
    const task = disposing(byTask, 0) as unknown as number;
    expect(byTask.add(task, [row], 1, null, lengths, null)).toMatchObject({ code: 'ERR_DISPOSED' });
    const byTensor = new addon.MomentStream(options);
    const tensors = Object.defineProperty([row], 0, {
      get() {
        byTensor.dispose();
        return row;
      },
    });
    // It had begun by then.
    expect(await byTensor.add(0, tensors, 1, null, lengths, null)).toBeUndefined();
    expect(byTensor.moments(null)).toMatchObject({ code: 'ERR_DISPOSED' });
  });

  it('abandons the call that looks at its arrays', async () => {
    const length = 30_000_000;
    const given = request({ lengths: Float64Array.of(length), threads: 1 });
    const tensors = [0, 1].map(() => new Float32Array(length));
    let staged: unknown = null;
    const codes: unknown[] = [];
    const list = Object.defineProperty([...tensors], 1, {
      get() {
        if (staged) {
          const call = staged as { advance(): unknown; abandon(): void };
          codes.push((call.advance() as { code: string }).code);
          call.abandon();
        }
        return tensors[1];
      },
    });
    let result: unknown = addon.moments({ ...given, tensors: list }, null, true);
    expect(result).toHaveProperty('advance');
    while (result instanceof Object && 'advance' in result) {
      staged = result;
      result = (result as { advance(): unknown }).advance();
    }
    expect(await result).toHaveProperty('meanNormSquared');
    expect(new Set(codes)).toEqual(new Set(['ERR_INTERNAL']));
  });

  it('throws in a later slice, after which the call is over and holds nothing', () => {
    const given = request({ lengths: Float64Array.of(8_000_000), threads: 1 });
    const tensors = [0, 1].map(() => new Float32Array(8_000_000));
    let throws = false;
    const list = Object.defineProperty([...tensors], 1, {
      get() {
        if (throws) throw new Error('a getter that throws');
        return tensors[1];
      },
    });
    const call = addon.moments({ ...given, tensors: list }, null, true) as { advance(): unknown };
    throws = true;
    expect(call.advance()).toEqual({ code: 'ERR_INTERNAL', message: 'a getter that throws' });
    throws = false;
    expect(call.advance()).toEqual({ code: 'ERR_INTERNAL', message: 'the call was over' });
  });
});

it('options that are no object are a status, not an exception', () => {
  for (const options of [undefined, null, 3, 'x', Symbol('s'), 2n]) {
    expect(new addon.MomentStream(options as never).moments(null)).toHaveProperty('code');
    expect(new addon.DeviceMomentStream(options as never).moments(null)).toHaveProperty('code');
  }
});

it('a device that there can be none of has no thread', () => {
  const given = {
    ...request(),
    device: -1,
    pointers: null,
    preconditioner: null,
    streams: new BigUint64Array(0),
    owners: [],
    update: null,
  };
  for (const device of [-1, 1e9, 1024])
    expect(addon.deviceMoments({ ...given, device } as never, null)).toMatchObject({ code: 'ERR_INTERNAL' });
});

it('but the driver is asked on one all the same', async () => {
  expect(await addon.cudaProbeAsync()).toEqual(addon.cudaProbe());
});

it('more tasks than memory has room for', () => {
  const stream = new addon.MomentStream({ ...request(), tasks: 2 ** 45 });
  expect(stream.moments(null)).toMatchObject({ code: 'ERR_MEMORY' });
});
