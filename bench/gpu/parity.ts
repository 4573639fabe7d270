/** The sums of a GPU against those of the TypeScript reference. */

import type { Size } from '../../dist/throughput/size.js';
import {
  expectedMoments,
  largestError,
  TYPICAL_ERROR,
  WORST_ERROR,
} from '../../dist/verification/compare.js';
import { drawInputs, type Problem } from '../../dist/verification/inputs.js';
import { below, type Check, type PartReport, partReport, short } from '../report.js';
import { Gpu, hasRowScalars } from './device.js';
import { adversarialProblems, randomProblems } from './problems.js';

export async function parity(size: Size): Promise<PartReport> {
  const gpu = new Gpu();
  const sets = [
    { title: 'random', problems: randomProblems(size), limit: TYPICAL_ERROR },
    { title: 'adversarial', problems: adversarialProblems(size), limit: WORST_ERROR },
  ];
  const checks: Check[] = [];
  const errors: { problem: string; error: number; limit: number }[] = [];
  const rows: string[][] = [];
  for (const { title, problems, limit } of sets) {
    let largest = { name: '', error: 0 };
    for (const problem of problems) {
      const error = await errorOf(gpu, problem);
      checks.push(below(problem.name, error, limit));
      errors.push({ problem: problem.name, error, limit });
      if (!(error <= largest.error)) largest = { name: problem.name, error };
    }
    rows.push([title, String(problems.length), short(largest.error), short(limit), largest.name]);
  }
  return partReport({
    checks,
    tables: [
      {
        title: 'Largest error in units of u² (see docs/kernels.md)',
        head: ['data', 'problems', 'largest', 'promised', 'in'],
        rows,
      },
    ],
    data: errors,
  });
}

async function errorOf(gpu: Gpu, problem: Problem): Promise<number> {
  const inputs = drawInputs(problem);
  const moments = await gpu.measure(problem, gpu.request(problem, inputs));
  gpu.release();
  return largestError(moments, await expectedMoments(problem, inputs), hasRowScalars(problem));
}
