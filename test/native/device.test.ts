/**
 * The host side of the GPU path (native/cuda: engine, context, plan cache, measurement, streamed) on emulated devices,
 * by the addon's own interface. What users of the library see of it is tested in test/backends/cuda.test.ts.
 */
import { createRequire } from 'node:module';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type {
  NativeDeviceMomentStream,
  NativeDeviceMoments,
  NativeDeviceMomentsRequest,
  NativeDevicePreconditioner,
  NativeDeviceRows,
  NativeDeviceSource,
  NativeResult,
} from '../../lib/backends/load-addon.js';
import type { Moments } from '../../lib/statistics/statistics.js';
import { mulberry32 } from '../support/gradients.js';
import {
  compileEmulatedAddon,
  type EmulatedAddon,
  type EmulatorCounters,
  type EmulatorHooks,
  type EmulatorSettings,
} from './emulated-addon.js';

let addon: EmulatedAddon;
let emulator: EmulatorHooks;

beforeAll(async () => {
  addon = createRequire(import.meta.url)(await compileEmulatedAddon()) as EmulatedAddon;
  emulator = addon.emulator;
}, 600_000);

/** Many, so that every test has one of its own: plans stay on theirs for as long as the process lives. */
const DEVICES = Array.from({ length: 100 }, (_, i) => ({ name: `GPU ${i}`, computeCapability: '9.0' }));
let device = 0;
/** What there was of others before the test at hand. */
let before: EmulatorCounters;

function configure(settings: EmulatorSettings = {}) {
  emulator.configure({ devices: DEVICES, ...settings });
}
function nextDevice() {
  emulator.reset();
  configure();
  device++;
  before = emulator.counters();
}
beforeEach(nextDevice);

/** Rows in memory of the device, and the same in memory of the host. */
class Rows {
  readonly host: Float32Array[];
  readonly addresses: bigint[];

  constructor(
    readonly rowsPerTask: readonly number[],
    readonly length = 300,
    seed = 1,
  ) {
    const random = mulberry32(seed);
    const count = rowsPerTask.reduce((a, b) => a + b, 0);
    this.host = Array.from({ length: count }, () => Float32Array.from({ length }, () => random() - 0.4));
    this.addresses = this.host.map((row) => upload(row));
  }

  request(more: Partial<NativeDeviceMomentsRequest> = {}): NativeDeviceMomentsRequest {
    return {
      device,
      dtypes: Uint8Array.of(0),
      lengths: Float64Array.of(this.length),
      rowsPerTask: Int32Array.from(this.rowsPerTask),
      samples: new Float64Array(this.host.length).fill(4),
      pointers: BigUint64Array.from(this.addresses),
      tensors: null,
      preconditioner: null,
      streams: BigUint64Array.of(0n),
      owners: [],
      inner: true,
      rowScalars: false,
      update: null,
      ...more,
    };
  }

  row(index: number): NativeDeviceRows & NativeDeviceSource {
    const pointers = BigUint64Array.of(this.addresses[index]);
    return { pointers, tensors: null, streams: BigUint64Array.of(0n), owners: [] };
  }

  free(): void {
    for (const address of this.addresses) emulator.free(address);
  }

  /** What the CPU kernels make of the same rows. */
  async expected(inner = true, metric: Float32Array | null = null): Promise<Moments> {
    const result = await addon.moments(
      {
        ...this.request({ inner }),
        tensors: this.host,
        preconditioner: metric && { dtypes: Uint8Array.of(0), tensors: [metric] },
        threads: 1,
      },
      null,
    );
    if ('code' in result) throw new Error(result.message);
    return result;
  }
}

function upload(values: Float32Array): bigint {
  const address = emulator.allocate('device', device, values.byteLength);
  emulator.poke(address, new Uint8Array(values.buffer));
  return address;
}

function metricOf(values: Float32Array): NativeDevicePreconditioner {
  return { dtypes: Uint8Array.of(0), pointers: BigUint64Array.of(upload(values)), tensors: null };
}

async function succeed<T>(result: NativeResult<T>): Promise<T> {
  const settled = await result;
  if (typeof settled === 'object' && settled !== null && 'code' in settled)
    throw new Error(`${settled.code}: ${settled.message}`);
  return settled as T;
}

async function codeOf(result: NativeResult<unknown>): Promise<string> {
  const settled = await result;
  const status = settled as { code?: string } | undefined;
  return status?.code ?? 'OK';
}

/** And waits until its memory is given back. */
async function dispose(measurement: NativeDeviceMomentStream): Promise<void> {
  measurement.dispose();
  const options = { device, tasks: 1, dtypes: Uint8Array.of(0), lengths: Float64Array.of(1), inner: false };
  await new addon.DeviceMomentStream(options).moments(null); // after the job that frees
}

const measure = (request: NativeDeviceMomentsRequest): Promise<NativeDeviceMoments> =>
  succeed(addon.deviceMoments(request, null));

/** Within the tolerance of sums in float32, relative to the norms at hand. */
function expectMoments(actual: Moments, expected: Moments): void {
  expect(actual.microBatches).toEqual(expected.microBatches);
  expect(actual.samples).toEqual(expected.samples);
  const scale = Math.max(...expected.meanNormSquared, ...expected.deviation);
  for (const part of ['deviation', 'meanNormSquared', 'meanInner'] as const) {
    expect(actual[part]?.length, part).toBe(expected[part]?.length);
    expected[part]?.forEach((value, i) => {
      expect(Math.abs(actual[part]![i] - value), `${part}[${i}]`).toBeLessThan(1e-6 * scale);
    });
  }
}

describe('a measurement', () => {
  it('is one launch, from the second time on as one graph, with the same bits', async () => {
    const rows = new Rows([2, 3]);
    const request = rows.request();
    const first = await measure(request);
    expectMoments(first.moments, await rows.expected());
    expect([first.graph, emulator.counters().kernels, emulator.counters().graphs]).toEqual([false, 1, 0]);
    for (let i = 0; i < 3; i++) {
      const before = emulator.counters();
      const again = await measure(request);
      const after = emulator.counters();
      expect(again.graph).toBe(true);
      expect([after.kernels - before.kernels, after.graphs - before.graphs]).toEqual([1, 1]);
      expect(after.allocations).toBe(before.allocations);
      expect(again.moments).toEqual(first.moments);
    }
  });

  it('reads what is there when it is asked, not what was there when the graph was made', async () => {
    const rows = new Rows([2, 2]);
    for (let i = 0; i < 3; i++) await measure(rows.request());
    const others = new Rows([2, 2], 300, 2);
    const samples = Float64Array.of(1, 2, 3, 5);
    const { moments, graph } = await measure(others.request({ samples }));
    expect(graph).toBe(true);
    nextDevice(); // and with it all plans
    const again = new Rows([2, 2], 300, 2);
    expect(moments.samples).toEqual(Float64Array.of(3, 8));
    expect((await measure(again.request({ samples }))).moments).toEqual(moments);
  });

  it('keeps no graph of a part of the step', async () => {
    const rows = new Rows([2, 2]);
    await measure(rows.request());
    emulator.failNext('Launch', 1);
    const others = new Rows([2, 2], 300, 2);
    const again = await measure(others.request());
    expect(again.graph).toBe(false);
    expectMoments(again.moments, await others.expected());
  });

  it('goes on piece by piece where no graph can be made', async () => {
    const rows = new Rows([2, 2]);
    const first = await measure(rows.request());
    emulator.failNext('BeginCapture', 900);
    for (let i = 0; i < 2; i++) {
      const again = await measure(rows.request());
      expect(again.graph).toBe(false);
      expect(again.moments).toEqual(first.moments);
    }
  });

  it('of more than 128 rows is one launch per row and one for the products', async () => {
    const rows = new Rows(
      Array.from({ length: 65 }, (_, k) => (k % 8 === 3 ? 0 : 3)),
      40,
    );
    const { moments } = await measure(rows.request());
    expectMoments(moments, await rows.expected());
    expect(emulator.counters().kernels).toBe(rows.host.length + 1);
    expect(emulator.counters().liveAllocations - before.liveAllocations).toBe(rows.addresses.length);
    expect(await codeOf(addon.deviceMoments(rows.request({ rowScalars: true }), null))).toBe('ERR_SHAPE');
  });

  it('uploads rows of the host, and frees what they took', async () => {
    const rows = new Rows([2, 2], 1000);
    const before = emulator.counters();
    const { moments } = await measure(
      rows.request({ pointers: null, tensors: rows.host, streams: new BigUint64Array() }),
    );
    expect(moments).toEqual((await measure(rows.request())).moments);
    expect(emulator.counters().deviceBytes - before.deviceBytes).toBeLessThan(rows.host.length * 4000);
  });

  it('never has the JavaScript thread call CUDA', async () => {
    const rows = new Rows([2, 2]);
    await measure(rows.request());
    await measure(rows.request());
    expect(emulator.counters()).toMatchObject({ calls: 0, waits: 0 });
  });
});

describe('plans', () => {
  /** Each has one block of arguments. */
  const plansOf = () => emulator.counters().livePinnedAllocations - before.livePinnedAllocations;
  const bytesOf = () => emulator.counters().deviceBytes - before.deviceBytes;

  it('are kept per shape, and the one used longest ago goes', async () => {
    const one = new Rows([2, 2], 10);
    await measure(one.request());
    for (let length = 11; length < 30; length++) {
      await measure(new Rows([2, 2], length).request());
      await measure(one.request());
    }
    expect(plansOf()).toBe(16);
    const { allocations } = emulator.counters();
    expect((await measure(one.request())).graph).toBe(true);
    expect(emulator.counters().allocations).toBe(allocations);
    const gone = new Rows([2, 2], 11);
    const before = emulator.counters().allocations;
    await measure(gone.request());
    expect(emulator.counters().allocations).toBe(before + 1);
  });

  it.each([
    ['dtype', { dtypes: Uint8Array.of(2), lengths: Float64Array.of(600) }],
    ['rows per task', { rowsPerTask: Int32Array.of(3, 1) }],
    ['products', { inner: false }],
  ] as const)('differ by %s', async (_, more) => {
    const rows = new Rows([2, 2]);
    await measure(rows.request());
    expect(plansOf()).toBe(1);
    await measure(rows.request(more));
    expect(plansOf()).toBe(2);
  });

  it('differ by the types of a preconditioner', async () => {
    const rows = new Rows([2, 2]);
    const values = new Float32Array(300).fill(2);
    await measure(rows.request());
    const { moments } = await measure(rows.request({ preconditioner: metricOf(values) }));
    expectMoments(moments, await rows.expected(true, values));
    expect(plansOf()).toBe(2);
  });

  it('are thrown away after an error, since nobody knows what it left in them', async () => {
    const rows = new Rows([2, 2]);
    const first = await measure(rows.request());
    emulator.failNext('Synchronize', 1);
    expect(await codeOf(addon.deviceMoments(rows.request(), null))).toBe('ERR_CUDA');
    expect(plansOf()).toBe(0);
    expect((await measure(rows.request())).moments).toEqual(first.moments);
  });

  it('make room for one another when memory is short', async () => {
    const small = new Rows([2, 2], 10);
    const large = new Rows([2, 2], 40_000);
    await measure(small.request());
    await measure(large.request());
    const needed = bytesOf();
    const other = new Rows([2, 2], 40_100);
    const bytes = other.addresses.length * 40_100 * 4;
    configure({ deviceMemory: needed + bytes + 500 });
    const { moments } = await measure(other.request());
    expectMoments(moments, await other.expected());
    expect(plansOf()).toBe(1);
  });

  it('that do not fit are ERR_MEMORY, and nothing is lost by it', async () => {
    const small = new Rows([2, 2], 10);
    const first = await measure(small.request());
    const large = new Rows([2, 2], 40_000);
    configure({ deviceMemory: bytesOf() + 100 });
    expect(await codeOf(addon.deviceMoments(large.request(), null))).toBe('ERR_MEMORY');
    expect((await measure(small.request())).moments).toEqual(first.moments);
    configure({ pinnedMemory: 100 });
    expect(await codeOf(addon.deviceMoments(large.request(), null))).toBe('ERR_MEMORY');
  });
});

describe("the caller's streams", () => {
  /** A gradient that is formed only later, by work that the caller has given to a stream. */
  async function lateRow(rows: Rows, index: number, stream: bigint): Promise<Float32Array> {
    const late = new Float32Array(rows.length).fill(3 + index);
    emulator.work(stream, device, rows.addresses[index], new Uint8Array(late.buffer), 30);
    return late;
  }

  it('are all waited for, on the device', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      configure({ seed });
      const rows = new Rows([2, 2]);
      const streams = [emulator.createStream(device), emulator.createStream(device), 0n];
      for (const [index, stream] of streams.entries()) rows.host[index] = await lateRow(rows, index, stream);
      const { moments } = await measure(rows.request({ streams: BigUint64Array.from(streams) }));
      expectMoments(moments, await rows.expected());
      for (const stream of streams) if (stream !== 0n) emulator.destroyStream(stream);
    }
  });

  it('are waited for by streamed measurements, too', async () => {
    const rows = new Rows([2]);
    const stream = emulator.createStream(device);
    const options = {
      device,
      tasks: 1,
      dtypes: Uint8Array.of(0),
      lengths: Float64Array.of(300),
      inner: false,
    };
    const measurement = new addon.DeviceMomentStream(options);
    for (const index of [0, 1]) {
      rows.host[index] = await lateRow(rows, index, stream);
      const given = { ...rows.row(index), streams: BigUint64Array.of(stream) };
      await succeed(measurement.add(0, given, 4, null, null));
    }
    expectMoments(await succeed(measurement.moments(null)), await rows.expected(false));
    await dispose(measurement);
    emulator.destroyStream(stream);
  });

  it('that nobody named are not waited for', async () => {
    const rows = new Rows([2, 2]);
    const stream = emulator.createStream(device);
    await lateRow(rows, 0, stream);
    const { moments } = await measure(rows.request());
    expectMoments(moments, await rows.expected());
    emulator.awaitIdle();
    emulator.destroyStream(stream);
  });
});

describe('addresses', () => {
  const refused = async (rows: Rows, index: number, address: bigint) => {
    const pointers = BigUint64Array.from(rows.addresses);
    pointers[index] = address;
    const status = await addon.deviceMoments(rows.request({ pointers }), null);
    if (!('code' in status)) throw new Error('it was taken');
    return `${status.code} ${status.message}`;
  };

  it('must be of memory of that device, as long as the tensor', async () => {
    const rows = new Rows([2, 2]);
    await measure(rows.request());
    const pinned = emulator.allocate('pinned', device, 1200);
    const elsewhere = emulator.allocate('device', 0, 1200);
    const short = emulator.allocate('device', device, 1196);
    const freed = emulator.allocate('device', device, 1200);
    emulator.free(freed);
    expect(await refused(rows, 2, pinned)).toMatch(
      /^ERR_INVALID_OPTION the first byte of gradient 2, tensor 0 \(300 elements\), lies in page-locked memory of the host/,
    );
    expect(await refused(rows, 1, elsewhere)).toMatch(/gradient 1.*lies on device 0; its `device` says \d+/);
    expect(await refused(rows, 1, short)).toMatch(/the last byte of gradient 1.*has been freed/);
    expect(await refused(rows, 0, freed)).toMatch(/the first byte of gradient 0.*has been freed/);
    expect(await refused(rows, 0, 4096n)).toMatch(/no address of memory that CUDA has allocated/);
    const managed = emulator.allocate('managed', device, 1200);
    emulator.poke(managed, new Uint8Array(rows.host[3].buffer));
    rows.addresses[3] = managed;
    expectMoments((await measure(rows.request())).moments, await rows.expected());
  });

  it('of a preconditioner and of a streamed gradient are looked at, too', async () => {
    const rows = new Rows([2, 2]);
    const freed = metricOf(new Float32Array(300).fill(1));
    emulator.free(freed.pointers![0]);
    const batch = await addon.deviceMoments(rows.request({ preconditioner: freed }), null);
    expect(batch).toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(/the preconditioner/),
    });
    const options = {
      device,
      tasks: 2,
      dtypes: Uint8Array.of(0),
      lengths: Float64Array.of(300),
      inner: false,
    };
    const measurement = new addon.DeviceMomentStream(options);
    const bad = { ...rows.row(0), pointers: BigUint64Array.of(4096n) };
    expect(await measurement.add(0, bad, 4, null, null)).toMatchObject({ code: 'ERR_INVALID_OPTION' });
    expect(await measurement.add(0, rows.row(0), 4, freed, null)).toMatchObject({
      code: 'ERR_INVALID_OPTION',
    });
    for (const index of [0, 1]) await succeed(measurement.add(0, rows.row(index), 4, null, null));
    for (const index of [2, 3]) await succeed(measurement.add(1, rows.row(index), 4, null, null));
    expectMoments(await succeed(measurement.moments(null)), await rows.expected(false));
    await dispose(measurement);
  });
});

describe('a streamed measurement', () => {
  const options = (tasks: number, inner: boolean) => ({
    device,
    tasks,
    dtypes: Uint8Array.of(0),
    lengths: Float64Array.of(300),
    inner,
  });

  it.each([true, false])(
    'holds its vectors on the device until it is disposed (inner: %s)',
    async (inner) => {
      const rows = new Rows([2, 0, 3]);
      const metric = Float32Array.from({ length: 300 }, (_, i) => i % 7);
      const preconditioner = metricOf(metric);
      const { liveAllocations, livePinnedAllocations } = emulator.counters();
      const measurement = new addon.DeviceMomentStream(options(3, inner));
      for (const [index, task] of [0, 0, 2, 2, 2].entries())
        await succeed(measurement.add(task, rows.row(index), 4, preconditioner, null));
      const during = emulator.counters();
      expect(during.liveAllocations - liveAllocations).toBe(inner ? 3 : 2); // means, and one for all else
      expect(during.kernels).toBe(2 * 5); // each preceded by the check of the preconditioner
      expectMoments(await succeed(measurement.moments(null)), await rows.expected(inner, metric));
      await dispose(measurement);
      expect(await codeOf(measurement.add(0, rows.row(0), 4, null, null))).toBe('ERR_DISPOSED');
      expect(emulator.counters()).toMatchObject({ liveAllocations, livePinnedAllocations });
    },
  );

  it('of which nothing was added is all zeros', async () => {
    const measurement = new addon.DeviceMomentStream(options(2, true));
    expect(await succeed(measurement.moments(null))).toEqual({
      microBatches: new Int32Array(2),
      samples: new Float64Array(2),
      deviation: new Float64Array(2),
      meanNormSquared: new Float64Array(2),
      meanInner: new Float64Array(4),
      rowDeviation: null,
      rowAlignment: null,
    });
  });

  it('looks again at a preconditioner of a wider type at the same place', async () => {
    const rows = new Rows([2]);
    const measurement = new addon.DeviceMomentStream(options(1, false));
    const pointers = BigUint64Array.of(emulator.allocate('device', device, 600));
    emulator.poke(pointers[0], new Uint8Array(Uint16Array.from({ length: 300 }, () => 0x3f80).buffer));
    const metric = (dtype: number) => ({ dtypes: Uint8Array.of(dtype), pointers, tensors: null });
    await succeed(measurement.add(0, rows.row(0), 4, metric(2), null));
    expect(await codeOf(measurement.add(0, rows.row(1), 4, metric(0), null))).toBe('ERR_INVALID_OPTION');
    await succeed(measurement.add(0, rows.row(1), 4, metric(2), null));
    expectMoments(await succeed(measurement.moments(null)), await rows.expected(false));
  });

  it('is as it was after a preconditioner that is none', async () => {
    const rows = new Rows([3]);
    const measurement = new addon.DeviceMomentStream(options(1, false));
    const good = metricOf(new Float32Array(300).fill(1));
    const broken = new Float32Array(300).fill(1);
    broken[211] = -1;
    broken[250] = Number.NaN;
    const bad = metricOf(broken);
    for (const index of [0, 1]) await succeed(measurement.add(0, rows.row(index), 4, good, null));
    expect(await measurement.add(0, rows.row(2), 4, bad, null)).toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(/element 211 of its tensor 0 is not/),
    });
    await succeed(measurement.add(0, rows.row(2), 4, good, null));
    expectMoments(await succeed(measurement.moments(null)), await rows.expected(false));
  });
});

describe('whatever fails', () => {
  const CALLS = [
    ...['UseDevice', 'Allocate', 'AllocateHost', 'CreateStream', 'CreateEvent', 'Record', 'StreamAwait'],
    ...[
      'Synchronize',
      'Elapsed',
      'Copy',
      'FillZero',
      'Inspect',
      'BeginCapture',
      'EndCapture',
      'LaunchGraph',
      'Launch',
    ],
  ];

  /** A micro-batch that was refused may be given again; a measurement that is broken says so, and another serves. */
  async function streamTwice(rows: Rows, seen: string[]): Promise<Moments> {
    for (let tries = 0; ; tries++) {
      const measurement = new addon.DeviceMomentStream({
        device,
        tasks: 2,
        dtypes: Uint8Array.of(0),
        lengths: Float64Array.of(300),
        inner: true,
      });
      for (const [index, task] of [0, 0, 1, 1].entries())
        for (let again = 0; again < 2; again++) {
          const status = await measurement.add(task, rows.row(index), 4, null, null);
          if (status === undefined) break;
          seen.push(`${status.code}: ${status.message}`);
        }
      let moments = await measurement.moments(null);
      if ('code' in moments) {
        seen.push(`${moments.code}: ${moments.message}`);
        moments = await measurement.moments(null);
      }
      await dispose(measurement);
      if (!('code' in moments)) return moments;
      if (tries === 1) throw new Error(`${moments.code}: ${moments.message}`);
    }
  }

  it.each(CALLS)('%s: an error or a right result, and the next call succeeds', async (call) => {
    const seen: string[] = [];
    // What happens only once on a device is to be met on many.
    const once = ['UseDevice', 'CreateStream', 'CreateEvent'].includes(call);
    for (let after = 0; after < (once ? 4 : 40); after++) {
      if (once) nextDevice();
      else {
        emulator.reset();
        configure();
      }
      const rows = new Rows([2, 2]);
      const expected = await rows.expected();
      const { length } = seen;
      emulator.failNext(call, 1, after);
      for (let i = 0; i < 4; i++) {
        const result = await addon.deviceMoments(rows.request(), null);
        if ('code' in result) seen.push(`${result.code}: ${result.message}`);
        else expectMoments(result.moments, expected);
      }
      const streamed = await streamTwice(rows, seen);
      expectMoments(streamed, expected);
      rows.free();
      // Not a call that is made, or one whose failure costs nothing.
      if (seen.length === length && after > 3) break;
    }
    for (const message of seen) expect(message).toMatch(/^ERR_CUDA: .*cudaErrorInvalidValue \(1\)/);
    // Those that a measurement depends on; times are not among them, nor graphs.
    if (!/Capture/.test(call)) expect(seen).not.toEqual([]);
  });

  it('a device that is lost stays lost, says why, and costs nobody else theirs', async () => {
    const rows = new Rows([2, 2]);
    await measure(rows.request());
    emulator.failNext('Kernel', 700);
    const lost = await addon.deviceMoments(rows.request(), null);
    expect(lost).toMatchObject({
      code: 'ERR_CUDA_FATAL',
      message: expect.stringMatching(/GPU \d+ is lost to this process.*cudaErrorIllegalAddress \(700\)/),
    });
    emulator.reset(); // the emulator's device would serve again; this process must not ask it
    configure();
    expect(await addon.deviceMoments(rows.request(), null)).toEqual(lost);
    const measurement = new addon.DeviceMomentStream({
      device,
      tasks: 1,
      dtypes: Uint8Array.of(0),
      lengths: Float64Array.of(300),
      inner: false,
    });
    expect(await measurement.add(0, rows.row(0), 4, null, null)).toEqual(lost);
    nextDevice();
    const others = new Rows([2, 2]);
    expectMoments((await measure(others.request())).moments, await others.expected());
  });
});
