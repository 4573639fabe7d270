/**
 * Node-API serves a thread no more that is being terminated: its calls give nothing. What fails then must let the event
 * loop turn first, or else a loop of awaits would keep the thread from its end.
 */
import { afterEach, expect, it, vi } from 'vitest';
import type { LoadedAddon, NativeAddon } from '../../lib/backends/load-addon.js';

afterEach(() => {
  vi.doUnmock('../../lib/backends/load-addon.js');
  vi.resetModules();
});

/** Modules of the library as they are with this addon. */
async function libraryWith(loaded: LoadedAddon) {
  vi.resetModules();
  vi.doMock('../../lib/backends/load-addon.js', async (original) => ({
    ...(await original<typeof import('../../lib/backends/load-addon.js')>()),
    loadAddon: () => loaded,
  }));
  const { cudaStatus, cudaStatusLater } = await import('../../lib/backends/cuda-status.js');
  const { statistics } = await import('../../lib/backends/measure.js');
  return { cudaStatus, cudaStatusLater, statistics };
}

/** Whether the event loop has turned by the time that `work` has settled. */
async function turns(work: () => Promise<unknown>): Promise<boolean> {
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  await work();
  return turned;
}

const cuda = { compiled: true, runtimeVersion: 13000, architectures: ['75'] };
const silent = { buildInfo: { cuda }, cudaProbe() {}, cudaProbeAsync() {} } as unknown as NativeAddon;
const SILENT: LoadedAddon = { addon: silent, path: '/a.node', reasons: [] };
const NONE: LoadedAddon = { addon: null, path: null, reasons: ['its interface is version undefined'] };
const unusable = { compiled: true, usable: false, reason: expect.stringContaining('could not be asked') };

it('a driver that cannot be asked is told as such', async () => {
  const { cudaStatus } = await libraryWith(SILENT);
  expect(cudaStatus()).toMatchObject(unusable);
});

it('a driver that cannot be asked off the event loop is told as such, a turn later', async () => {
  const { cudaStatusLater } = await libraryWith(SILENT);
  const asked = async () => expect(await cudaStatusLater()).toMatchObject(unusable);
  expect(await turns(asked)).toBe(true);
});

it('statistics without a backend fail a turn later', async () => {
  const { statistics } = await libraryWith(NONE);
  const row = new Float32Array(3);
  const measured = async () => {
    const call = statistics([[row, row]], { samples: [[1, 1]], backend: 'cpu' });
    await expect(call).rejects.toMatchObject({ code: 'ERR_NO_BACKEND' });
  };
  expect(await turns(measured)).toBe(true);
});
