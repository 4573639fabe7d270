/** Adam's metric, from the state that TensorFlow.js' own optimiser keeps. */
import type * as tfjs from '@tensorflow/tfjs';
import { type AdamConstants, writeAdamMetric } from '../common/adam.js';
import type { Write } from '../common/collector.js';
import { requireOptimizer, requireVariables } from './checks.js';
import { elementsOf } from './memory.js';
import type { Tf } from './tensors.js';

/**
 * The diagonal D = 1/(√v̂ + ε) of Adam's metric, from the state of the optimiser before its next step: under Adam
 * the step is D·g, and sum_i a_i D_i b_i are the inner products that belong to it (derived; ours, not the paper's, whose bound
 * is for SGD). A parameter that has never had a gradient has no scale yet: its D is 0, not 1/ε.
 *
 * @returns one array per variable, in their order; null when the optimiser is not Adam or has taken no step
 * @throws PikeError `ERR_INVALID_OPTION`; `ERR_DTYPE`, `ERR_DISPOSED` for the variables
 */
export async function adamPreconditioner(
  optimizer: tfjs.Optimizer,
  variables: readonly tfjs.Variable[],
): Promise<Float32Array[] | null> {
  requireOptimizer(optimizer);
  requireVariables(variables);
  const moments = await secondMoments(optimizer, variables);
  if (!moments) return null;
  const diagonal: Float32Array[] = [];
  for (const tensor of moments.tensors) {
    const second = await tensor.data<'float32'>();
    const part = new Float32Array(second.length);
    writeAdamMetric(second, moments.steps, moments.constants, part);
    diagonal.push(part);
  }
  return diagonal;
}

/** The same into memory of the caller's; null for what `adamPreconditioner` has no metric for. */
export async function adamMetric(
  tf: Tf,
  optimizer: tfjs.Optimizer,
  variables: readonly tfjs.Variable[],
): Promise<Write | null> {
  const moments = await secondMoments(optimizer, variables);
  if (!moments) return null;
  return async (into) => {
    for (const [i, tensor] of moments.tensors.entries())
      writeAdamMetric(await elementsOf(tf, tensor), moments.steps, moments.constants, into[i]);
  };
}

export function isAdam(optimizer: tfjs.Optimizer): boolean {
  return optimizer.getClassName() === 'Adam';
}

async function secondMoments(
  optimizer: tfjs.Optimizer,
  variables: readonly tfjs.Variable[],
): Promise<{ tensors: tfjs.Tensor[]; steps: number; constants: AdamConstants } | null> {
  if (!isAdam(optimizer) || optimizer.iterations === 0) return null;
  const { beta2, epsilon } = optimizer.getConfig() as { beta2: number; epsilon: number };
  const [iterations, ...moments] = await optimizer.getWeights();
  iterations.tensor.dispose();
  const byName = new Map(moments.map(({ name, tensor }) => [name, tensor]));
  const tensors = variables.map((variable) => byName.get(`${variable.name}/v`));
  if (!tensors.every((tensor) => tensor !== undefined)) return null;
  return { tensors, steps: optimizer.iterations, constants: { beta2, epsilon } };
}
