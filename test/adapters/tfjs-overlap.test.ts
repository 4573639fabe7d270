import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { createTrainer } from '../../lib/adapters/tfjs.js';
import { mixerOf } from '../support/small.js';

beforeAll(async () => {
  tf.env().set('PROD', true);
  await tf.setBackend('cpu');
});

/** One variable, and an optimiser that tells when it is at work. */
function setup(atStep: () => void) {
  const v = tf.variable(tf.tensor1d([0.5, -0.5]));
  const mixer = mixerOf({ updateInterval: 1, backend: 'auto' });
  const optimizer = tf.train.sgd(0.1);
  const apply = optimizer.applyGradients.bind(optimizer);
  vi.spyOn(optimizer, 'applyGradients').mockImplementation((gradients) => {
    atStep();
    apply(gradients);
  });
  const train = createTrainer(tf, mixer, {
    draw: (counts) => ({ counts }),
    loss: ({ counts }: { counts: Int32Array }) =>
      v
        .square()
        .sum()
        .mul(1 + counts[0]) as tf.Scalar,
    variables: [v],
    optimizer,
  });
  return { v, mixer, train };
}

describe('the optimiser’s step', () => {
  it('is taken while the rows are measured', async () => {
    let taken = () => {};
    const step = new Promise<void>((resolve) => {
      taken = resolve;
    });
    const { mixer, train } = setup(() => taken());
    const { measure } = mixer;
    // A measurement that ends after the step: waited for first, it would never end.
    const watched = vi.spyOn(mixer, 'measure').mockImplementation(async (...args) => {
      await step;
      return measure.apply(mixer, args);
    });
    expect((await train()).report!.missed).toEqual([]);
    expect(watched).toHaveBeenCalledOnce();
  });

  it('that throws reaches the caller, after the measurement has ended', async () => {
    const { mixer, train } = setup(() => {
      throw new Error('no step');
    });
    const tensors = tf.memory().numTensors;
    const updates: number[] = [];
    mixer.on('update', ({ step }) => updates.push(step));
    await expect(train()).rejects.toThrow('no step');
    expect(updates).toEqual([1]);
    expect(tf.memory().numTensors).toBe(tensors);
    await expect(train()).rejects.toThrow('no step');
  });

  it('is kept when the measurement fails, whose error reaches the caller', async () => {
    const { v, mixer, train } = setup(() => {});
    vi.spyOn(mixer, 'measure').mockRejectedValueOnce(new Error('no measure'));
    const [before] = v.dataSync();
    const weights = mixer.weights;
    await expect(train()).rejects.toThrow('no measure');
    expect(v.dataSync()[0]).not.toBe(before);
    expect(mixer.weights).toEqual(weights);
    expect((await train()).report!.missed).toEqual([]);
  });
});
