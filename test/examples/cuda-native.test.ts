import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { check } from '../../examples/cuda-native/check.js';
import { HostModel } from '../../examples/cuda-native/host-model.js';
import { type Model, parameters } from '../../examples/cuda-native/model.js';
import { drawData, pick, randomNumbers } from '../../examples/cuda-native/sources.js';
import { rowsNeeded, train } from '../../examples/cuda-native/train.js';
import { Mixer } from '../../lib/index.js';
import { findNvcc } from '../native/kernel-resources.js';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const folder = join(root, 'build-test/cuda-native');
const addon = join(folder, 'cuda_native.node');

const node = (args: string[], env: Record<string, string> = {}) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
};
const build = (env: Record<string, string>) =>
  node(['examples/cuda-native/build.mjs', '--out', folder], { CUDAARCHS: '90', ...env });
const program = (...args: string[]) =>
  node(['dist-examples/cuda-native/main.js', ...args], { CUDA_NATIVE_ADDON: addon });

/** Whether a GPU can be used here. */
function hasGpu(): boolean {
  try {
    new Mixer({ tasks: ['a', 'b'], batchSize: 2, backend: 'cuda' }).dispose();
    return true;
  } catch {
    return false;
  }
}

const data = drawData(1);

describe('the classifier in TypeScript', () => {
  it('has the gradient of its loss', () => {
    const random = randomNumbers(3);
    const samples = pick(data.train[1]!, 20, random);
    /** The loss at a point that 30 steps lead to, moved by `by` along the gradient there. */
    const lossAt = (by: number) => {
      const model = new HostModel(data, 1);
      for (let step = 0; step < 30; step++) {
        model.gradient(0, samples);
        model.step(0, 0.1);
      }
      const gradient = model.gradient(0, samples).slice();
      model.step(0, -by);
      model.gradient(0, samples);
      return { loss: model.losses(1)[0]!, normSquared: gradient.reduce((sum, x) => sum + x * x, 0) };
    };
    const h = 0.02;
    const slope = (lossAt(h).loss - lossAt(-h).loss) / (2 * h);
    const { normSquared } = lossAt(0);
    expect(normSquared).toBeGreaterThan(0.01);
    expect(Math.abs(slope / normSquared - 1)).toBeLessThan(2e-3);
  });

  it('is trained with a uniform mixture, and with one that moves', async () => {
    const options = { data, steps: 150, seed: 1, backend: 'auto' } as const;
    for (const adaptive of [false, true]) {
      const looks = await train(new HostModel(data, rowsNeeded), { ...options, adaptive });
      expect(looks.map((look) => look.step)).toEqual([0, 30, 60, 90, 120, 150]);
      const [first, last] = [looks[0]!, looks.at(-1)!];
      expect(last.losses[0]!).toBeLessThan(0.3 * first.losses[0]!);
      const moved = Math.max(...last.weights.map((weight) => Math.abs(weight - 1 / 3)));
      if (adaptive) expect(moved).toBeGreaterThan(0.02);
      else expect(moved).toBeLessThan(1e-15);
    }
  });
});

describe('--check', () => {
  it('passes a model that is right, and no other', () => {
    expect(check(new HostModel(data, rowsNeeded), data, 1)).toEqual({ error: 0, passed: true });
    const wrongly = (change: (gradient: Float32Array) => void): Model => {
      const model = new HostModel(data, rowsNeeded);
      const gradient = model.gradient.bind(model);
      model.gradient = (row, samples) => {
        const result = gradient(row, samples);
        change(result);
        return result;
      };
      return model;
    };
    for (const change of [
      (g: Float32Array) => g.set([g[0]! * 1.01], 0),
      (g: Float32Array) => g.set([Number.NaN], parameters - 1),
      (g: Float32Array) => g.fill(0, parameters - 1),
    ])
      expect(check(wrongly(change), data, 1).passed).toBe(false);
  });
});

describe('the program', () => {
  it('where no GPU can be used: one clear line, exit code 2', () => {
    if (hasGpu()) return;
    for (const args of [[], ['--steps', '5'], ['--check']]) {
      const { status, stdout, stderr } = program(...args);
      expect(stderr).toMatch(/^cuda-native: backend 'cuda' cannot be had: .+\n$/);
      expect([status, stdout]).toEqual([2, '']);
    }
  });

  it.each([
    ['a number of steps that is none', ['--steps', '0'], /--steps must be a whole number .*'0'/],
    ['a flag that there is not', ['--stepz', '3'], /--stepz.*--help/],
  ])('%s is one clear line', (_, args, message) => {
    const { status, stderr } = program(...args);
    expect(stderr).toMatch(message);
    expect([status, stderr.split('\n').length]).toEqual([2, 2]);
  });

  it('explains itself', () => {
    const { status, stdout } = program('--help');
    expect(status).toBe(0);
    for (const flag of ['--steps', '--seed', '--check']) expect(stdout).toContain(`${flag} `);
  });
});

describe('building', () => {
  it('without nvcc is one clear line, exit code 2', () => {
    const { status, stderr } = build({ CUDACXX: '/nowhere/nvcc' });
    expect(stderr).toBe(
      'cuda-native: no working /nowhere/nvcc was found; install the CUDA toolkit, or name its nvcc in CUDACXX\n',
    );
    expect(status).toBe(2);
  });
});

const found = findNvcc();
const skipped = 'reason' in found ? ` (skipped: ${found.reason})` : '';

describe.skipIf(skipped !== '')(`the addon${skipped}`, () => {
  beforeAll(() => {
    const { status, stdout, stderr } = build({});
    expect(stderr).toBe('');
    expect([status, stdout]).toEqual([0, expect.stringContaining('cuda_native.node')]);
  }, 240_000);

  const options = {
    features: new Float32Array(4),
    labels: Int32Array.of(0, 1),
    width: 2,
    classes: 2,
    rows: 1,
    batch: 2,
  };
  const construct = (change: Partial<typeof options>) => {
    const { Classifier } = createRequire(import.meta.url)(addon);
    return new Classifier({ ...options, ...change });
  };

  it('loads without any of CUDA, and refuses what it cannot do', () => {
    expect(() => construct({ labels: Int32Array.of(0, 2) })).toThrow(/labels must be numbers from 0/);
    expect(() => construct({ features: new Float32Array(5) })).toThrow(/features must hold/);
    expect(() => construct({ rows: 0 })).toThrow(/rows must be at least 1/);
    if (!hasGpu()) expect(() => construct({})).toThrow(/on the GPU: cudaError\w+, ./);
  });

  it('where there is a GPU: has the right gradients, and trains', () => {
    if (!hasGpu()) return;
    for (const args of [['--check'], ['--steps', '50']]) {
      const { status, stderr } = program(...args);
      expect([status, stderr]).toEqual([0, '']);
    }
  });
});
