/** Weights that a backend solves for along with the sums, against the TypeScript rules on the same sums. */
import type { Backend, MomentsRequest, SolvedRule, SolvedWeights } from '../backends/backend.js';
import { checkLosses } from '../mixer/measurement.js';
import { resolveOptions } from '../mixer/options.js';
import { describeUpdate } from '../mixer/solving.js';
import { type ComputedUpdate, computeUpdate, type UpdateInput } from '../mixer/update.js';
import { encodeLogWeights, initialLogWeights } from '../rules/rule.js';
import { weightsOf } from '../rules/simplex.js';
import { initSmoothing } from '../statistics/smoothing.js';
import { drawInputs, type Inputs, type Problem, problem } from './inputs.js';
import { randomNumbers } from './random.js';

/** Of weights, against the TypeScript rule on the same statistics. */
export const WEIGHT_ERROR = 1e-12;

/** Updates one after the other, each beginning where the last one ended. */
export const UPDATES = 4;

/** Rows per task, and whether products are formed: one of each kind of launch that solves. */
export const SOLVED_SHAPES: readonly (readonly [rowsPerTask: readonly number[], inner: boolean])[] = [
  [[4, 4], true],
  [[3, 1, 4], false],
  [new Array<number>(8).fill(4), true],
  [new Array<number>(33).fill(3), true],
  [new Array<number>(128).fill(2), false],
  [[129, 3], false],
];

/**
 * The largest error over several updates.
 *
 * @param backend one that solves
 * @param request makes a problem into a request of that backend
 * @param release called after every measurement
 */
export async function solvedWeightError(
  { backend, request, release }: Solver,
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
    const asked = { ...request(given, inputs), rowScalars: false };
    const { moments, solved } = await backend.solve!(asked, describeUpdate(rule, input, losses, undefined));
    release?.();
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

export interface Solver {
  readonly backend: Backend;
  readonly request: (problem: Problem, inputs: Inputs) => MomentsRequest;
  readonly release?: () => void;
}
