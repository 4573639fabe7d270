/** Example 2.1: the golden trajectories, and what the program makes of them. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compare, excess } from '../../examples/example21/comparison.js';
import { adaptive, fixed, PROBLEMS, type Step, train } from '../../examples/example21/problem.js';
import { golden } from '../support/golden.js';

interface Recursion {
  m0: number[];
  eta: number;
  b: number;
  sigma: number[];
  traj: Record<string, { w1: number; m: number[]; loss: number }[]>;
}
const runs: Recursion[] = golden('example21').expected_loss_recursion;
/** The golden trajectories hold every tenth step, from the first on. */
const EVERY = 10;

describe.each(PROBLEMS.map((problem, i) => [problem.title, problem, runs[i]] as const))(
  '%s',
  (_, problem, expected) => {
    it('is the problem of the golden values', () => {
      const { start, learningRate, batchSize, noise } = problem;
      const { m0, eta, b, sigma } = expected;
      expect([start, learningRate, batchSize, noise]).toEqual([m0, eta, b, sigma]);
    });

    it.each(Object.keys(expected.traj))('reproduces the golden trajectory: %s', (name) => {
      const run = train(problem, name === 'adaptive' ? adaptive : fixed(Number(name)));
      let step: Step;
      for (const { w1, m, loss } of expected.traj[name]) {
        step = run.next().value;
        const pairs = [
          [step.weights[0], w1],
          [step.weights[1], 1 - w1],
          [step.moments[0], m[0]],
          [step.moments[1], m[1]],
          [step.loss, loss],
        ];
        for (const [own, wanted] of pairs)
          expect(Math.abs(own - wanted)).toBeLessThan(1e-13 * Math.max(1, Math.abs(wanted)));
        expect(Math.abs(step.loss / loss - 1)).toBeLessThan(1e-13);
        for (let i = 1; i < EVERY; i++) run.next();
      }
      expect(expected.traj[name].length).toBe(20);
    });
  },
);

describe('against static mixtures', () => {
  it('wins while losses fall, and not at the noise floor', () => {
    const ends = PROBLEMS.map((problem) => compare(problem, 300));
    for (const moments of ends) {
      for (const moment of moments.slice(0, 20)) expect(excess(moment)).toBeLessThanOrEqual(0);
      // The best of the grid is as good as uniform, which is one of them, and as the golden ones.
      for (const moment of moments) expect(moment.best.loss).toBeLessThanOrEqual(moment.uniform);
    }
    const last = ends.map((moments) => excess(moments.at(-1)!));
    expect(last[0]).toBe(0);
    expect(last[1]).toBeCloseTo(0.34, 2);
    expect(last[2]).toBeCloseTo(0.29, 2);
    expect(excess(ends[2][9])).toBeCloseTo(-0.29, 2);
  });

  it('is at the floor what the fixed point of the recursion says', () => {
    // m_k = (η²/b) Σ w_j s_j² / (1 − (1 − ηw_k)²) for fixed weights.
    const problem = PROBLEMS[1];
    const { learningRate: eta, batchSize: b, noise } = problem;
    const floor = (w1: number) => {
      const w = [w1, 1 - w1];
      const added = ((eta * eta) / b) * (w[0] * noise[0] ** 2 + w[1] * noise[1] ** 2);
      return w.reduce((sum, x) => sum + added / (1 - (1 - eta * x) ** 2) / 2, 0);
    };
    const lowest = Math.min(...Array.from({ length: 999 }, (_, i) => floor((i + 1) / 1000)));
    const { best } = compare(problem, 3000).at(-1)!;
    expect(best.loss).toBeCloseTo(lowest, 12);
    expect(floor(best.weight)).toBeCloseTo(lowest, 12);
  });

  it('the program says so', () => {
    const program = resolve(fileURLToPath(new URL('../../dist-examples/example21/main.js', import.meta.url)));
    const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
    for (const { title } of PROBLEMS) expect(stdout).toContain(title);
    expect(stdout).toMatch(/never above the best static mixture; at the noise floor it is equal to it/);
    expect(stdout).toMatch(
      /up to step 37, from step 38 on it is\.\nAt the noise floor static wins: adaptive ends 35 % above/,
    );
    expect(stdout).toMatch(
      /up to step 21, from step 22 on it is\.\nAt the noise floor static wins: adaptive ends 29 % above/,
    );
    expect(stdout.match(/│ +100 │/g)).toHaveLength(3);
  });
});
