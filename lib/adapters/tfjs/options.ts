/** What a probe and a trainer are given alike. */
import type * as tfjs from '@tensorflow/tfjs';
import { PikeError } from '../../errors.js';
import { requireFunction, requireOptions } from '../../validate.js';
import { checkMeasuring, MEASURING_OPTIONS, requireMixer } from '../common/checks.js';
import type { RowMode } from '../common/collector.js';
import type { DrawBatch } from '../common/micro-batches.js';
import { requireOptimizer, requireTf, requireVariables } from './checks.js';
import type { Batch } from './tensors.js';

/** Mean loss of a batch over its samples, as a scalar tensor on which gradients can be taken. */
export type BatchLoss<B extends Batch> = (batch: B) => tfjs.Scalar;

/** What gradients are taken of, and how they are measured. */
export interface GradientOptions<B extends Batch> {
  /**
   * Returns `sum(counts)` samples, those of the first task first, in tensors that are disposed after use, of which one at
   * least has them along its first axis (see `Batch`).
   */
  draw: DrawBatch<B>;
  /** Mean loss of a batch. */
  loss: BatchLoss<B>;
  /** The model's trainable variables. */
  variables: tfjs.Variable[];
  /** When it is Adam, gradients are measured in its metric, once it has taken ten steps; otherwise in the plain one. */
  optimizer?: tfjs.Optimizer;
  /** 'optimizer' (default): as told there. 'plain': gradients as they are, whatever the optimiser, from the first step on. */
  metric?: 'optimizer' | 'plain';
  /**
   * 'together' (default, up to 256 MiB of them): the rows of a measurement are kept and measured in one pass, with
   * standard errors. 'streamed': one by one, in the memory of one, without.
   */
  rows?: RowMode;
}

const gradientOptions = [
  ...MEASURING_OPTIONS,
  'loss',
  'variables',
  'optimizer',
] as const satisfies readonly (keyof GradientOptions<Batch>)[];

/**
 * The arguments of a probe, and of a trainer, which has `more` options.
 *
 * @throws PikeError `ERR_INVALID_OPTION`; `ERR_DTYPE`, `ERR_DISPOSED` for the variables
 */
export function checkGradientArguments<B extends Batch>(
  what: string,
  tf: unknown,
  mixer: unknown,
  options: GradientOptions<B>,
  more: readonly string[] = [],
): void {
  requireTf(tf);
  requireMixer(mixer);
  requireOptions(what, options, [...gradientOptions, ...more]);
  checkMeasuring(options);
  requireFunction('loss', options.loss);
  requireVariables(options.variables);
  if (!options.variables.some(({ trainable }) => trainable))
    throw new PikeError('ERR_INVALID_OPTION', 'variables must hold a trainable one, but none of them is.');
  if (options.optimizer !== undefined) requireOptimizer(options.optimizer);
}
