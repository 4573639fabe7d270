/** When a Mixer asks for a GPU, and whom it tells that there is none. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { NativeAddon, NativeCudaProbe } from '../../lib/backends/load-addon.js';
import type { MixerWarning } from '../../lib/index.js';

afterEach(() => {
  vi.doUnmock('../../lib/backends/load-addon.js');
  vi.resetModules();
  vi.restoreAllMocks();
});

const options = { tasks: ['a', 'b'], batchSize: 8 };
const BROKEN = { devices: [], driverVersion: 13000, error: 'cudaErrorUnknown (999)' };
const turn = () => new Promise((done) => setImmediate(done));

/** The library with an addon that says this of CUDA. */
async function libraryWith(probe: NativeCudaProbe, compiled = true) {
  vi.resetModules();
  let answer!: () => void;
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const asked = {
    sync: vi.fn(() => probe),
    later: vi.fn(async () => {
      await answered;
      return probe;
    }),
  };
  vi.doMock('../../lib/backends/load-addon.js', async (original) => {
    const actual = await original<typeof import('../../lib/backends/load-addon.js')>();
    const loaded = actual.loadAddon();
    const cuda = { compiled, runtimeVersion: 13000, architectures: [] };
    const addon = {
      ...loaded.addon,
      buildInfo: { ...loaded.addon!.buildInfo, cuda },
      cudaProbe: asked.sync,
      cudaProbeAsync: asked.later,
    } as NativeAddon;
    return { ...actual, loadAddon: () => ({ ...loaded, addon }) };
  });
  const emitted = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const { Mixer } = await import('../../lib/index.js');
  return { Mixer, asked, answer, emitted };
}

/** What a mixer tells whoever listens. */
function listen(mixer: { on(name: 'warning', listener: (warning: MixerWarning) => void): unknown }) {
  const heard: MixerWarning[] = [];
  mixer.on('warning', (warning) => heard.push(warning));
  return heard;
}

const unavailable = { code: 'WARN_CUDA_UNAVAILABLE', message: expect.stringContaining('(999)'), step: 0 };

describe('under auto', () => {
  it('the driver is asked once, off the event loop, and every listener is told', async () => {
    const { Mixer, asked, answer, emitted } = await libraryWith(BROKEN);
    const before = [listen(new Mixer(options)), listen(new Mixer(options))];
    await turn();
    expect(before).toEqual([[], []]);
    answer();
    await turn();
    const after = listen(new Mixer(options));
    await turn();
    expect([...before, after]).toEqual([[unavailable], [unavailable], [unavailable]]);
    expect(asked.later).toHaveBeenCalledOnce();
    expect(asked.sync).not.toHaveBeenCalled();
    expect(emitted).not.toHaveBeenCalled();
  });

  it('the process is told once where nobody listens', async () => {
    const { Mixer, answer, emitted } = await libraryWith(BROKEN);
    answer();
    new Mixer(options);
    await turn();
    new Mixer(options);
    await turn();
    expect(emitted.mock.calls).toEqual([
      [expect.stringContaining('(999)'), { type: 'PikeMixerWarning', code: 'WARN_CUDA_UNAVAILABLE' }],
    ]);
  });

  it('without a driver nobody is told, but whoever asks', async () => {
    const { Mixer, answer, emitted } = await libraryWith({ ...BROKEN, driverVersion: 0 });
    answer();
    new Mixer(options);
    const mixer = new Mixer(options);
    const heard = listen(mixer);
    await turn();
    expect(heard).toEqual([]);
    expect(emitted).not.toHaveBeenCalled();
    expect(mixer.backend.reason).toMatch(/not cuda: .*no NVIDIA driver/);
  });

  it('nobody is told anything where the addon was built without nvcc, or where a GPU is', async () => {
    const H100 = { name: 'NVIDIA H100', computeCapability: '9.0' };
    for (const [probe, compiled] of [
      [BROKEN, false],
      [{ ...BROKEN, devices: [H100], error: null }, true],
    ] as const) {
      const { Mixer, asked, answer, emitted } = await libraryWith(probe, compiled);
      answer();
      const mixer = new Mixer(options);
      const heard = listen(mixer);
      await turn();
      expect(heard).toEqual([]);
      expect(emitted).not.toHaveBeenCalled();
      expect(asked.later).toHaveBeenCalledTimes(Number(compiled));
      expect(mixer.backend.reason).toMatch(
        compiled ? /not cuda: gradients are in host memory/ : /not cuda: .* without nvcc/,
      );
    }
  });
});

it('by name, nobody asks for a GPU or tells of it', async () => {
  const { Mixer, asked, emitted } = await libraryWith(BROKEN);
  const cpu = new Mixer({ ...options, backend: 'cpu' });
  const heard = [listen(cpu), listen(new Mixer({ ...options, backend: 'reference' }))];
  await turn();
  expect(cpu.backend.reason).toMatch(/^asked for by name; native kernels/);
  expect(heard).toEqual([[], []]);
  expect(asked.later).not.toHaveBeenCalled();
  expect(asked.sync).not.toHaveBeenCalled();
  expect(emitted).not.toHaveBeenCalled();
});
