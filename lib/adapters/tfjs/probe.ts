/** Measuring with samples of its own, for loops that cannot be taken apart, such as `model.fitDataset`. */
import type * as tfjs from '@tensorflow/tfjs';
import type { Mixer } from '../../mixer/mixer.js';
import type { UpdateReport } from '../../mixer/report.js';
import { requireFunction } from '../../validate.js';
import { requireMixer } from '../common/checks.js';
import { Stopwatch } from '../common/cost.js';
import { onlyTask } from '../common/micro-batches.js';
import { collectorOf, gradientsOf, isWarm, lossOf, metricOf, writeGradients } from './gradients.js';
import { checkGradientArguments, type GradientOptions } from './options.js';
import { type Batch, disposeAll, drawBatch, type Tf } from './tensors.js';

/**
 * A probe: draws `mixer.microBatches` micro-batches of every task, measures their gradients and updates the
 * weights. It costs samples and passes of its own; `createTrainer` measures on the training batch instead.
 *
 * @param options without `measure` and `accumulate`, which are a trainer's and are refused here
 * @returns a function that resolves to the report, or to null while Adam's metric is not known yet; it rejects with
 *   `ERR_SHAPE`, `ERR_DTYPE` or `ERR_DISPOSED` for what `draw` and `loss` return, and the weights are as before
 * @throws PikeError `ERR_INVALID_OPTION`; `ERR_DTYPE`, `ERR_DISPOSED` for the variables
 */
export function createProbe<B extends Batch>(
  tf: Tf,
  mixer: Mixer,
  options: GradientOptions<B>,
): () => Promise<UpdateReport | null> {
  checkGradientArguments('createProbe', tf, mixer, options);
  const { variables } = options;
  const collector = collectorOf(mixer, options);
  return async () => {
    const { gradients, losses } = mixer.needs;
    if (!gradients) return mixer.update(losses ? { losses: await probeLosses(tf, mixer, options) } : {});
    if (!isWarm(options)) return null;
    const watch = new Stopwatch();
    const samples = mixer.microBatchSize;
    try {
      await collector.begin(await metricOf(tf, options));
      for (const task of activeTasks(mixer))
        for (let i = 0; i < mixer.microBatches; i++) {
          const pass = await gradientsOf(tf, mixer, options, { task, samples }, watch);
          try {
            await collector.add(task, samples, pass.loss, writeGradients(tf, variables, pass.gradients));
          } finally {
            tf.dispose(pass.gradients);
          }
        }
    } catch (error) {
      await collector.abandon();
      throw error;
    }
    return collector.end();
  };
}

/** Numbers of the tasks that are to be measured. */
function activeTasks(mixer: Mixer): number[] {
  return mixer.activeTasks.map((task) => mixer.tasks.indexOf(task));
}

/**
 * The losses of every task on as many samples as its gradients would be measured with, for rules that need no more.
 */
async function probeLosses<B extends Batch>(
  tf: Tf,
  mixer: Mixer,
  options: GradientOptions<B>,
): Promise<Record<string, number>> {
  const losses: Record<string, number> = {};
  for (const task of activeTasks(mixer)) {
    let sum = 0;
    for (let i = 0; i < mixer.microBatches; i++) {
      const counts = onlyTask(mixer.tasks.length, { task, samples: mixer.microBatchSize });
      const { batch, tensors } = await drawBatch(tf, options.draw, counts);
      try {
        const value = tf.tidy(() => lossOf(tf, options, batch));
        try {
          sum += (await value.data())[0];
        } finally {
          value.dispose();
        }
      } finally {
        disposeAll(tensors);
      }
    }
    losses[mixer.tasks[task]] = sum / mixer.microBatches;
  }
  return losses;
}

/**
 * A callback for `model.fit` and `model.fitDataset`: probes when the mixer is due, and puts the weights into
 * the history as `weight_<task>`.
 *
 * @param probe what `createProbe` returned, or a function of your own that measures and updates the mixer
 * @throws PikeError `ERR_INVALID_OPTION`
 */
export function mixerCallback(mixer: Mixer, probe: () => Promise<unknown>): tfjs.CustomCallbackArgs {
  requireMixer(mixer);
  requireFunction('probe', probe);
  return {
    onBatchBegin: async () => {
      if (mixer.due) await probe();
    },
    onEpochEnd: async (_epoch, logs) => {
      const { weights } = mixer;
      if (logs) for (const [k, task] of mixer.tasks.entries()) logs[`weight_${task}`] = weights[k];
    },
  };
}
