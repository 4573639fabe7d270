import type { Sample } from './sources.js';

/**
 * A network with one hidden layer (ReLU) and a softmax over classes, with gradients by hand. All parameters lie in one
 * array, and so do those of a gradient: that is all a Mixer needs to know of a model.
 */
export class Network {
  readonly parameters: Float32Array;

  /** @param random uniform on [0, 1) */
  constructor(
    private readonly inputs: number,
    private readonly hidden: number,
    private readonly classes: number,
    random: () => number,
  ) {
    this.parameters = new Float32Array((inputs + 1) * hidden + (hidden + 1) * classes);
    const { first, last } = this.layers(this.parameters);
    // He et al. 2015, and a last layer that begins undecided.
    for (let i = 0; i < inputs * hidden; i++) first[i] = (random() - 0.5) * Math.sqrt(24 / inputs);
    for (let i = 0; i < hidden * classes; i++) last[i] = (random() - 0.5) * Math.sqrt(1 / hidden);
  }

  /** Writes the gradient of the mean loss over `samples`, and returns that loss. */
  gradient(samples: readonly Sample[], gradient: Float32Array): number {
    const { inputs, hidden, classes } = this;
    const { first, firstBias, last, lastBias } = this.layers(this.parameters);
    const to = this.layers(gradient.fill(0));
    const h = new Float64Array(hidden);
    const p = new Float64Array(classes);
    let loss = 0;
    for (const { x, label } of samples) {
      for (let j = 0; j < hidden; j++) {
        let sum = firstBias[j]!;
        for (let i = 0; i < inputs; i++) sum += first[j * inputs + i]! * x[i]!;
        h[j] = Math.max(0, sum);
      }
      loss += this.softmax(h, last, lastBias, p, label);
      p[label]! -= 1;
      for (let c = 0; c < classes; c++) {
        p[c]! /= samples.length;
        to.lastBias[c]! += p[c]!;
        for (let j = 0; j < hidden; j++) to.last[c * hidden + j]! += p[c]! * h[j]!;
      }
      for (let j = 0; j < hidden; j++) {
        if (h[j] === 0) continue;
        let sum = 0;
        for (let c = 0; c < classes; c++) sum += p[c]! * last[c * hidden + j]!;
        to.firstBias[j]! += sum;
        for (let i = 0; i < inputs; i++) to.first[j * inputs + i]! += sum * x[i]!;
      }
    }
    return loss / samples.length;
  }

  /** A step of gradient descent: by `size`, against the gradient. */
  step(gradient: Float32Array, size: number): void {
    for (let i = 0; i < gradient.length; i++) this.parameters[i]! -= size * gradient[i]!;
  }

  /** Probabilities of the classes into `p`; returns the loss of the sample. */
  private softmax(
    h: Float64Array,
    last: Float32Array,
    bias: Float32Array,
    p: Float64Array,
    label: number,
  ): number {
    let largest = -Infinity;
    for (let c = 0; c < p.length; c++) {
      let sum = bias[c]!;
      for (let j = 0; j < h.length; j++) sum += last[c * h.length + j]! * h[j]!;
      p[c] = sum;
      largest = Math.max(largest, sum);
    }
    const logit = p[label]! - largest;
    let total = 0;
    for (let c = 0; c < p.length; c++) {
      p[c] = Math.exp(p[c]! - largest);
      total += p[c]!;
    }
    for (let c = 0; c < p.length; c++) p[c]! /= total;
    return Math.log(total) - logit;
  }

  /** Views of the layers in an array of all parameters. */
  private layers(all: Float32Array) {
    const { inputs, hidden, classes } = this;
    const lengths = [inputs * hidden, hidden, hidden * classes, classes];
    let start = 0;
    const [first, firstBias, last, lastBias] = lengths.map((length) => {
      start += length;
      return all.subarray(start - length, start);
    });
    return { first: first!, firstBias: firstBias!, last: last!, lastBias: lastBias! };
  }
}
