import { type Model, parameters } from './model.js';
import { classes, type DataSet, width } from './sources.js';

/** The classifier of native/classifier.cu in float64 on the CPU. */
export class HostModel implements Model {
  private readonly weights = new Float64Array(parameters);
  private readonly rows: Float32Array[];
  private readonly meanLosses: Float32Array;

  constructor(
    private readonly data: DataSet,
    rows: number,
  ) {
    this.rows = Array.from({ length: rows }, () => new Float32Array(parameters));
    this.meanLosses = new Float32Array(rows);
  }

  gradient(row: number, samples: Uint32Array): Float32Array {
    const { features, labels } = this.data;
    const biases = classes * width;
    const sums = new Float64Array(parameters);
    let loss = 0;
    for (const sample of samples) {
      const x = features.subarray(sample * width, (sample + 1) * width);
      const logits = Array.from({ length: classes }, (_, c) =>
        x.reduce((sum, value, f) => sum + this.weights[c * width + f]! * value, this.weights[biases + c]!),
      );
      const largest = Math.max(...logits);
      const powers = logits.map((logit) => Math.exp(logit - largest));
      const total = powers.reduce((a, b) => a + b, 0);
      const label = labels[sample]!;
      loss += Math.log(total) - (logits[label]! - largest);
      powers.forEach((power, c) => {
        const residual = power / total - Number(c === label);
        for (let f = 0; f < width; f++) sums[c * width + f]! += residual * x[f]!;
        sums[biases + c]! += residual;
      });
    }
    this.meanLosses[row] = loss / samples.length;
    const gradient = this.rows[row]!;
    gradient.set(sums.map((sum) => sum / samples.length));
    return gradient;
  }

  losses(rows: number): Float32Array {
    return this.meanLosses.slice(0, rows);
  }

  step(row: number, learningRate: number): void {
    const gradient = this.rows[row]!;
    for (let i = 0; i < parameters; i++) this.weights[i]! -= learningRate * gradient[i]!;
  }

  read(row: number): Float32Array {
    return this.rows[row]!.slice();
  }

  dispose(): void {}
}
