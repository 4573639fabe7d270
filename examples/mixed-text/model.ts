import * as tf from '@tensorflow/tfjs';
import { Random } from './random.js';
import type { Windows } from './sources.js';

export interface ModelShape {
  /** Bytes the model sees. */
  context: number;
  embedding: number;
  hidden: number;
}

/** 109 k parameters. */
export const defaultShape: ModelShape = { context: 16, embedding: 24, hidden: 160 };

const bytes = 256;

/** Samples per forward pass in evaluation: large enough that the cost per call of an operation is small. */
const evaluationBatch = 512;

/**
 * A language model over bytes: the last `context` bytes are embedded, joined, passed through one hidden layer,
 * and give a distribution over the next byte. Two of its operations are written by hand, with their gradients,
 * because on the wasm backend the stock ones are missing (the gradient of an embedding lookup) or the slowest
 * part of the step (a gather of 1500 rows, the logarithm of a softmax).
 */
export class ByteModel {
  readonly variables: tf.Variable[];
  private readonly embedding: tf.Variable<tf.Rank.R2>;
  private readonly hiddenWeights: tf.Variable<tf.Rank.R2>;
  private readonly hiddenBias: tf.Variable<tf.Rank.R1>;
  private readonly outputWeights: tf.Variable<tf.Rank.R2>;
  private readonly outputBias: tf.Variable<tf.Rank.R1>;

  /** The initial weights depend on `seed` and `shape` alone: all runs that are compared start from the same point. */
  constructor(
    seed: number,
    readonly shape: ModelShape = defaultShape,
  ) {
    const { context, embedding, hidden } = shape;
    const width = context * embedding;
    const uniform = (name: string, rows: number, columns: number, limit: number) => {
      const random = Random.named(seed, 'initial weights', name);
      const values = Float32Array.from({ length: rows * columns }, () => (2 * random.uniform() - 1) * limit);
      return tf.tidy(() => tf.variable(tf.tensor2d(values, [rows, columns])));
    };
    const zeros = (length: number) => tf.tidy(() => tf.variable(tf.zeros<tf.Rank.R1>([length])));
    this.embedding = uniform('embedding', bytes, embedding, 1);
    // Small first outputs: whatever a larger start makes of random bytes has to be unlearned again.
    this.hiddenWeights = uniform('hidden', width, hidden, Math.sqrt(3 / width));
    this.hiddenBias = zeros(hidden);
    this.outputWeights = uniform('output', hidden, bytes, 0.1 * Math.sqrt(3 / hidden));
    this.outputBias = zeros(bytes);
    this.variables = [
      this.embedding,
      this.hiddenWeights,
      this.hiddenBias,
      this.outputWeights,
      this.outputBias,
    ];
  }

  get parameters(): number {
    return this.variables.reduce((sum, variable) => sum + variable.size, 0);
  }

  /** Mean cross-entropy of the next byte, in nats. */
  loss(windows: Windows): tf.Scalar {
    return tf.tidy(() => crossEntropy(this.logits(windows), windows.targets));
  }

  /** The mean loss over any number of windows, without gradients, in batches. */
  evaluate(windows: Windows): number {
    const { count, contexts, targets } = windows;
    const { context } = this.shape;
    let sum = 0;
    for (let from = 0; from < count; from += evaluationBatch) {
      const to = Math.min(from + evaluationBatch, count);
      const part = {
        count: to - from,
        contexts: contexts.subarray(from * context, to * context),
        targets: targets.subarray(from, to),
      };
      sum += tf.tidy(() => this.loss(part).dataSync()[0]!) * part.count;
    }
    return sum / count;
  }

  dispose(): void {
    for (const variable of this.variables) variable.dispose();
  }

  private logits({ contexts, count }: Windows): tf.Tensor2D {
    const { context, embedding } = this.shape;
    const input = embed(this.embedding, contexts).reshape([count, context * embedding]) as tf.Tensor2D;
    const hidden = tf.fused.matMul({
      a: input,
      b: this.hiddenWeights,
      bias: this.hiddenBias,
      activation: 'relu',
    });
    return tf.fused.matMul({ a: hidden, b: this.outputWeights, bias: this.outputBias }) as tf.Tensor2D;
  }
}

/** One row of `table` for each byte; its gradient adds each incoming row to the row it came from. */
function embed(table: tf.Tensor2D, indices: Uint8Array): tf.Tensor2D {
  const width = table.shape[1];
  const lookup = tf.customGrad((x) => {
    const rows = (x as tf.Tensor2D).dataSync<'float32'>();
    const values = new Float32Array(indices.length * width);
    for (let i = 0; i < indices.length; i++) {
      const row = indices[i]! * width;
      values.set(rows.subarray(row, row + width), i * width);
    }
    return {
      value: tf.tensor2d(values, [indices.length, width]),
      gradFunc: (dy: tf.Tensor) =>
        tf.scatterND(tf.tensor2d(Int32Array.from(indices), [indices.length, 1], 'int32'), dy, [bytes, width]),
    };
  });
  return lookup(table) as tf.Tensor2D;
}

/** Mean of −log softmax(logits)[target]; its gradient is (softmax − one-hot)/n. */
function crossEntropy(logits: tf.Tensor2D, targets: Uint8Array): tf.Scalar {
  const count = targets.length;
  const entropy = tf.customGrad((x) => {
    const probabilities = tf.softmax(x as tf.Tensor2D).dataSync<'float32'>();
    let sum = 0;
    // The smallest normal float stands for anything below it: at worst a loss of 87 nats for that sample. A NaN
    // passes through Math.max, so a diverged model stays visible.
    for (let i = 0; i < count; i++)
      sum -= Math.log(Math.max(probabilities[i * bytes + targets[i]!]!, 1.2e-38));
    return {
      value: tf.scalar(sum / count),
      gradFunc: (dy: tf.Tensor) => {
        const delta = probabilities.slice();
        for (let i = 0; i < count; i++) delta[i * bytes + targets[i]!]! -= 1;
        return tf.mul(tf.tensor2d(delta, [count, bytes]), tf.div(dy, count));
      },
    };
  });
  return entropy(logits) as tf.Scalar;
}
