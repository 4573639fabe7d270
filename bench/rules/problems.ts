/** Updates of the weights to time: K tasks in the middle of a run, some on the floor, some N negative. */
import { checkLosses, type LossAverage } from '../../dist/mixer/measurement.js';
import { type MixerOptions, resolveOptions } from '../../dist/mixer/options.js';
import { computeUpdate, type UpdateInput } from '../../dist/mixer/update.js';
import type { WeightRule } from '../../dist/rules/rule.js';
import { checkRuleState } from '../../dist/rules/rule.js';
import { initSmoothing } from '../../dist/statistics/smoothing.js';
import type { Moments } from '../../dist/statistics/statistics.js';
import { randomNumbers } from '../../dist/verification/random.js';

/** Micro-batches per task, and samples in each. */
const MICRO_BATCHES = 4;
const SAMPLES = 8;
/** Elements of the made-up gradients that products are formed of. */
const ELEMENTS = 40;
/** Updates that have gone before. */
const BEFORE = 12;

export interface Case {
  readonly rule: WeightRule;
  readonly name: string;
  readonly input: UpdateInput;
  readonly moments: Moments;
  readonly losses: LossAverage;
  readonly samples: readonly (readonly number[])[];
}

/** What a rule is timed with: the defaults, and what makes `maxLogStep` shorten the step. */
export const KINDS: Readonly<Record<string, Partial<MixerOptions>>> = {
  defaults: {},
  'step shortened': { zeta1: 20 },
};

/** @throws PikeError what the rule throws without an option of its own */
export function caseOf(
  rule: WeightRule,
  kind: string,
  tasks: number,
  extra: Partial<MixerOptions> = {},
): Case {
  const options = resolveOptions({
    tasks: Array.from({ length: tasks }, (_, k) => `task ${k}`),
    batchSize: 8 * tasks,
    rule,
    learningRate: 0.1,
    smoothness: 1,
    ...KINDS[kind],
    ...extra,
  });
  const random = randomNumbers(tasks);
  const samples = Array.from({ length: tasks }, () => new Array<number>(MICRO_BATCHES).fill(SAMPLES));
  let input: UpdateInput = {
    options,
    step: 0,
    passedOver: 0,
    rule: checkRuleState(rule.init(tasks, options), tasks),
    smoothing: initSmoothing(tasks, options.inner),
    lossWeights: new Float64Array(tasks).fill(1),
  };
  // The same gradients in every update, but for noise: fewer elements than tasks, so that their products have eigenvalues
  // of 0, which noise makes negative.
  const common = Array.from({ length: ELEMENTS }, () => random() - 0.5);
  const truth = Array.from({ length: tasks }, (_, k) =>
    common.map((x) => (0.2 + k / tasks) * x + random() - 0.5),
  );
  const draw = () => ({
    moments: drawMoments(random, truth, options.inner),
    losses: checkLosses(
      samples.map((sizes) => sizes.map(() => 1 + random())),
      samples,
    ),
  });
  for (let update = 0; update < BEFORE; update++) {
    const { moments, losses } = draw();
    const next = computeUpdate(input, moments, losses, undefined, null, samples);
    input = { ...input, ...next, step: update + 1 };
  }
  return { rule, name: `${rule.name}, ${kind}`, input, ...draw(), samples };
}

function drawMoments(random: () => number, truth: readonly (readonly number[])[], inner: boolean): Moments {
  const tasks = truth.length;
  const rows = tasks * MICRO_BATCHES;
  const means = truth.map((mean) => mean.map((x) => x + 0.2 * (random() - 0.5)));
  const products = new Float64Array(tasks * tasks);
  for (let j = 0; j < tasks; j++)
    for (let k = 0; k < tasks; k++)
      products[j * tasks + k] = means[j].reduce((sum, x, c) => sum + x * means[k][c], 0);
  const rowDeviation = Float64Array.from({ length: rows }, () => 4 * random());
  return {
    microBatches: new Int32Array(tasks).fill(MICRO_BATCHES),
    samples: new Float64Array(tasks).fill(MICRO_BATCHES * SAMPLES),
    deviation: Float64Array.from({ length: tasks }, (_, k) => {
      const own = rowDeviation.subarray(k * MICRO_BATCHES, (k + 1) * MICRO_BATCHES);
      return SAMPLES * own.reduce((sum, d) => sum + d, 0);
    }),
    meanNormSquared: Float64Array.from({ length: tasks }, (_, k) => products[k * tasks + k]),
    meanInner: inner ? products : null,
    rowDeviation,
    rowAlignment: Float64Array.from({ length: rows }, () => random() - 0.5),
  };
}
