/** What is made of what the driver says, and what a process is told of it. */
import { describe, expect, it } from 'vitest';
import { createCudaBackend } from '../../lib/backends/cuda.js';
import { explainCuda } from '../../lib/backends/cuda-status.js';
import type { LoadedAddon, NativeAddon, NativeCudaProbe } from '../../lib/backends/load-addon.js';
import { CudaSource } from '../../lib/backends/select.js';
import { expectError } from '../support/expect.js';

/** An addon of which nothing is called. */
const addonWith = (compiled: boolean) =>
  ({
    buildInfo: {
      cuda: {
        compiled,
        runtimeVersion: compiled ? 13020 : 0,
        architectures: compiled ? ['75-real', '90', '120-real'] : [],
      },
    },
  }) as unknown as NativeAddon;
const loaded = (compiled = true): LoadedAddon => ({
  addon: addonWith(compiled),
  path: '/a.node',
  reasons: [],
});
const H100 = { name: 'NVIDIA H100', computeCapability: '9.0' };
const probe = (given: Partial<NativeCudaProbe>): NativeCudaProbe => ({
  devices: [],
  driverVersion: 13000,
  error: null,
  ...given,
});

describe('what stands in the way of CUDA', () => {
  const insufficient = 'cudaGetDeviceCount: cudaErrorInsufficientDriver (35), text';
  const cases: [string, Partial<NativeCudaProbe>, RegExp, driver: boolean][] = [
    [
      'no driver',
      { driverVersion: 0, error: insufficient },
      /^no NVIDIA driver is installed \(.*35.*\)$/,
      false,
    ],
    [
      'a driver that is too old',
      { driverVersion: 12080, error: insufficient },
      /too old: it serves CUDA 12\.8, but the addon was built with CUDA 13\.2 \(.*35/,
      true,
    ],
    [
      'no GPU',
      { error: 'cudaGetDeviceCount: cudaErrorNoDevice (100), text' },
      /finds no GPU that this process may use \(.*100/,
      true,
    ],
    ['an empty list of GPUs', {}, /finds no GPU that this process may use$/, true],
    [
      'a driver that is broken',
      { error: 'cudaGetDeviceCount: cudaErrorUnknown (999), text' },
      /does not work \(.*999/,
      true,
    ],
  ];
  it.each(cases)('%s', (_, given, reason, driver) => {
    const status = explainCuda(loaded(), () => probe(given));
    expect(status).toMatchObject({ compiled: true, usable: false, driver, devices: [] });
    expect(status.reason).toMatch(reason);
  });

  it('an older driver of the same major version does not', () => {
    const status = explainCuda(loaded(), () => probe({ devices: [H100] }));
    expect(status).toMatchObject({ usable: true, driver: true, reason: 'GPU 0: NVIDIA H100' });
  });

  it('a GPU that is older than all that the kernels were compiled for', () => {
    const old = { name: 'Tesla V100', computeCapability: '7.0' };
    const status = explainCuda(loaded(), () => probe({ devices: [old] }));
    expect(status).toMatchObject({ usable: false, driver: true });
    expect(status.reason).toMatch(
      /of compute capability 7\.5 and later, but there is only GPU 0: Tesla V100, 7\.0$/,
    );
    for (const computeCapability of ['7.5', '9.0', '12.0', '12.1'])
      expect(
        explainCuda(loaded(), () => probe({ devices: [old, { name: 'new', computeCapability }] })).usable,
      ).toBe(true);
  });

  it('a build without nvcc, whose driver is not asked', () => {
    const status = explainCuda(loaded(false), () => expect.fail('asked'));
    expect(status).toMatchObject({
      compiled: false,
      usable: false,
      reason: expect.stringMatching(/without nvcc/),
    });
  });

  it('an addon that could not be loaded', () => {
    const status = explainCuda({ addon: null, path: null, reasons: ['/a.node: not there'] }, () => probe({}));
    expect(status).toMatchObject({
      compiled: false,
      reason: expect.stringMatching(/loaded: \/a\.node: not there/),
    });
  });

  it('a call that failed', () => {
    const status = explainCuda(loaded(), () => ({ code: 'ERR_MEMORY', message: 'out of memory' }));
    expect(status).toMatchObject({ usable: false, reason: 'the driver could not be asked: out of memory' });
  });
});

describe("the backend 'cuda'", () => {
  it('cannot be had without a GPU, and says why', async () => {
    const status = explainCuda(loaded(), () => probe({ driverVersion: 0 }));
    await expectError(
      'ERR_NO_BACKEND',
      /'cuda' cannot be had: no NVIDIA driver/,
      () => new CudaSource(addonWith(true), status),
    );
  });

  it('is that of the GPU asked for', async () => {
    const status = explainCuda(loaded(), () =>
      probe({ devices: [H100, { name: 'RTX 3090', computeCapability: '8.6' }] }),
    );
    const source = new CudaSource(addonWith(true), status);
    expect(source.current).toMatchObject({ name: 'cuda', device: 'NVIDIA H100', instructionSet: 'sm_90' });
    await source.open({ memory: 'device', device: 1 });
    expect(source.current).toMatchObject({ device: 'RTX 3090', instructionSet: 'sm_86' });
    await source.open({ memory: 'host' });
    expect(source.current.reason).toBe('asked for by name; GPU 0: NVIDIA H100');
    await expectError('ERR_INVALID_OPTION', /no GPU 2; .* below 2.*RTX 3090/, () =>
      createCudaBackend(addonWith(true), status, 2, 'why'),
    );
  });
});
