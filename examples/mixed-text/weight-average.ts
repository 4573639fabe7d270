import * as tf from '@tensorflow/tfjs';

/** Weight of the past in the average: it reaches back about 50 steps. */
const decay = 0.98;

/**
 * A running average of a model's weights. At a constant learning rate the last step's weights wander around
 * where training has got to, and that wandering (about .01 nats) is as large as the differences between
 * mixtures. Held-out losses are therefore those of the average; training itself never sees it.
 */
export class WeightAverage {
  private readonly averages: tf.Variable[];
  private steps = 0;

  constructor(private readonly variables: readonly tf.Variable[]) {
    this.averages = variables.map((variable) => tf.variable(variable, false));
  }

  /** Call after every training step. */
  update(): void {
    this.steps++;
    // A plain mean until there are enough steps for the decay: the initial weights have no place in it.
    const share = Math.max(1 - decay, 1 / this.steps);
    tf.tidy(() => {
      for (const [i, average] of this.averages.entries())
        average.assign(tf.add(tf.mul(average, 1 - share), tf.mul(this.variables[i]!, share)));
    });
  }

  /** Runs `measure` while the model has the averaged weights. */
  during<T>(measure: () => T): T {
    const current = this.variables.map((variable) => variable.clone());
    try {
      for (const [i, variable] of this.variables.entries()) variable.assign(this.averages[i]!);
      return measure();
    } finally {
      for (const [i, variable] of this.variables.entries()) variable.assign(current[i]!);
      tf.dispose(current);
    }
  }

  dispose(): void {
    tf.dispose(this.averages);
  }
}
