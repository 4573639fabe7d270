/** Weights that are solved for in the launch that measures, against the TypeScript rules on the same statistics. */
import { SOLVED_RULES } from '../../dist/backends/weight-update.js';
import type { Size } from '../../dist/throughput/size.js';
import {
  SOLVED_SHAPES,
  solvedWeightError,
  UPDATES,
  WEIGHT_ERROR,
} from '../../dist/verification/solved-weights.js';
import { below, type Check, type PartReport, partReport, short } from '../report.js';
import { Gpu } from './device.js';

export async function weights(size: Size): Promise<PartReport> {
  const gpu = new Gpu();
  const solver: Parameters<typeof solvedWeightError>[0] = {
    backend: gpu.backend,
    request: (problem, inputs) => gpu.request(problem, inputs),
    release: () => gpu.release(),
  };
  const checks: Check[] = [];
  let largest = 0;
  const shapes = size === 'tiny' ? SOLVED_SHAPES.slice(0, 3) : SOLVED_SHAPES;
  for (const [rowsPerTask, inner] of shapes)
    for (const rule of SOLVED_RULES) {
      const error = await solvedWeightError(solver, rule, rowsPerTask, inner);
      largest = Math.max(largest, error);
      checks.push(
        below(`${rule}, ${rowsPerTask.length} tasks${inner ? ', with products' : ''}`, error, WEIGHT_ERROR),
      );
    }
  return partReport({
    checks,
    notes: [`Largest relative difference of a weight over ${UPDATES} updates each: ${short(largest)}.`],
    data: { largest },
  });
}
