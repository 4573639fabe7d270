/** Weights that are solved for in the launch that measures, against the TypeScript rules on the same statistics. */
import type { SolvedRule, SolvedWeights } from '../../dist/backends/backend.js';
import { SOLVED_RULES } from '../../dist/backends/weight-update.js';
import { checkLosses } from '../../dist/mixer/measurement.js';
import { resolveOptions } from '../../dist/mixer/options.js';
import { describeUpdate } from '../../dist/mixer/solving.js';
import { type ComputedUpdate, computeUpdate, type UpdateInput } from '../../dist/mixer/update.js';
import { encodeLogWeights, initialLogWeights } from '../../dist/rules/rule.js';
import { weightsOf } from '../../dist/rules/simplex.js';
import { initSmoothing } from '../../dist/statistics/smoothing.js';
import { randomNumbers } from '../random.js';
import { below, type Check, type PartReport, partReport, short } from '../report.js';
import type { Size } from '../size.js';
import { WEIGHT_ERROR } from './compare.js';
import { Gpu } from './device.js';
import { drawInputs, problem } from './inputs.js';

const UPDATES = 4;

/** Rows per task, and whether products are formed: one of each kind of launch that solves. */
const SHAPES: readonly (readonly [rowsPerTask: readonly number[], inner: boolean])[] = [
  [[4, 4], true],
  [[3, 1, 4], false],
  [new Array<number>(8).fill(4), true],
  [new Array<number>(33).fill(3), true],
  [new Array<number>(128).fill(2), false],
  [[129, 3], false],
];

export async function weights(size: Size): Promise<PartReport> {
  const gpu = new Gpu();
  const checks: Check[] = [];
  let largest = 0;
  const shapes = size === 'tiny' ? SHAPES.slice(0, 3) : SHAPES;
  for (const [rowsPerTask, inner] of shapes)
    for (const rule of SOLVED_RULES) {
      const error = await errorOf(gpu, rule, rowsPerTask, inner);
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

/** Over several updates, each beginning where the GPU's last one ended. */
async function errorOf(
  gpu: Gpu,
  rule: SolvedRule,
  rowsPerTask: readonly number[],
  inner: boolean,
): Promise<number> {
  const K = rowsPerTask.length;
  const options = resolveOptions({
    tasks: rowsPerTask.map((_, k) => `task ${k}`),
    batchSize: 64 * K,
    rule,
    learningRate: 0.1,
    smoothness: 2,
  });
  let input: UpdateInput = {
    options,
    step: 0,
    passedOver: 0,
    rule: { logWeights: encodeLogWeights(initialLogWeights(options)) },
    smoothing: initSmoothing(K, false),
    lossWeights: new Float64Array(K).fill(1),
  };
  const random = randomNumbers(K);
  let largest = 0;
  for (let update = 0; update < UPDATES; update++) {
    const given = problem({ lengths: [61, 7], rowsPerTask, inner, seed: 100 * K + update });
    const inputs = drawInputs(given);
    const losses = checkLosses(
      inputs.samples.map((sizes) => sizes.map(() => 1 + random())),
      inputs.samples,
    );
    const request = { ...gpu.request(given, inputs), rowScalars: false };
    const { moments, solved } = await gpu.backend.solve!(
      request,
      describeUpdate(rule, input, losses, undefined),
    );
    gpu.release();
    const expected = computeUpdate(input, { ...moments, meanInner: null }, losses, undefined);
    largest = Math.max(largest, weightError(solved, expected));
    input = { ...input, ...expected, step: update + 1 };
  }
  return largest;
}

/**
 * Largest relative error of a weight or loss weight, or of a statistic as a share of the largest of its kind; Infinity
 * where something is missing.
 */
export function weightError(
  { logWeights, lossWeights, raw, smoothed, measured }: SolvedWeights,
  expected: Pick<ComputedUpdate, 'report' | 'lossWeights'>,
): number {
  const { report } = expected;
  if (measured !== report.missed.length < report.weights.length) return Infinity;
  const own = (b: number) => Math.abs(b);
  const largest = (b: ArrayLike<number>) => () => Math.max(...Array.from(b, (x) => Math.abs(x) || 0));
  const errors = [
    ...relative(weightsOf(logWeights), report.weights, own),
    ...relative(lossWeights, expected.lossWeights, own),
    ...(
      [
        [raw, report.statistics],
        [smoothed, report.smoothed],
      ] as const
    ).flatMap(([a, b]) => [
      ...relative(a.normSquared, b.normSquared, largest(b.normSquared)),
      ...relative(a.variance, b.variance, largest(b.variance)),
    ]),
  ];
  return errors.some(Number.isNaN) ? Infinity : Math.max(...errors);
}

function relative(a: ArrayLike<number>, b: ArrayLike<number>, scale: (b: number) => number): number[] {
  return Array.from(b, (x, k) => (a[k] === x || Object.is(a[k], x) ? 0 : Math.abs(a[k] - x) / scale(x)));
}
