import { afterEach, describe, expect, it, vi } from 'vitest';
import { cudaStatus } from '../../lib/backends/cuda-status.js';
import {
  type Gradient,
  Mixer,
  type MixerWarning,
  type StatisticsOptions,
  statistics,
} from '../../lib/index.js';
import { expectError } from '../support/expect.js';

const options = { tasks: ['a', 'b'], batchSize: 8 };

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

/** The library as a process loads it whose addon is not where it should be. */
async function withoutAddon() {
  vi.stubEnv('PIKE_MIXER_ADDON', '/nowhere/pike_mixer.node');
  vi.resetModules();
  return await import('../../lib/index.js');
}

describe('backend', () => {
  it('auto takes the native kernels for host gradients, and says why not CUDA', () => {
    const { backend } = new Mixer(options);
    expect(backend.name).toBe('cpu');
    expect(backend.instructionSet).toBeTruthy();
    expect(backend.reason).toMatch(/not cuda: ./);
  });

  it('reference by name', () => {
    expect(new Mixer({ ...options, backend: 'reference' }).backend).toEqual({
      name: 'reference',
      reason: 'asked for by name',
    });
  });

  it('cuda by name is an error with the true reason where no GPU can be used', async () => {
    const { usable, reason } = cudaStatus();
    if (usable) {
      expect(new Mixer({ ...options, backend: 'cuda' }).backend.name).toBe('cuda');
      return;
    }
    const error = await expectError(
      'ERR_NO_BACKEND',
      /built without nvcc|NVIDIA/,
      () => new Mixer({ ...options, backend: 'cuda' }),
    );
    expect(error.message).toContain(reason);
  });

  it('without an addon, auto falls back to the reference with a warning that names the reason', async () => {
    const library = await withoutAddon();
    const mixer = new library.Mixer(options);
    const warning = await new Promise<MixerWarning>((resolve) => mixer.on('warning', resolve));
    expect(warning.code).toBe('WARN_BACKEND_FALLBACK');
    expect(warning.message).toContain('/nowhere/pike_mixer.node: there is no such file');
    expect(mixer.backend).toEqual({ name: 'reference', reason: warning.message });
    const rows = [1, 2].map((x) => [Float32Array.of(x), Float32Array.of(x + 1)]);
    const report = await mixer.measure(rows, {
      samples: [
        [1, 1],
        [1, 1],
      ],
    });
    expect(report.missed).toEqual([]);
  });

  it('a fallback that nobody listens for becomes a warning of the process', async () => {
    const library = await withoutAddon();
    const warned = new Promise<Error & { code?: string }>((resolve) => process.once('warning', resolve));
    new library.Mixer(options);
    expect(await warned).toMatchObject({ name: 'PikeMixerWarning', code: 'WARN_BACKEND_FALLBACK' });
  });

  it('without an addon, cpu by name and gradients of a GPU are an error with every reason', async () => {
    const library = await withoutAddon();
    const noBackend = { code: 'ERR_NO_BACKEND', message: expect.stringContaining('no such file') };
    for (const backend of ['cpu', 'cuda'] as const)
      expect(() => new library.Mixer({ ...options, backend })).toThrow(expect.objectContaining(noBackend));
    const far = { pointer: 256n, length: 1, dtype: 'float32' } as const;
    await expect(library.statistics([[far, far]], { samples: [[1, 1]] })).rejects.toMatchObject(noBackend);
    const mixer = new library.Mixer(options);
    mixer.on('warning', () => {});
    await expect(mixer.observe('a', far, { samples: 1 })).rejects.toMatchObject(noBackend);
    expect(mixer.backend.name).toBe('reference');
  });
});

describe('statistics refuses', () => {
  const row = (...x: number[]) => Float32Array.from(x);
  const good: Gradient[][] = [[row(1, 2), row(2, 3)]];
  const samples = [[1, 1]];
  it.each([
    ['ERR_SHAPE', /rows must be a list/, [], { samples: [] }],
    ['ERR_SHAPE', /samples/, good, {}],
    ['ERR_SHAPE', /one size for each/, good, { samples: [[1]] }],
    [
      'ERR_SHAPE',
      /rows\[0\]\[1\] has 1 elements where rows\[0\]\[0\] has 2/,
      [[row(1, 2), row(2)]],
      { samples },
    ],
    ['ERR_SHAPE', /no elements/, [[row(), row()]], { samples }],
    ['ERR_DTYPE', /float64 where rows\[0\]\[0\] is float32/, [[row(1), Float64Array.of(1)]], { samples }],
    ['ERR_INVALID_OPTION', /samples\[0\]\[0\]/, good, { samples: [[-1, 1]] }],
    ['ERR_INVALID_OPTION', /no option "innner"/, good, { samples, innner: true }],
    ['ERR_INVALID_OPTION', /inner must be true or false/, good, { samples, inner: 1 }],
    ['ERR_INVALID_OPTION', /threads/, good, { samples, threads: 0.5 }],
    [
      'ERR_INVALID_OPTION',
      /preconditioner must hold finite numbers >= 0/,
      good,
      { samples, preconditioner: row(1, -1), backend: 'reference' },
    ],
    ['ERR_SHAPE', /preconditioner has 1 elements/, good, { samples, preconditioner: row(1) }],
    ['ERR_NON_FINITE', /task 0 holds NaN/, [[row(1, Number.NaN), row(1, 1)]], { samples }],
    [
      'ERR_NON_FINITE',
      /task 0 holds NaN/,
      [[row(1, Infinity), row(1, 1)]],
      { samples, backend: 'reference' },
    ],
  ] as const)('%s %s', async (code, message, rows, options) => {
    await expectError(code, message, () =>
      statistics(rows as Gradient[][], options as unknown as StatisticsOptions),
    );
  });

  it('an aborted call', async () => {
    const reason = new Error('no longer needed');
    await expect(statistics(good, { samples, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
