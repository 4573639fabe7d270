/** A training loop of TensorFlow.js that measures on the training batches themselves. */
import type * as tfjs from '@tensorflow/tfjs';
import type { Mixer } from '../../mixer/mixer.js';
import { cutInto } from '../common/micro-batches.js';
import {
  checkStepOptions,
  type Stack,
  type StepOptions,
  type TrainStep,
  takeStep,
} from '../common/trainer.js';
import { type Batch, disposeBatch, type Tf } from './batches.js';
import {
  addScaled,
  collectorOf,
  type GradientOptions,
  gradientsOf,
  isWarm,
  metricOf,
  writeGradients,
} from './gradients.js';

export interface TrainerOptions<B extends Batch> extends GradientOptions<B>, StepOptions {
  optimizer: tfjs.Optimizer;
}

/**
 * A training loop that measures on the training batches themselves: when the mixer is due, the batch is taken
 * in task-pure micro-batches, whose gradients are measured and together make the step. No sample is spent on
 * measuring; such a step costs more passes, each over fewer samples. A rule that needs only losses takes one pass per
 * task, and one that needs nothing none.
 *
 * @returns a function that takes one step: draws a batch, moves the variables, and updates the weights if due, which goes on
 *   beside the optimiser's work
 * @throws PikeError `ERR_INVALID_OPTION`
 */
export function createTrainer<B extends Batch>(
  tf: Tf,
  mixer: Mixer,
  options: TrainerOptions<B>,
): () => Promise<TrainStep> {
  checkStepOptions(options);
  const { optimizer, variables, draw, loss, accumulate = false } = options;
  const collector = collectorOf(mixer, options);

  const stack: Stack = {
    wholeKnowsTasks: false,
    ready: () => isWarm(options),
    cut: (count, measure) => cutInto(measure || accumulate ? mixer.microBatches : 1, count),

    async whole(counts, watch) {
      const batch = await watch.time('draw', () => draw(counts));
      try {
        const value = optimizer.minimize(() => loss(batch), true, variables)!;
        const [mean] = await value.data();
        value.dispose();
        return { mean, tasks: null };
      } finally {
        disposeBatch(tf, batch);
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
          } catch (error) {
            tf.dispose(pass.gradients);
            throw error;
          }
          sum = addScaled(tf, sum, pass.gradients, factors[i]);
        }
      } catch (error) {
        tf.dispose(sum);
        throw error;
      }
      return {
        losses,
        step() {
          // In the order of the variables, since optimisers keep their moments by position, and with nothing for a
          // variable that no gradient reached, which they leave alone: just as `minimize` does it.
          try {
            optimizer.applyGradients(variables.map(({ name }) => ({ name, tensor: sum[name] })));
          } finally {
            tf.dispose(sum);
          }
        },
      };
    },
  };
  return () => takeStep(mixer, stack, collector, options);
}
