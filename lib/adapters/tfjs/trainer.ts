/** A training loop of TensorFlow.js that measures on the training batches themselves. */
import type * as tfjs from '@tensorflow/tfjs';
import { PikeError } from '../../errors.js';
import type { Mixer } from '../../mixer/mixer.js';
import { checkStepOptions, STEP_OPTIONS } from '../common/checks.js';
import { cutInto } from '../common/micro-batches.js';
import { type Stack, type StepOptions, type TrainStep, takeStep } from '../common/trainer.js';
import { requireOptimizer } from './checks.js';
import {
  addScaled,
  applyGradients,
  collectorOf,
  gradientsOf,
  isWarm,
  lossAndGradients,
  metricOf,
  writeGradients,
} from './gradients.js';
import { checkGradientArguments, type GradientOptions } from './options.js';
import { type Batch, disposeAll, drawBatch, type Tf } from './tensors.js';

/** Of `createTrainer`. */
export interface TrainerOptions<B extends Batch> extends GradientOptions<B>, StepOptions {
  /** Takes the steps. When it is Adam, gradients are measured in its metric, once it has taken ten. */
  optimizer: tfjs.Optimizer;
}

/**
 * A training loop that measures on the training batches themselves: when the mixer is due, the batch is taken
 * in task-pure micro-batches, whose gradients are measured and together make the step. No sample is spent on
 * measuring; such a step costs more passes, each over fewer samples. A rule that needs only losses takes one pass per
 * task, and one that needs nothing none.
 *
 * @returns a function that takes one step: draws a batch, moves the variables, and updates the weights if due, which goes on
 *   beside the optimiser's work. It rejects with `ERR_ORDER` while a step is in flight, and with `ERR_SHAPE`, `ERR_DTYPE` or
 *   `ERR_DISPOSED` for what `draw` and `loss` return: variables, optimiser and weights are as before then,
 *   and the batch counts as drawn
 * @throws PikeError `ERR_INVALID_OPTION`; `ERR_DTYPE`, `ERR_DISPOSED` for the variables
 */
export function createTrainer<B extends Batch>(
  tf: Tf,
  mixer: Mixer,
  options: TrainerOptions<B>,
): () => Promise<TrainStep> {
  checkGradientArguments('createTrainer', tf, mixer, options, STEP_OPTIONS);
  checkStepOptions(options);
  requireOptimizer(options.optimizer);
  const { optimizer, variables, draw, accumulate = false } = options;
  const collector = collectorOf(mixer, options);

  const stack: Stack = {
    wholeKnowsTasks: false,
    ready: () => isWarm(options),
    cut: (count, measure) => cutInto(measure || accumulate ? mixer.microBatches : 1, count),

    async whole(counts, watch) {
      const { batch, tensors } = await watch.time('draw', () => drawBatch(tf, draw, counts));
      try {
        const value = tf.tidy(() => {
          const pass = lossAndGradients(tf, options, batch);
          applyGradients(optimizer, variables, pass.grads);
          return pass.value;
        });
        try {
          const [mean] = await value.data();
          return { mean, tasks: null };
        } finally {
          value.dispose();
        }
      } finally {
        disposeAll(tensors);
      }
    },

    async byTask(batches, factors, rows, watch) {
      if (rows) await watch.time('observe', async () => rows.begin(await metricOf(tf, options)));
      let sum: tfjs.NamedTensorMap = {};
      const losses: number[] = [];
      try {
        for (const [i, batch] of batches.entries()) {
          const pass = await gradientsOf(tf, mixer, options, batch, watch);
          losses.push(pass.loss);
          try {
            const write = writeGradients(tf, variables, pass.gradients);
            if (rows)
              await watch.time('observe', () => rows.add(batch.task, batch.samples, pass.loss, write));
            sum = addScaled(tf, sum, pass.gradients, factors[i]);
          } catch (error) {
            tf.dispose(pass.gradients);
            throw error;
          }
        }
      } catch (error) {
        tf.dispose(sum);
        throw error;
      }
      return {
        losses,
        step() {
          try {
            applyGradients(optimizer, variables, sum);
          } finally {
            tf.dispose(sum);
          }
        },
      };
    },
  };
  let inFlight = false;
  return async () => {
    if (inFlight)
      throw new PikeError('ERR_ORDER', 'A step was asked for while one is in flight; await that one first.');
    inFlight = true;
    try {
      return await takeStep(mixer, stack, collector, options);
    } finally {
      inFlight = false;
    }
  };
}
