/** What is advised about GPUs on machines that tests cannot have, and what the files of the system tell. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { adviseOn } from '../../lib/diagnosis/advice.js';
import { diagnose } from '../../lib/diagnosis/diagnose.js';
import type { CudaFacts, Diagnosis } from '../../lib/diagnosis/diagnosis.js';
import { installedStacks, within } from '../../lib/diagnosis/installed-stacks.js';
import { nvidiaFacts } from '../../lib/diagnosis/nvidia.js';

const folder = mkdtempSync(join(tmpdir(), 'pike-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

/** This machine with an addon, and other facts about CUDA. */
async function adviceOnCuda(cuda: Partial<CudaFacts>, more: Partial<Diagnosis> = {}): Promise<string> {
  const found = await diagnose();
  const facts: CudaFacts = {
    compiled: true,
    driver: true,
    usable: false,
    devices: [],
    reason: '',
    runtimeVersion: '13.0',
    driverVersion: '13.0',
    architectures: ['90'],
    ...cuda,
    system: { hardware: 0, kernelDriver: null, deviceFiles: [], ...cuda.system },
  };
  const known = {
    ...found,
    addon: { ...found.addon, path: '/a.node', candidates: [] },
    environment: {},
    ...more,
    cuda: facts,
  };
  return adviseOn(known)
    .filter(({ about }) => about === 'cuda')
    .map(({ text }) => text)
    .join('\n');
}

const GPU = { hardware: 1, kernelDriver: null, deviceFiles: [] };
const NO_GPU_FOUND = 'the NVIDIA driver finds no GPU that this process may use (…)';

describe('advice about GPUs', () => {
  const cases: [string, Partial<CudaFacts>, RegExp][] = [
    ['a usable one', { usable: true }, /^$/],
    ['none at all', { driver: false }, /^$/],
    ['none, and no nvcc', { compiled: false, driver: false }, /^$/],
    [
      'one, but no nvcc',
      { compiled: false, driver: false, system: GPU },
      /^To use the GPU, install the CUDA toolkit/,
    ],
    ['one without a driver', { driver: false, system: GPU }, /^There is an NVIDIA GPU, but no driver/],
    [
      'a container without the library',
      { driver: false, system: { ...GPU, kernelDriver: '580.65.06' } },
      /driver 580\.65\.06, but its library libcuda\.so\.1 is not found: a container needs `--gpus all`/,
    ],
    [
      'an old driver',
      { reason: 'the NVIDIA driver is too old: …' },
      /^Update the NVIDIA driver to one that serves CUDA 13 \(580 or later\)\.$/,
    ],
    [
      'an old driver for another CUDA',
      { reason: 'the NVIDIA driver is too old: …', runtimeVersion: '14.2' },
      /serves CUDA 14\.$/,
    ],
    [
      'no permission',
      { reason: NO_GPU_FOUND, system: { ...GPU, deviceFiles: [{ path: '/dev/nvidia0', allowed: false }] } },
      /^Let this user read and write \/dev\/nvidia0:/,
    ],
    [
      'none given',
      { reason: NO_GPU_FOUND, system: { ...GPU, deviceFiles: [{ path: '/dev/nvidia0', allowed: true }] } },
      /`--gpus all`/,
    ],
    [
      'one that is too old',
      { devices: [{ name: 'K80', computeCapability: '3.7' }] },
      /^The GPU is older than all/,
    ],
  ];
  it.each(cases)('%s', async (_, cuda, expected) => {
    expect(await adviceOnCuda(cuda)).toMatch(expected);
  });

  it('is not given where there is no addon', async () => {
    const { addon } = await diagnose();
    expect(await adviceOnCuda({ driver: false, system: GPU }, { addon: { ...addon, path: null } })).toBe('');
  });
});

describe('files of the NVIDIA driver', () => {
  it('are read where they are', () => {
    write(
      'proc/driver/nvidia/version',
      'NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 07:09:14 UTC 2025\nGCC\n',
    );
    write('sys/bus/pci/devices/0000:01:00.0/vendor', '0x10de\n');
    write('sys/bus/pci/devices/0000:01:00.0/class', '0x030200\n');
    write('sys/bus/pci/devices/0000:01:00.1/vendor', '0x10de\n'); // its sound
    write('sys/bus/pci/devices/0000:01:00.1/class', '0x040300\n');
    write('sys/bus/pci/devices/0000:02:00.0/vendor', '0x8086\n');
    write('sys/bus/pci/devices/0000:02:00.0/class', '0x030000\n');
    for (const name of ['nvidia0', 'nvidiactl', 'nvidia-uvm', 'nvidia-modeset', 'null'])
      write(`dev/${name}`, '');
    expect(nvidiaFacts(folder)).toEqual({
      hardware: 1,
      kernelDriver: '580.65.06',
      deviceFiles: ['nvidia-uvm', 'nvidia0', 'nvidiactl'].map((name) => ({
        path: join(folder, 'dev', name),
        allowed: true,
      })),
    });
  });

  it('of the open kernel module, too', () => {
    write(
      'open/proc/driver/nvidia/version',
      'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build\n',
    );
    expect(nvidiaFacts(join(folder, 'open')).kernelDriver).toBe('570.124.06');
  });

  it('may not be there', () => {
    expect(nvidiaFacts(join(folder, 'nothing'))).toEqual({
      hardware: 0,
      kernelDriver: null,
      deviceFiles: [],
    });
  });
});

describe('installed stacks', () => {
  it('are found as a program there would, also when they export no package.json', () => {
    const manifest = { name: '@jax-js/jax', version: '0.2.1', exports: { '.': './index.js' } };
    write('app/node_modules/@jax-js/jax/package.json', JSON.stringify(manifest));
    write('app/src/main.js', '');
    const found = installedStacks(join(folder, 'app/src'));
    expect(found).toContainEqual({
      name: '@jax-js/jax',
      version: '0.2.1',
      supported: '>=0.1.25 <0.2',
      fits: false,
    });
    expect(found).toContainEqual({
      name: '@tensorflow/tfjs',
      version: null,
      supported: '>=4.10',
      fits: true,
    });
  });

  it('are compared with the versions that the adapters know', () => {
    const cases: [string, string, boolean][] = [
      ['4.10.0', '>=4.10', true],
      ['4.9.9', '>=4.10', false],
      ['0.1.25', '>=0.1.25 <0.2', true],
      ['0.1.24', '>=0.1.25 <0.2', false],
      ['0.2.0', '>=0.1.25 <0.2', false],
      ['0.10.0', '>=0.1.25 <0.2', false],
      ['5.0.0-rc.1', '>=4.10', true],
      ['1.2.3', '1.2.3', true],
    ];
    for (const [version, range, fits] of cases)
      expect(within(version, range), `${version} ${range}`).toBe(fits);
  });
});
