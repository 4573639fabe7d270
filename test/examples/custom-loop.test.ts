/** The example of a training loop in plain JavaScript. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Network } from '../../examples/custom-loop/model.js';
import { classes, drawData, inputs, randomNumbers, tasks } from '../../examples/custom-loop/sources.js';
import { split, train } from '../../examples/custom-loop/train.js';

const program = (...args: string[]) => {
  const file = fileURLToPath(new URL('../../dist-examples/custom-loop/main.js', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
};

describe('the network', () => {
  it('has the gradient of its loss', () => {
    const { train } = drawData(1, 40, 1);
    const samples = tasks.flatMap((task) => train[task]!.slice(0, 10));
    const model = new Network(inputs, 12, classes, randomNumbers(2));
    const gradient = new Float32Array(model.parameters.length);
    const scratch = new Float32Array(gradient.length);
    model.gradient(samples, gradient);
    const random = randomNumbers(3);
    for (let i = 0; i < 40; i++) {
      // Every layer in turn: its weights and biases are the last of them.
      const at = i < 8 ? gradient.length - 1 - i : Math.floor(random() * gradient.length);
      const h = 1e-3;
      const kept = model.parameters[at]!;
      const lossAt = (x: number) => {
        model.parameters[at] = x;
        return model.gradient(samples, scratch);
      };
      const slope = (lossAt(kept + h) - lossAt(kept - h)) / (2 * h);
      model.parameters[at] = kept;
      expect(Math.abs(slope - gradient[at]!)).toBeLessThan(1e-3 + 0.02 * Math.abs(slope));
    }
    expect(Math.max(...gradient)).toBeGreaterThan(0.05);
  });

  it('takes batches in parts whose gradients add up', () => {
    const { train } = drawData(1, 40, 1);
    const model = new Network(inputs, 12, classes, randomNumbers(2));
    const [whole, part, sum] = [0, 1, 2].map(() => new Float32Array(model.parameters.length));
    const samples = train.hard!.slice(0, 23);
    model.gradient(samples, whole!);
    for (const some of split(samples, 4)) {
      model.gradient(some, part!);
      for (let i = 0; i < sum!.length; i++) sum![i]! += (some.length / 23) * part![i]!;
    }
    for (let i = 0; i < sum!.length; i++) expect(Math.abs(sum![i]! - whole![i]!)).toBeLessThan(1e-6);
  });
});

describe('split', () => {
  it('gives parts of nearly the same length, in order, none of them empty', () => {
    for (const length of [0, 1, 3, 4, 5, 64, 67])
      for (const parts of [1, 4]) {
        const list = Array.from({ length }, (_, i) => i);
        const result = split(list, parts);
        expect(result.flat()).toEqual(list);
        expect(result.length).toBe(Math.min(length, parts));
        const sizes = result.map((part) => part.length);
        if (length > 0) expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
  });
});

describe('training', () => {
  it('learns with a uniform mixture, and with one that moves', async () => {
    const data = drawData(1, 1500, 200);
    const options = { data, steps: 120, seed: 1 };
    const uniform = await train({ ...options, adaptive: false });
    const adaptive = await train({ ...options, adaptive: true });
    for (const { losses, mixingShare, mixingShareLater } of [uniform, adaptive]) {
      expect(losses.hard!).toBeLessThan(1.6);
      expect(losses.easy!).toBeLessThan(0.2);
      expect(losses.repetitive!).toBeLessThan(0.3);
      for (const share of [mixingShare, mixingShareLater]) {
        expect(share).toBeGreaterThan(0);
        expect(share).toBeLessThan(0.5);
      }
    }
    expect(Math.max(...uniform.weights)).toBeLessThan(1 / 3 + 1e-12);
    expect(Math.max(...adaptive.weights.map((w) => Math.abs(w - 1 / 3)))).toBeGreaterThan(0.01);
  });
});

describe('the program', () => {
  it('prints one table', () => {
    const { status, stdout, stderr } = program('--steps', '20', '--seeds', '2');
    expect([status, stderr]).toEqual([0, '']);
    for (const row of ['hard', 'easy', 'repetitive', 'mean', 'share of them spent on mixing'])
      expect(stdout).toMatch(new RegExp(`│ ${row} +│ +\\d.* ± .*│ +\\d.* ± .*│`));
    expect(stdout).toContain('20 steps; ± one standard error over 2 seeds');
    expect(program('--steps', '20', '--seed', '3').stdout).toMatch(/^20 steps; seed 3$/m);
  });

  it.each([
    ['a number of steps that is none', ['--steps', '0'], /--steps must be a whole number .*'0'/],
    ['a flag that there is not', ['--stepz', '3'], /--stepz.*--help/],
  ])('%s is one clear line', (_, args, message) => {
    const { status, stdout, stderr } = program(...args);
    expect(stderr).toMatch(message);
    expect([status, stdout, stderr.split('\n').length]).toEqual([2, '', 2]);
  });

  it('explains itself', () => {
    const { status, stdout } = program('--help');
    expect(status).toBe(0);
    for (const flag of ['--steps', '--seed', '--seeds']) expect(stdout).toContain(`${flag} `);
  });
});
