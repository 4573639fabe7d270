/** The CUDA backend on emulated GPUs: the whole of the addon's host side and its kernels. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Backend, MomentsRequest } from '../../lib/backends/backend.js';
import { createReferenceBackend } from '../../lib/backends/reference.js';
import { selectBackend } from '../../lib/backends/select.js';
import { type DeviceTensor, statistics } from '../../lib/index.js';
import { DEVICES, type EmulatedGpus, emulatedGpus, type Placement } from '../support/emulated.js';
import { expectError } from '../support/expect.js';
import { row } from '../support/small.js';
import {
  expectClose,
  flat,
  type HostRequest,
  randomRequest,
  single,
  streamed,
  tensorOf,
  viewOf,
} from './rows.js';

let gpus: EmulatedGpus;
beforeAll(async () => {
  gpus = await emulatedGpus();
}, 240_000);
afterEach(() => gpus.freeAll());

const reference = createReferenceBackend();

async function cuda(device = 0): Promise<Backend> {
  return await selectBackend('cuda').source.open({ memory: 'device', device });
}

/** The same measurement of gradients in the memory of a GPU. */
function onDevice(request: HostRequest, placement: Placement = {}): MomentsRequest {
  return {
    ...request,
    rows: request.rows.map((task) => task.map((view) => gpus.putView(view, placement))),
    preconditioner: request.preconditioner && gpus.putView(request.preconditioner, placement),
  };
}

const twice = (count: number) => new Array<number>(count).fill(2);

describe('sums', () => {
  const shapes: [string, Parameters<typeof randomRequest>[0]][] = [
    ['one task', { shape: { dtypes: ['float32'], lengths: [37] }, microBatches: [3], seed: 1 }],
    [
      '3 tasks, unequal',
      { shape: { dtypes: ['float32'], lengths: [100] }, microBatches: [4, 0, 1], seed: 2 },
    ],
    [
      '3 tasks, no products',
      { shape: { dtypes: ['bfloat16'], lengths: [65] }, microBatches: [8, 2, 5], seed: 3, inner: false },
    ],
    [
      'several tensors',
      {
        shape: { dtypes: ['float16', 'float16', 'float16', 'float16'], lengths: [1, 0, 33, 8] },
        microBatches: [2, 3],
        seed: 4,
      },
    ],
    [
      'a metric',
      {
        shape: { dtypes: ['float32', 'float32'], lengths: [40, 3] },
        microBatches: [2, 3],
        seed: 5,
        metric: ['float32', 'bfloat16'],
      },
    ],
    [
      'a metric of 16 bits',
      {
        shape: { dtypes: ['bfloat16', 'bfloat16'], lengths: [40, 3] },
        microBatches: [2, 3],
        seed: 6,
        metric: ['float16', 'float32'],
      },
    ],
    [
      '9 tasks',
      { shape: { dtypes: ['float32'], lengths: [50] }, microBatches: [2, 3, 2, 1, 0, 2, 4, 2, 2], seed: 7 },
    ],
    ['70 tasks', { shape: { dtypes: ['float32'], lengths: [9] }, microBatches: twice(70), seed: 8 }],
  ];

  describe.each(shapes)('of %s', (_, shape) => {
    it('are those of the reference, in one launch', async () => {
      const request = randomRequest({ ...shape, rowScalars: shape.microBatches.length < 70 });
      expectClose(
        await (await cuda()).moments(onDevice(request)),
        await reference.moments(request),
        request,
        1e-6,
      );
    });

    it('are those of the reference, streamed', async () => {
      const request = { ...randomRequest(shape), rowScalars: false };
      const moments = await streamed(await cuda(), onDevice(request));
      expectClose(moments, await streamed(reference, request), request, 1e-6);
    });
  });

  it('are the same for any alignment, and every time', async () => {
    const request = randomRequest(shapes[1][1]);
    const backend = await cuda();
    const first = await backend.moments(onDevice(request));
    for (const offset of [0, 1, 3, 4])
      expect(await backend.moments(onDevice(request, { offset }))).toStrictEqual(first);
  });

  it('of gradients in host memory are the same: they are copied over', async () => {
    const request = randomRequest(shapes[4][1]);
    const backend = await cuda();
    const there = onDevice(request);
    expect(await backend.moments(request)).toStrictEqual(await backend.moments(there));
    expect(await streamed(backend, request)).toStrictEqual(await streamed(backend, there));
  });

  it('of the second GPU', async () => {
    const request = randomRequest(shapes[1][1]);
    const backend = await cuda(1);
    expect(backend).toMatchObject({ name: 'cuda', device: DEVICES[1].name, instructionSet: 'sm_86' });
    expect(backend.reason).toContain('asked for by name');
    const there = onDevice(request, { device: 1 });
    expectClose(await backend.moments(there), await reference.moments(request), request, 1e-6);
    await expectError('ERR_INVALID_OPTION', /no GPU 2; .* below 2/, () => cuda(2));
  });

  it('of statistics(), with standard errors', async () => {
    const rows = [[row(1, 2, 4), row(2, 2, 0), row(0, 1, 3)]];
    const options = { samples: [[2, 2, 2]], standardErrors: true, inner: true };
    const expected = await statistics(rows, { ...options, backend: 'reference' });
    const there = rows.map((task) => task.map((gradient) => gpus.put(gradient)));
    for (const backend of ['auto', 'cuda'] as const) {
      const actual = await statistics(there, { ...options, backend });
      for (const key of ['normSquared', 'variance'] as const) {
        expect(actual[key][0]).toBeCloseTo(expected[key][0], 5);
        expect(actual.standardError![key][0]).toBeCloseTo(expected.standardError![key][0], 5);
      }
    }
  });

  it('that overflow or are not finite are not finite', async () => {
    const backend = await cuda();
    for (const bad of [Number.NaN, Infinity, 1e30]) {
      const { deviation, meanNormSquared } = await backend.moments(
        onDevice({
          ...single(flat(1)),
          rows: [[flat(1, 2), flat(bad, 2)], [flat(3, 4)]],
          samples: [[1, 1], [1]],
        }),
      );
      expect(Number.isFinite(deviation[0] * meanNormSquared[0])).toBe(false);
      expect(meanNormSquared[1]).toBe(25);
    }
  });
});

describe('element types', () => {
  const rows = (dtypes: ('float32' | 'float64' | 'float16')[]) => {
    const gradient = () =>
      dtypes.map((dtype) =>
        dtype === 'float16'
          ? { data: tensorOf([1], dtype) as Uint16Array, dtype }
          : (tensorOf([1], dtype) as Float32Array),
      );
    return [[gradient(), gradient()]];
  };
  const samples = [[1, 1]];

  it('float64 is refused, by name', async () => {
    await expectError('ERR_DTYPE', /rows\[0\]\[0\] is float64, .* takes float32/, () =>
      statistics(rows(['float64']), { samples, backend: 'cuda' }),
    );
    await expectError('ERR_DTYPE', /preconditioner is float64/, () =>
      statistics(rows(['float32']), { samples, backend: 'cuda', preconditioner: Float64Array.of(1) }),
    );
  });

  it('several in one gradient are refused', async () => {
    const message = /tensors of float32 and of float16; .* all of one element type/;
    const mixed = rows(['float32', 'float16']);
    await expectError('ERR_DTYPE', message, () => statistics(mixed, { samples, backend: 'cuda' }));
    const there = mixed.map((task) => task.map((gradient) => gpus.put(gradient)));
    await expectError('ERR_DTYPE', message, () => statistics(there, { samples }));
    // The CPU takes them.
    expect((await statistics(mixed, { samples })).normSquared[0]).toBe(2);
  });
});

describe('addresses that are none of the GPU', () => {
  const good = (length = 4) => gpus.put(new Float32Array(length).fill(1))[0];
  const measure = (rows: DeviceTensor[]) => statistics([rows], { samples: [rows.map(() => 1)] });

  it.each([
    ['any number', 'no address of memory that CUDA', () => ({ ...good(), pointer: 0x1230n })],
    [
      'page-locked memory',
      'page-locked memory of the host',
      () => ({ ...good(), pointer: gpus.emulator.allocate('pinned', 0, 64) }),
    ],
    [
      'memory of another GPU',
      'device 1; .* says 0',
      () => ({ ...gpus.put(row(1, 2, 3, 4), { device: 1 })[0], device: 0 }),
    ],
    [
      'memory that was freed',
      'has been freed',
      () => {
        const address = gpus.emulator.allocate('device', 0, 64);
        gpus.emulator.free(address);
        return { ...good(), pointer: address };
      },
    ],
  ])('are refused: %s', async (_, why, bad) => {
    await expectError('ERR_INVALID_OPTION', new RegExp(`gradient 1.*${why}`), () => measure([good(), bad()]));
    const metric = bad();
    await expectError('ERR_INVALID_OPTION', new RegExp(`preconditioner.*${why}`), () =>
      statistics([[good(), good()]], { samples: [[1, 1]], preconditioner: metric }),
    );
    expect((await measure([good(), good()])).normSquared[0]).toBe(4);
  });

  it('unless they are of managed memory', async () => {
    const address = gpus.emulator.allocate('managed', 0, 16);
    gpus.emulator.poke(address, new Uint8Array(Float32Array.of(1, 1, 1, 1).buffer));
    expect((await measure([good(), { ...good(), pointer: address }])).normSquared[0]).toBe(4);
    gpus.emulator.free(address);
  });
});

describe('a metric that is none', () => {
  it.each([-1, Number.NaN, Infinity])('%d is refused with its place', async (bad) => {
    const rows = [[gpus.put([row(1, 2), row(3)]), gpus.put([row(1, 2), row(3)])]];
    const preconditioner = gpus.put([row(1, 1), row(bad)]);
    await expectError('ERR_INVALID_OPTION', /preconditioner .* element 0 of (its )?tensor 1/, () =>
      statistics(rows, { samples: [[1, 1]], preconditioner }),
    );
    const stream = (await cuda()).stream({ tasks: 1, layout: flat(1, 2), inner: false });
    const g = gpus.putView(flat(1, 2));
    await stream.add(0, g, 1, gpus.putView(flat(1, 1)));
    await expectError('ERR_INVALID_OPTION', /element 1 of (its )?tensor 0/, () =>
      stream.add(0, g, 1, gpus.putView(flat(1, bad))),
    );
    await stream.add(0, g, 1, gpus.putView(flat(1, 1)));
    const { microBatches, meanNormSquared, deviation } = await stream.moments();
    expect([microBatches[0], meanNormSquared[0], deviation[0]]).toEqual([2, 5, 0]);
    stream.dispose();
  });
});

describe("the caller's stream", () => {
  const later = (stream: bigint, { pointer }: DeviceTensor, x: number[], milliseconds = 20) =>
    gpus.emulator.work(stream, 0, pointer, new Uint8Array(row(...x).buffer), milliseconds);

  it('has written the gradients before they are read', async () => {
    const streams = [0, 0, 0].map(() => gpus.emulator.createStream(0));
    const [mine, other, third] = streams;
    const [[a], [b], [D]] = streams.map((stream) => gpus.put(row(0, 0), { stream }));
    later(mine, a, [1, 2]);
    later(other, b, [3, 2], 40);
    later(third, D, [1, 4], 60);
    const options = { samples: [[1, 1]], preconditioner: D };
    expect(await statistics([[a, b]], options)).toMatchObject({
      // ‖(2, 2)‖² − σ²/2 with σ² = 2
      normSquared: Float64Array.of(4 + 16 - 1),
      variance: Float64Array.of(2),
    });

    const stream = (await cuda()).stream({ tasks: 1, layout: flat(1, 2), inner: false });
    const [view] = [gpus.putView(flat(0, 0), { stream: mine })];
    if (view.memory !== 'device') throw new Error('on the device');
    gpus.emulator.work(mine, 0, view.pointers[0], new Uint8Array(row(3, 4).buffer), 20);
    await stream.add(0, view, 1, null);
    expect((await stream.moments()).meanNormSquared[0]).toBe(25);
    stream.dispose();
    for (const created of streams) gpus.emulator.destroyStream(created);
  });

  it('is the legacy default stream where none is given', async () => {
    const [a] = gpus.put(row(0, 0));
    later(0n, a, [3, 4]);
    const { normSquared } = await statistics([[a, { ...a, stream: 1n }]], { samples: [[1, 1]] });
    expect(normSquared[0]).toBe(25);
  });
});

describe('abort', () => {
  it('before a call begins, and while it waits for its turn', async () => {
    const request = onDevice({ ...single(flat(1, 2)) });
    const backend = await cuda();
    const reason = new Error('changed my mind');
    await expect(backend.moments({ ...request, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);

    const stream = backend.stream({ tasks: 1, layout: flat(1, 2), inner: false });
    await stream.add(0, request.rows[0][0], 1, null);
    const controller = new AbortController();
    gpus.emulator.hold();
    const ahead = backend.moments(request);
    const waiting = stream.add(0, request.rows[0][0], 1, null, controller.signal);
    controller.abort(reason);
    gpus.emulator.resume();
    await expect(waiting).rejects.toBe(reason);
    expect((await ahead).meanNormSquared[0]).toBe(5);
    expect((await stream.moments()).microBatches[0]).toBe(1);
    stream.dispose();
  });
});

describe('memory of the GPU', () => {
  it('that is not there is an error, after which all goes on', async () => {
    const backend = await cuda(1);
    const length = 200_000;
    const g = gpus.putView(viewOf([new Float32Array(length).fill(1)], ['float32']), { device: 1 });
    const { peakDeviceBytes } = gpus.emulator.counters();
    gpus.limitMemory(peakDeviceBytes + length);
    const stream = backend.stream({ tasks: 1, layout: g, inner: false });
    await expectError('ERR_MEMORY', /memory/i, () => stream.add(0, g, 1, null));
    gpus.limitMemory();
    await stream.add(0, g, 1, null);
    expect((await stream.moments()).meanNormSquared[0]).toBe(length);
    stream.dispose();
  });

  it('is given back by dispose', async () => {
    const backend = await cuda();
    const g = gpus.putView(viewOf([new Float32Array(10_000).fill(1)], ['float32']));
    await backend.moments({ ...single(flat(1)), rows: [[g]] });
    const before = gpus.emulator.counters().deviceBytes;
    const stream = backend.stream({ tasks: 3, layout: g, inner: true });
    for (let k = 0; k < 3; k++) await stream.add(k, g, 1, null);
    expect(gpus.emulator.counters().deviceBytes).toBeGreaterThanOrEqual(before + 3 * 40_000);
    stream.dispose();
    await expectError('ERR_DISPOSED', /disposed/, () => stream.add(0, g, 1, null));
    // The engine frees it on its own thread, before whatever comes next.
    await backend.moments({ ...single(flat(1)), rows: [[g]] });
    expect(gpus.emulator.counters().deviceBytes).toBeLessThan(before + 40_000);
  });
});

it('the JS thread asks CUDA nothing', async () => {
  const request = onDevice(
    randomRequest({ shape: { dtypes: ['float32'], lengths: [9] }, microBatches: [2], seed: 1 }),
  );
  const backend = await cuda();
  const { calls, waits } = gpus.emulator.counters();
  await backend.moments(request);
  await streamed(backend, { ...request, rowScalars: false });
  expect(gpus.emulator.counters()).toMatchObject({ calls, waits });
});

it('shows the line of the caller in an error', async () => {
  const error = await expectError('ERR_INVALID_OPTION', /./, async () => {
    await (await cuda()).moments(onDevice(single(flat(1, 2), flat(1, -1))));
  });
  expect(error.stack).toContain('cuda.test.ts');
});
