/**
 * The emulated CUDA runtime that the host side of native/cuda is tested on: it must let happen whatever a GPU may do,
 * and see whatever a GPU would not forgive. Nothing here needs a GPU, nor the kernels of native/cuda.
 */
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compileTestAddon, loadTestAddon } from './compile.js';
import type { EmulatorHooks } from './emulated-addon.js';
import { RUNTIME_SOURCES } from './emulator/sources.js';

type Handle = bigint;
type Address = bigint | Float32Array;

/** test/native/runtime_addon.cpp: what fails throws an error with a code. */
interface Runtime {
  allocate(bytes: number): bigint;
  allocateHost(bytes: number): bigint;
  free(address: bigint): void;
  freeHost(address: bigint): void;
  createStream(): Handle;
  destroyStream(stream: Handle): void;
  createEvent(): Handle;
  destroyEvent(event: Handle): void;
  record(event: Handle, stream: Handle): void;
  streamAwait(stream: Handle, event: Handle): void;
  synchronize(event: Handle): void;
  synchronizeStream(stream: Handle): void;
  elapsed(begin: Handle, end: Handle): number;
  copy(to: Address, from: Address, bytes: number, stream: Handle): void;
  fillZero(to: Address, bytes: number, stream: Handle): void;
  inspect(address: Address): string;
  beginCapture(stream: Handle): void;
  endCapture(stream: Handle): Handle;
  launchGraph(graph: Handle, stream: Handle): void;
  destroyGraph(graph: Handle): void;
  properties(device: number): string;
  useDevice(device: number): void;
  add(values: Address, amount: Address, count: number, stream: Handle): void;
  addThrough(values: Address, table: Address, count: number, stream: Handle): void;
  read(address: Address): number;
  whereIs(array: NodeJS.TypedArray): bigint;
  readonly emulator: EmulatorHooks;
}

const addon = {
  name: 'runtime',
  sources: ['test/native/runtime_addon.cpp', ...RUNTIME_SOURCES],
};
const cuda = await loadTestAddon<Runtime>(addon);
const { emulator } = cuda;

/** What a test makes, and gives back at its end. */
class Owned {
  readonly #release: (() => void)[] = [];

  #own<T>(made: T, release: (made: T) => void): T {
    this.#release.push(() => release(made));
    return made;
  }
  stream() {
    return this.#own(cuda.createStream(), cuda.destroyStream);
  }
  event() {
    return this.#own(cuda.createEvent(), cuda.destroyEvent);
  }
  userStream() {
    return this.#own(emulator.createStream(0), emulator.destroyStream);
  }
  /** Memory of the device, with these numbers in it. */
  device(...values: number[]) {
    const address = this.#own(cuda.allocate(4 * values.length), cuda.free);
    emulator.poke(address, bytesOf(values));
    return address;
  }
  /** Memory of the device, with an address in it. */
  table(address: bigint) {
    const table = this.#own(cuda.allocate(8), cuda.free);
    emulator.poke(table, new Uint8Array(BigUint64Array.of(address).buffer));
    return table;
  }
  pinned(...values: number[]) {
    const address = this.#own(cuda.allocateHost(4 * values.length), cuda.freeHost);
    emulator.poke(address, bytesOf(values));
    return address;
  }
  graph(stream: Handle) {
    return this.#own(cuda.endCapture(stream), cuda.destroyGraph);
  }
  release() {
    for (const release of this.#release.splice(0).reverse()) release();
  }
}

const bytesOf = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);
const floats = (address: bigint, count: number) => [
  ...new Float32Array(emulator.peek(address, 4 * count).buffer),
];

/** Memory of the host at an address that looks like one (IsHostAddress in emulator/device_memory.cpp). */
function hostMemory(): Float32Array {
  // Large, so that it does not lie in a low heap, where any float might point.
  const array = new Float32Array(1 << 20);
  return (cuda.whereIs(array) & 0xffff_ffffn) < 1n << 20n ? array.subarray(1 << 18) : array;
}

let own: Owned;
beforeEach(() => {
  own = new Owned();
});
afterEach(() => {
  emulator.reset();
  own.release();
});

/** Waits until a stream has done all that it was given. */
function settle(stream: Handle): void {
  const event = own.event();
  cuda.record(event, stream);
  cuda.synchronize(event);
}

function failure(call: () => void): { code?: string; message: string } {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

const SEEDS = Array.from({ length: 24 }, (_, seed) => seed);

describe('streams', () => {
  it('do in order what they are given', () => {
    for (const seed of SEEDS) {
      emulator.configure({ seed });
      const stream = own.stream();
      const [a, b, step] = [own.device(1, 2, 3), own.device(0, 0, 0), own.device(10)];
      for (let i = 0; i < 4; i++) {
        cuda.add(a, step, 3, stream);
        cuda.copy(b, a, 12, stream);
        cuda.add(a, b, 3, stream); // by b[0]
      }
      settle(stream);
      expect(floats(b, 3)).toEqual([158, 159, 160]);
    }
  });

  /** One stream writes 1, another copies what is there. Returns what it has copied. */
  function race(seed: number, waits: boolean, reader: Handle): number {
    emulator.configure({ seed });
    const writer = own.userStream();
    const [value, copied] = [own.device(0), own.device(-1)];
    emulator.hold(); // both are there before either begins
    emulator.work(writer, 0, value, bytesOf([1]), 0);
    if (waits) {
      const event = own.event();
      cuda.record(event, writer);
      cuda.streamAwait(reader, event);
    }
    cuda.copy(copied, value, 4, reader);
    emulator.resume();
    settle(reader);
    return floats(copied, 1)[0];
  }

  it('race with each other unless one awaits the other', () => {
    const seen = (waits: boolean, reader: Handle) => new Set(SEEDS.map((seed) => race(seed, waits, reader)));
    for (const reader of [own.stream(), 0n]) {
      expect(seen(false, reader)).toEqual(new Set([0, 1]));
      expect(seen(true, reader)).toEqual(new Set([1]));
    }
  });

  it('run out of step with the host', () => {
    const stream = own.stream();
    const seen = new Set<number>();
    for (let i = 0; i < 400 && seen.size < 2; i++) {
      const [value, pinned] = [own.device(1), own.pinned(0)];
      cuda.copy(pinned, value, 4, stream);
      if (i % 2 === 1) emulator.awaitIdle();
      seen.add(floats(pinned, 1)[0]);
    }
    expect(seen).toEqual(new Set([0, 1]));
  });

  it('wait for what an event was when they were told to, whatever it becomes later', () => {
    const [slow, idle, reader] = [own.userStream(), own.userStream(), own.stream()];
    const [value, copied, event] = [own.device(0), own.device(-1), own.event()];
    emulator.work(slow, 0, value, bytesOf([1]), 20);
    for (const stream of [slow, idle]) {
      cuda.record(event, stream);
      cuda.streamAwait(reader, event);
    }
    cuda.copy(copied, value, 4, reader);
    settle(reader);
    expect(floats(copied, 1)).toEqual([1]);
  });

  it('do what they were given also after they are destroyed, and are no streams any more', () => {
    const stream = cuda.createStream();
    const value = own.device(0);
    emulator.work(stream, 0, value, bytesOf([1]), 5);
    cuda.destroyStream(stream);
    expect(failure(() => cuda.fillZero(value, 4, stream)).message).toContain(
      'cudaErrorInvalidResourceHandle (400)',
    );
    emulator.awaitIdle();
    expect(floats(value, 1)).toEqual([1]);
  });

  it('can be waited for as a whole, destroyed events and all', () => {
    const [user, value] = [own.userStream(), own.device(0)];
    emulator.work(user, 0, value, bytesOf([1]), 10);
    const event = cuda.createEvent();
    cuda.record(event, user);
    cuda.destroyEvent(event);
    cuda.synchronizeStream(user);
    expect(floats(value, 1)).toEqual([1]);
  });

  it('tell the time between two events that are there', () => {
    const [user, begin, end, value] = [own.userStream(), own.event(), own.event(), own.device(0)];
    emulator.hold();
    cuda.record(begin, user);
    emulator.work(user, 0, value, bytesOf([1]), 10);
    cuda.record(end, user);
    expect(failure(() => cuda.elapsed(begin, end)).message).toContain('cudaErrorNotReady (600)');
    emulator.resume();
    cuda.synchronize(end);
    expect(cuda.elapsed(begin, end)).toBeGreaterThanOrEqual(10);
    expect(cuda.elapsed(begin, end)).toBeLessThan(5000);
    expect(failure(() => cuda.elapsed(begin, own.event())).message).toContain('(400)');
  });
});

describe('copies', () => {
  it('read page-locked memory when they are done, and other memory when they are given', () => {
    const stream = own.stream();
    const [pinned, array] = [own.pinned(1), Float32Array.of(1)];
    const [fromPinned, fromArray] = [own.device(0), own.device(0)];
    emulator.hold();
    cuda.copy(fromPinned, pinned, 4, stream);
    cuda.copy(fromArray, array, 4, stream);
    emulator.poke(pinned, bytesOf([2]));
    array[0] = 2;
    emulator.resume();
    settle(stream);
    expect([floats(fromPinned, 1), floats(fromArray, 1)]).toEqual([[2], [1]]);
  });

  it('are done with memory that is not page-locked before they return, and with no other', () => {
    const [user, value] = [own.userStream(), own.device(0)];
    const [array, pinned] = [Float32Array.of(0), own.pinned(0)];
    emulator.work(user, 0, value, bytesOf([1]), 5);
    cuda.copy(array, value, 4, user);
    expect(array[0]).toBe(1);
    emulator.hold();
    cuda.copy(pinned, value, 4, user);
    expect(floats(pinned, 1)).toEqual([0]);
  });

  it('and fills stay within an allocation', () => {
    const [stream, value] = [own.stream(), own.device(1, 2, 3)];
    for (const wrong of [
      () => cuda.copy(value, new Float32Array(4), 16, stream),
      () => cuda.copy(new Float32Array(4), value + 4n, 12, stream),
      () => cuda.fillZero(value + 8n, 8, stream),
      () => cuda.fillZero(new Float32Array(1), 4, stream),
      () => cuda.copy(value, 0n, 4, stream),
    ]) {
      const error = failure(wrong);
      expect(error.code).toBe('ERR_CUDA');
      expect(error.message).toContain('cudaErrorInvalidValue (1)');
    }
    cuda.fillZero(value + 4n, 8, stream);
    settle(stream);
    expect(floats(value, 3)).toEqual([1, 0, 0]);
  });
});

describe('memory', () => {
  it('begins as NaN, at multiples of 256 bytes and of no more', () => {
    for (const allocate of [cuda.allocate, cuda.allocateHost]) {
      const addresses = [5, 4096, 100_000].map((bytes) => allocate(bytes));
      for (const address of addresses) expect(address % 512n).toBe(256n);
      expect(floats(addresses[1], 1024).every(Number.isNaN)).toBe(true);
      for (const address of addresses) emulator.free(address);
    }
  });

  it('is known by any address in it, until it is freed', () => {
    emulator.configure({
      devices: [0, 1].map((i) => ({ name: `GPU ${i}`, computeCapability: `${8 + i}.${6 * i}` })),
    });
    expect([0, 1].map((device) => cuda.properties(device))).toEqual(['GPU 0 8.0', 'GPU 1 9.6']);
    const managed = emulator.allocate('managed', 0, 8);
    const pinned = own.pinned(1, 2);
    cuda.useDevice(1);
    const device = cuda.allocate(8);
    cuda.useDevice(0);
    for (const offset of [0n, 7n]) {
      expect(cuda.inspect(device + offset)).toBe('device 1');
      expect(cuda.inspect(managed + offset)).toBe('managed 0');
      expect(cuda.inspect(pinned + offset)).toBe('pinned -1');
    }
    expect(cuda.inspect(device + 8n)).toBe('host -1');
    expect(cuda.inspect(new Float32Array(1))).toBe('host -1');
    cuda.free(device);
    emulator.free(managed);
    expect(cuda.inspect(device)).toBe('host -1');
  });

  it('has an end: ERR_MEMORY, and with less all is well', () => {
    emulator.configure({ deviceMemory: 1000, pinnedMemory: 500 });
    const first = cuda.allocate(600);
    const error = failure(() => cuda.allocate(401));
    expect(error.code).toBe('ERR_MEMORY');
    expect(error.message).toContain('cudaErrorMemoryAllocation (2), out of memory');
    cuda.free(cuda.allocate(400));
    cuda.free(first);
    cuda.free(cuda.allocate(1000));
    expect(failure(() => cuda.allocateHost(501)).code).toBe('ERR_MEMORY');
    cuda.freeHost(cuda.allocateHost(500));
  });

  it('is not used after it is freed, by kernels or copies that come later', () => {
    const stream = own.stream();
    const launched = emulator.looksAtArguments ? 'a kernel' : 'global out of bounds';
    const uses: [string, (address: bigint) => void][] = [
      [launched, (address) => cuda.add(address, own.device(1), 1, stream)],
      [launched, (address) => cuda.add(own.device(1), address, 1, stream)],
      ['global out of bounds', (address) => cuda.addThrough(own.device(1), own.table(address), 1, stream)],
      ['a copy', (address) => cuda.copy(address, own.device(1), 4, stream)],
      ['a copy', (address) => cuda.copy(own.device(1), address, 4, stream)],
      ['a copy', (address) => cuda.fillZero(address, 4, stream)],
    ];
    for (const [what, use] of uses) {
      const address = cuda.allocate(4);
      emulator.hold();
      use(address);
      cuda.free(address);
      emulator.resume();
      expect(failure(() => settle(stream)).message).toContain('cudaErrorIllegalAddress (700)');
      expect(emulator.lastDefect()).toContain(what);
      expect(emulator.lastDefect()).toContain('which has been freed');
      emulator.reset();
      // No other allocation gets the address.
      const next = cuda.allocate(4);
      expect(next).not.toBe(address);
      cuda.free(next);
    }
  });

  it('of devices cannot be touched by the host', async () => {
    const child = spawnSync(process.execPath, [
      '-e',
      `const cuda = require(${JSON.stringify(await compileTestAddon(addon))});
      const address = cuda.allocate(4);
      console.log(cuda.read(cuda.allocateHost(4)));
      console.log(cuda.read(address));`,
    ]);
    expect(child.stdout.toString()).toBe('255\n');
    expect(child.signal).toMatch(/SIGSEGV|SIGBUS/);
  });
});

describe('kernels', () => {
  it('are given addresses of the device only, within its allocations', () => {
    const stream = own.stream();
    const [values, amount] = [own.device(1, 2), own.device(1)];
    const wrong: [() => void, RegExp][] = [
      [() => cuda.add(values, amount, 3, stream), /global out of bounds: .* at byte 8 of device allocation/],
      [() => cuda.add(values + 2n, amount, 1, stream), /global misaligned/],
    ];
    expect(emulator.looksAtArguments || /clang/.test(process.env.CXX ?? '')).toBe(true);
    const ofTheHost = /byte 8 of its arguments is an address of the host/;
    if (emulator.looksAtArguments)
      for (const address of [hostMemory(), own.pinned(1)])
        wrong.push([() => cuda.add(values, address, 1, stream), ofTheHost]);
    for (const [launch, defect] of wrong) {
      launch();
      expect(failure(() => settle(stream)).code).toBe('ERR_CUDA_FATAL');
      expect(emulator.lastDefect()).toMatch(defect);
      emulator.reset();
    }
    const byTable: [bigint, RegExp][] = [
      [amount + 4n, /global out of bounds: .* at byte 4 of device allocation/],
    ];
    if (emulator.looksAtArguments)
      byTable.push([
        own.pinned(1),
        /byte 0 of device allocation \d+, which .* points to, is an address of the host/,
      ]);
    for (const [address, defect] of byTable) {
      cuda.addThrough(values, own.table(address), 1, stream);
      expect(failure(() => settle(stream)).message).toMatch(defect);
      emulator.reset();
    }
    cuda.addThrough(values, own.table(amount), 2, stream);
    settle(stream);
    expect(floats(values, 2)).toEqual([2, 3]);
  });

  it('may use managed memory', () => {
    const stream = own.stream();
    const managed = emulator.allocate('managed', 0, 4);
    emulator.poke(managed, bytesOf([2]));
    cuda.add(managed, own.device(1), 1, stream);
    settle(stream);
    expect(floats(managed, 1)).toEqual([3]);
    emulator.free(managed);
  });
});

describe('graphs', () => {
  it('are done when they are launched, as often as they are, with the memory of that time', () => {
    const stream = own.stream();
    const [value, step, pinned] = [own.device(0), own.device(0), own.pinned(1)];
    cuda.beginCapture(stream);
    cuda.copy(step, pinned, 4, stream);
    cuda.add(value, step, 1, stream);
    const graph = own.graph(stream);
    settle(stream);
    expect(floats(value, 1)).toEqual([0]);

    for (const amount of [1, 10]) {
      emulator.poke(pinned, bytesOf([amount]));
      cuda.launchGraph(graph, stream);
      settle(stream);
    }
    expect(floats(value, 1)).toEqual([11]);
    const { kernels, graphs, copies } = emulator.counters();
    expect({ kernels, graphs, copies }).toEqual({ kernels: 2, graphs: 2, copies: 2 });
  });

  it('bear no call while they are captured that CUDA does not bear, and still end', () => {
    const [stream, other] = [own.stream(), own.stream()];
    const [value, event, outside] = [own.device(0), own.event(), own.event()];
    cuda.record(outside, other);
    const forbidden: [() => void, string][] = [
      [() => cuda.allocate(4), '(900)'],
      [() => cuda.allocateHost(4), '(900)'],
      [() => cuda.synchronize(outside), '(900)'],
      [() => cuda.synchronizeStream(other), '(900)'],
      [() => cuda.copy(value, Float32Array.of(1), 4, stream), '(900)'],
      [() => cuda.copy(Float32Array.of(1), value, 4, stream), '(900)'],
      [() => cuda.streamAwait(stream, outside), '(905)'],
    ];
    for (const [call, error] of forbidden) {
      cuda.beginCapture(stream);
      expect(failure(call).message).toContain(error);
      expect(failure(() => cuda.fillZero(value, 4, stream)).message).toContain('(901)');
      expect(failure(() => cuda.endCapture(stream)).message).toContain('(901)');
    }
    // What says nothing breaks it as well.
    const [freed, freedHost] = [cuda.allocate(4), cuda.allocateHost(4)];
    for (const call of [() => cuda.free(freed), () => cuda.freeHost(freedHost)]) {
      cuda.beginCapture(stream);
      call();
      expect(failure(() => cuda.endCapture(stream)).message).toContain('(901)');
    }
    expect(failure(() => cuda.beginCapture(0n)).message).toContain('(900)');

    // An event in a capture is none to wait for.
    cuda.beginCapture(stream);
    cuda.record(event, stream);
    expect(failure(() => cuda.streamAwait(other, event)).message).toContain('(900)');
    cuda.launchGraph(own.graph(stream), stream);
    settle(stream);
    expect(failure(() => cuda.synchronize(event)).message).toContain('(900)');
  });

  it('see what was freed since', () => {
    const [stream, value] = [own.stream(), cuda.allocate(4)];
    cuda.beginCapture(stream);
    cuda.fillZero(value, 4, stream);
    const graph = own.graph(stream);
    cuda.free(value);
    cuda.launchGraph(graph, stream);
    expect(failure(() => settle(stream)).message).toContain('which has been freed');
  });
});

describe('errors', () => {
  it('of the device stick, for every call and every stream, and stay on that device', () => {
    emulator.configure({ devices: [1, 2].map(() => ({ name: 'GPU', computeCapability: '9.0' })) });
    const [stream, other, event] = [own.stream(), own.stream(), own.event()];
    const [value, amount] = [own.device(0), own.device(1)];
    cuda.useDevice(1);
    const [alive, written] = [own.stream(), own.device(0)];
    cuda.useDevice(0);
    emulator.hold();
    emulator.work(alive, 1, written, bytesOf([1]), 20);
    cuda.add(value, amount, 2, stream);
    cuda.add(value, amount, 1, stream); // never done
    cuda.record(event, stream);
    emulator.resume();
    const calls = [
      () => cuda.synchronize(event),
      () => cuda.synchronizeStream(other),
      () => cuda.copy(value, amount, 4, other),
      () => cuda.add(value, amount, 1, other),
      () => cuda.allocate(4),
      () => cuda.allocateHost(4),
      () => cuda.createEvent(),
      () => cuda.createStream(),
      () => cuda.record(event, other),
      () => cuda.streamAwait(other, event),
      () => cuda.inspect(value),
      () => cuda.beginCapture(other),
      () => cuda.useDevice(0),
    ];
    for (const call of calls) {
      const error = failure(call);
      expect(error.code).toBe('ERR_CUDA_FATAL');
      expect(error.message).toContain('cudaErrorIllegalAddress (700), an illegal memory access');
      expect(error.message).toContain('global out of bounds');
    }
    cuda.useDevice(1);
    settle(alive);
    expect(floats(written, 1)).toEqual([1]);
    emulator.awaitIdle();
    expect(emulator.counters().kernels).toBe(1);
  });

  it('come when a test wants them', () => {
    const [stream, value] = [own.stream(), own.device(1)];
    emulator.failNext('Allocate', 2, 1);
    cuda.free(cuda.allocate(4));
    expect(failure(() => cuda.allocate(4)).code).toBe('ERR_MEMORY');
    cuda.free(cuda.allocate(4));

    emulator.failNext('Launch', 701);
    const refused = failure(() => cuda.add(value, value, 1, stream));
    expect(refused.code).toBe('ERR_CUDA');
    expect(refused.message).toContain('cudaErrorLaunchOutOfResources (701)');
    settle(stream);

    cuda.beginCapture(stream);
    emulator.failNext('EndCapture', 2);
    const { liveGraphs } = emulator.counters();
    expect(failure(() => cuda.endCapture(stream)).code).toBe('ERR_MEMORY');
    expect(emulator.counters().liveGraphs).toBe(liveGraphs);
    cuda.fillZero(value, 4, stream);
    settle(stream);
    expect(floats(value, 1)).toEqual([0]);

    emulator.failNext('Kernel', 719);
    cuda.add(value, value, 1, stream);
    expect(failure(() => settle(stream)).message).toContain('cudaErrorLaunchFailure (719)');
    expect(failure(() => cuda.allocate(4)).code).toBe('ERR_CUDA_FATAL');
    emulator.reset();

    emulator.failNext('Copying', 714);
    cuda.copy(value, own.device(2), 4, stream);
    expect(failure(() => settle(stream)).message).toContain('(714)');
    emulator.reset();

    emulator.failNext('Record', 214);
    expect(failure(() => settle(stream)).message).toContain('cudaErrorECCUncorrectable (214)');
    expect(failure(() => cuda.allocate(4)).code).toBe('ERR_CUDA_FATAL');
  });

  it('of the driver come from every call', () => {
    emulator.configure({ driverError: 35 });
    for (const call of [() => cuda.properties(0), () => cuda.useDevice(0), () => cuda.allocate(4)])
      expect(failure(call).message).toContain('cudaErrorInsufficientDriver (35)');
    emulator.configure({ devices: [] });
    expect(failure(() => cuda.useDevice(0)).message).toContain('cudaErrorNoDevice (100)');
    emulator.configure({});
    expect(failure(() => cuda.useDevice(1)).message).toContain('cudaErrorInvalidDevice (101)');
  });
});

describe('counters', () => {
  it('tell what is there, what was done, and whether this thread has waited', () => {
    const before = emulator.counters();
    const { liveStreams, liveEvents, liveGraphs, liveAllocations, livePinnedAllocations } = before;
    const [stream, event] = [cuda.createStream(), cuda.createEvent()];
    const [value, pinned] = [cuda.allocate(100), cuda.allocateHost(50)];
    cuda.fillZero(value, 100, stream);
    cuda.copy(pinned, value, 50, stream);
    cuda.beginCapture(stream);
    const graph = cuda.endCapture(stream);
    cuda.record(event, stream);
    expect(emulator.counters().waits).toBe(before.waits);
    cuda.synchronize(event);
    expect(emulator.counters()).toMatchObject({
      calls: before.calls + 10,
      waits: before.waits + 1,
      copies: 1,
      fills: 1,
      deviceBytes: before.deviceBytes + 100,
      pinnedBytes: before.pinnedBytes + 50,
      liveStreams: liveStreams + 1,
      liveEvents: liveEvents + 1,
      liveGraphs: liveGraphs + 1,
      liveAllocations: liveAllocations + 1,
      livePinnedAllocations: livePinnedAllocations + 1,
    });
    cuda.copy(new Float32Array(1), value, 4, stream);
    expect(emulator.counters().waits).toBe(before.waits + 2);

    cuda.destroyGraph(graph);
    cuda.destroyEvent(event);
    cuda.destroyStream(stream);
    cuda.free(value);
    cuda.freeHost(pinned);
    expect(emulator.counters()).toMatchObject({
      liveStreams,
      liveEvents,
      liveGraphs,
      liveAllocations,
      livePinnedAllocations,
      deviceBytes: before.deviceBytes,
      peakDeviceBytes: before.deviceBytes + 100,
      pinnedBytes: before.pinnedBytes,
    });
  });
});
