import { classes, inputs, type Sample } from './sources.js';

/** A softmax regression with gradients by hand. */
export class Classifier {
  /** A row of weights and a bias for each class. */
  readonly parameters = new Float64Array(classes * (inputs + 1));

  /** The gradient of the mean loss over `samples`, and that loss. */
  gradient(samples: readonly Sample[]): { gradient: Float64Array; loss: number } {
    const gradient = new Float64Array(this.parameters.length);
    let loss = 0;
    for (const { x, label } of samples) {
      const powers = Array.from({ length: classes }, (_, c) => {
        const row = c * (inputs + 1);
        return Math.exp(
          x.reduce(
            (sum, value, j) => sum + this.parameters[row + j]! * value,
            this.parameters[row + inputs]!,
          ),
        );
      });
      const total = powers.reduce((a, b) => a + b, 0);
      loss -= Math.log(powers[label]! / total) / samples.length;
      for (const [c, power] of powers.entries()) {
        const residual = (power / total - Number(c === label)) / samples.length;
        const row = c * (inputs + 1);
        for (const [j, value] of x.entries()) gradient[row + j]! += residual * value;
        gradient[row + inputs]! += residual;
      }
    }
    return { gradient, loss };
  }

  step(gradient: Float64Array, learningRate: number): void {
    for (let i = 0; i < gradient.length; i++) this.parameters[i]! -= learningRate * gradient[i]!;
  }
}
