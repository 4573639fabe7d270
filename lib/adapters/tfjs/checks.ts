/** What the functions for TensorFlow.js are given, checked before anything is changed. */
import type * as tfjs from '@tensorflow/tfjs';
import { PikeError } from '../../errors.js';
import { hasMethods, show } from '../../validate.js';

/** @throws PikeError `ERR_INVALID_OPTION` */
export function requireTf(tf: unknown): void {
  if (
    !hasMethods(tf, [
      'tidy',
      'variableGrads',
      'dispose',
      'concat',
      'engine',
      'getBackend',
      'backend',
      'Tensor',
    ])
  )
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `The first argument must be TensorFlow.js itself (import * as tf from '@tensorflow/tfjs'), but is ${show(tf)}.`,
    );
}

/** @throws PikeError `ERR_INVALID_OPTION` */
export function requireOptimizer(optimizer: unknown): void {
  if (!hasMethods(optimizer, ['minimize', 'applyGradients', 'getClassName']))
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `optimizer must be one of TensorFlow.js, such as tf.train.adam(1e-3), but is ${show(optimizer)}.`,
    );
}

/** @throws PikeError `ERR_INVALID_OPTION`, `ERR_DTYPE`, `ERR_DISPOSED` */
export function requireVariables(variables: unknown): void {
  if (!Array.isArray(variables) || variables.length === 0)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `variables must be a list of at least one tf.Variable, but is ${show(variables)}.`,
    );
  const seen = new Map<string, number>();
  for (const [i, variable] of (variables as tfjs.Variable[]).entries()) {
    if (!hasMethods(variable, ['assign', 'data', 'dispose']))
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `variables[${i}] must be a tf.Variable, but is ${show(variable)}${
          hasMethods(variable, ['read', 'write'])
            ? ' of a layer: take its variable, as in model.trainableWeights.map((weight) => weight.read())'
            : ''
        }.`,
      );
    const { name, dtype, isDisposed } = variable;
    if (isDisposed) throw new PikeError('ERR_DISPOSED', `variables[${i}] ('${name}') was disposed.`);
    if (dtype !== 'float32')
      throw new PikeError('ERR_DTYPE', `variables[${i}] ('${name}') must be float32, but is ${dtype}.`);
    // It would be measured, and moved, as often as it stands there.
    if (seen.has(name))
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `variables must all be different, but [${seen.get(name)}] and [${i}] are both '${name}'.`,
      );
    seen.set(name, i);
  }
}
