/**
 * Weights that rules make of what a backend has measured, against those that they make of the truth. Of float64
 * gradients, where the statistics of all backends agree to 1e-12.
 */
import type { Backend } from '../backends/backend.js';
import type { Dtype } from '../gradients/layout.js';
import { checkLosses } from '../mixer/measurement.js';
import { resolveOptions } from '../mixer/options.js';
import { computeUpdate, type UpdateInput } from '../mixer/update.js';
import { initSmoothing } from '../statistics/smoothing.js';
import { expectedMoments } from './compare.js';
import { drawInputs, problem } from './inputs.js';
import { hostRequest, measure } from './measure-problem.js';
import { randomNumbers } from './random.js';
import { UPDATES } from './solved-weights.js';

/** Those that read gradients. */
export const MEASURED_RULES = ['pike', 'mirror', 'conceptual', 'balanced', 'gramian'] as const;

const SHAPES: readonly (readonly number[])[] = [[4, 4], [3, 2, 4], new Array<number>(8).fill(4)];

/** The largest relative error of a weight over a few updates, one for every shape. */
export async function measuredWeightError(backend: Backend, rule: string): Promise<number[]> {
  const errors: number[] = [];
  for (const rowsPerTask of SHAPES) errors.push(await errorOverUpdates(backend, rule, rowsPerTask));
  return errors;
}

async function errorOverUpdates(
  backend: Backend,
  rule: string,
  rowsPerTask: readonly number[],
): Promise<number> {
  const K = rowsPerTask.length;
  const options = resolveOptions({
    tasks: rowsPerTask.map((_, k) => `task ${k}`),
    batchSize: 64 * K,
    rule,
    learningRate: 0.1,
    smoothness: 2,
  });
  const start: UpdateInput = {
    options,
    step: 0,
    passedOver: 0,
    rule: options.rule.init(K, options),
    smoothing: initSmoothing(K, options.inner),
    lossWeights: new Float64Array(K).fill(1),
  };
  let own = start;
  let exact = start;
  const random = randomNumbers(K);
  let largest = 0;
  for (let update = 0; update < UPDATES; update++) {
    const given = problem<Dtype>({
      dtype: 'float64',
      lengths: [301, 7],
      rowsPerTask,
      seed: 100 * K + update,
    });
    const inputs = drawInputs(given);
    const losses = checkLosses(
      inputs.samples.map((sizes) => sizes.map(() => 1 + random())),
      inputs.samples,
    );
    const moments = await measure(backend, hostRequest(given, inputs, false), update % 2 === 1);
    const { moments: truth } = await expectedMoments(given, inputs);
    const [found, expected] = [
      computeUpdate(own, moments, losses, undefined),
      computeUpdate(exact, truth, losses, undefined),
    ];
    for (const part of ['weights', 'lossWeights'] as const)
      for (let k = 0; k < K; k++) {
        const [a, b] = [found.report[part][k], expected.report[part][k]];
        largest = Math.max(largest, a === b ? 0 : Math.abs(a - b) / Math.abs(b));
        if (Number.isNaN(a)) largest = Infinity;
      }
    own = { ...own, ...found, step: update + 1 };
    exact = { ...exact, ...expected, step: update + 1 };
  }
  return largest;
}
