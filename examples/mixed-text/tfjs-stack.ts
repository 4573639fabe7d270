import * as tf from '@tensorflow/tfjs';
import { createTrainer } from 'pike-mixer/tfjs';
import { ByteModel, defaultShape } from './model.js';
import { Random } from './random.js';
import { drawWindows } from './sources.js';
import type { Learner, LearnerOptions, TextStack } from './stack.js';
import { startWasm } from './wasm-matmul.js';
import { WeightAverage } from './weight-average.js';

/** TensorFlow.js with a network of one hidden layer. */
export async function tfjsStack(): Promise<TextStack> {
  await startWasm();
  const model = new ByteModel(0);
  const { parameters } = model;
  model.dispose();
  return {
    model: `${parameters} parameters, the next byte from the last ${defaultShape.context}`,
    context: defaultShape.context,
    // Large for so small a model: at 96, the noise of one measurement is several hundred times its signal late in a run.
    batchSize: 384,
    learningRate: 2e-3,
    evaluations: 20,
    create: (options) => createLearner(options, 2e-3),
  };
}

function createLearner({ mixer, sources, seed, adaptive }: LearnerOptions, learningRate: number): Learner {
  const model = new ByteModel(seed);
  const average = new WeightAverage(model.variables);
  const optimizer = tf.train.adam(learningRate);
  const random = sources.map((source) => Random.named(seed, 'samples', source.name));
  const step = createTrainer(tf, mixer, {
    draw: (counts) => drawWindows(sources, random, counts),
    loss: (windows) => model.loss(windows),
    variables: model.variables,
    optimizer,
    measure: adaptive,
  });
  return {
    parameters: model.parameters,
    async step() {
      const taken = await step();
      average.update();
      return taken;
    },
    evaluate: async () => average.during(() => sources.map((source) => model.evaluate(source.heldOut))),
    get tensors() {
      return tf.memory().numTensors;
    },
    dispose() {
      optimizer.dispose();
      average.dispose();
      model.dispose();
    },
  };
}
