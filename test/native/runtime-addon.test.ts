/**
 * The whole addon on emulated devices: that it is one to lib/backends/load-addon.ts, that its devices are what a test
 * says, and that a host side which does not wait for what it must wait for is seen here.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { loadFirst, type NativeDeviceMoments } from '../../lib/backends/load-addon.js';
import { compileEmulatedAddon, type EmulatedAddon } from './emulated-addon.js';

const path = await compileEmulatedAddon();
const loaded = loadFirst([path]);
const addon = loaded.addon as EmulatedAddon;
const { emulator } = addon;

afterEach(() => emulator.reset());

const D = 37;
const ROWS = Array.from({ length: 4 }, (_, r) =>
  Float32Array.from({ length: D }, (_, i) => Math.sin(r * D + i)),
);
const bytesOf = (row: Float32Array) => new Uint8Array(row.buffer);

/** Two tasks of two rows each. */
async function measure(pointers: bigint[], stream = 0n): Promise<NativeDeviceMoments> {
  const result = await addon.deviceMoments(
    {
      device: 0,
      dtypes: Uint8Array.of(0),
      lengths: Float64Array.of(D),
      rowsPerTask: Int32Array.of(2, 2),
      samples: Float64Array.of(1, 2, 1, 3),
      pointers: BigUint64Array.from(pointers),
      tensors: null,
      streams: BigUint64Array.of(stream),
      owners: [],
      preconditioner: null,
      inner: true,
      rowScalars: true,
      update: null,
    },
    null,
  );
  if ('code' in result) throw new Error(`${result.code}: ${result.message}`);
  return result;
}

describe('the emulated addon', () => {
  it('is an addon, built with CUDA', () => {
    expect(loaded.reasons).toEqual([]);
    expect(addon.buildInfo.cuda).toEqual({
      compiled: true,
      runtimeVersion: 13000,
      architectures: ['emulated'],
    });
  });

  it('has the devices and the driver that it is told to have', async () => {
    expect(addon.cudaProbe()).toEqual({
      devices: [{ name: 'Emulated GPU', computeCapability: '9.0' }],
      driverVersion: 13000,
      error: null,
    });
    const devices = [
      { name: 'Old', computeCapability: '7.5' },
      { name: 'New', computeCapability: '12.0' },
    ];
    emulator.configure({ devices, driverVersion: 12080 });
    expect(await addon.cudaProbeAsync()).toEqual({ devices, driverVersion: 12080, error: null });
    emulator.configure({ devices: [] });
    expect(addon.cudaProbe()).toMatchObject({
      devices: [],
      error: 'cudaGetDeviceCount: cudaErrorNoDevice (100), no CUDA-capable device is detected',
    });
    emulator.configure({ driverError: 999 });
    expect(addon.cudaProbe()).toMatchObject({ error: expect.stringContaining('cudaErrorUnknown (999)') });
  });

  it('measures the same bits whatever comes first, rows that are still to come included', async () => {
    const stream = emulator.createStream(0);
    let first: NativeDeviceMoments | undefined;
    for (let seed = 0; seed < 12; seed++) {
      emulator.configure({ seed, schedule: seed % 4 });
      // In another place each time, and not a number until the caller's stream has come to it.
      const pointers = ROWS.map(() => emulator.allocate('device', 0, 4 * D));
      for (const [r, row] of ROWS.entries()) emulator.work(stream, 0, pointers[r], bytesOf(row), seed % 3);
      const { waits } = emulator.counters();
      const result = await measure(pointers, stream);
      expect(emulator.counters().waits).toBe(waits);
      first ??= result;
      expect(result.moments).toEqual(first.moments);
      for (const pointer of pointers) emulator.free(pointer);
    }
    expect(first!.moments.meanNormSquared.every(Number.isFinite)).toBe(true);
    expect(emulator.counters()).toMatchObject({ kernels: 12, userWork: 48 });
    emulator.destroyStream(stream);
  });
});
