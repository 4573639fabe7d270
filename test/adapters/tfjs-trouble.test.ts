/** What goes wrong while a step is taken: nothing is left behind, and the next step is as good as ever. */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { createProbe, createTrainer, drawFrom } from '../../lib/adapters/tfjs.js';
import type { MixerOptions, WeightRule } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { mixerOf } from '../support/small.js';

const setup = (given: Partial<MixerOptions> = {}) => {
  const v = tf.variable(tf.tensor1d([0.5, -0.5]));
  const mixer = mixerOf({ batchSize: 12, microBatches: 3, updateInterval: 1, minWeight: 0, ...given });
  const loss = ({ scale }: { scale: tf.Tensor }) => scale.mul(v.sum()).mean() as tf.Scalar;
  const draw = (counts: Int32Array) => ({
    scale: tf.tensor1d([...new Array(counts[0]).fill(1), ...new Array(counts[1]).fill(5)]),
  });
  return { v, mixer, draw, loss, optimizer: tf.train.sgd(0.1), variables: [v] };
};

/** Throws in its first update, and follows no gradient after it. */
const throwsOnce = (): WeightRule => {
  let first = true;
  return {
    name: 'throws once',
    needs: {},
    init: (K) => ({ logWeights: new Array(K).fill(-Math.log(K)) }),
    update(state) {
      if (!first) return { state };
      first = false;
      throw new Error('the rule broke');
    },
  };
};

describe('tfjs, in trouble', () => {
  beforeAll(async () => {
    tf.env().set('PROD', true);
    await tf.setBackend('cpu');
  });

  it.each(['together', 'streamed'] as const)(
    'a task is retired while its samples are drawn, rows %s',
    async (rows) => {
      for (const make of [createTrainer, createProbe] as const) {
        const { mixer, draw, v, ...rest } = setup();
        const retiring = (counts: Int32Array) => {
          if (counts[1] > 0 && mixer.activeTasks.length === 2) mixer.retire('b');
          return draw(counts);
        };
        const step = make(tf, mixer, { ...rest, draw: retiring, rows } as never) as () => Promise<unknown>;
        await step();
        expect(mixer.activeTasks).toEqual(['a']);
        expect(Array.from(mixer.weights)).toEqual([1, 0]);
        if (make === createTrainer) expect(v.dataSync()[0]).not.toBe(0.5);
        mixer.next();
        await step();
      }
    },
  );

  it.each(['together', 'streamed'] as const)(
    'an update fails, and the next is whole, rows %s',
    async (rows) => {
      for (const make of [createTrainer, createProbe] as const) {
        const { mixer, v: _, ...rest } = setup({ rule: throwsOnce() });
        const step = make(tf, mixer, { ...rest, rows } as never) as () => Promise<unknown>;
        await expect(step()).rejects.toThrow('the rule broke');
        const updates = vi.fn();
        mixer.on('update', updates);
        await step();
        expect(updates).toHaveBeenCalledOnce();
        expect(Array.from(updates.mock.calls[0][0].statistics.microBatches)).toEqual([3, 3]);
      }
    },
  );

  it('one step at a time', async () => {
    const { mixer, v: _, ...rest } = setup();
    const train = createTrainer(tf, mixer, rest);
    const first = train();
    await expectError('ERR_ORDER', /in flight/, train);
    expect(Array.from((await first).report!.statistics.samples)).toEqual([6, 6]);
    await train();
  });

  it('leaves no tensor behind', async () => {
    const broken = () => {
      throw new Error('the optimiser broke');
    };
    const noScalar = ({ scale }: { scale: tf.Tensor }) => scale as never;
    const cases: [string, (s: ReturnType<typeof setup>) => () => Promise<unknown>][] = [
      [
        'a loss per sample',
        ({ mixer, v, ...s }) => createTrainer(tf, mixer, { ...s, loss: () => v as never }),
      ],
      [
        'the same, unmeasured',
        ({ mixer, v, ...s }) => createTrainer(tf, mixer, { ...s, loss: () => v as never, measure: false }),
      ],
      ['no gradient', ({ mixer, v: _, ...s }) => createTrainer(tf, mixer, { ...s, loss: noScalar })],
      [
        'a probe of a loss per sample',
        ({ mixer, v, ...s }) => createProbe(tf, mixer, { ...s, loss: () => v as never }),
      ],
      [
        'an optimiser that throws in a plain step',
        ({ mixer, v: _, ...s }) => {
          vi.spyOn(s.optimizer, 'applyGradients').mockImplementation(broken);
          return createTrainer(tf, mixer, { ...s, measure: false });
        },
      ],
      [
        'sources that do not fit together',
        ({ mixer, v: _, ...s }) => {
          const one = (width: number) => (n: number) => ({ xs: tf.ones([n, 2]), ys: tf.ones([n, width]) });
          return createTrainer(tf, mixer, {
            ...s,
            draw: drawFrom(tf, mixer, { a: one(1), b: one(2) }) as never,
          });
        },
      ],
    ];
    for (const [what, make] of cases) {
      const given = setup();
      const step = make(given);
      const before = tf.memory().numTensors;
      await expect(step(), what).rejects.toThrow();
      expect(tf.memory().numTensors, what).toBe(before);
      given.v.dispose();
    }
  });

  it('a source that returns no tensors is named', async () => {
    const { mixer } = setup();
    const draw = drawFrom(tf, mixer, { a: () => null as never, b: () => ({ xs: [1], ys: [1] }) as never });
    await expectError('ERR_SHAPE', /sources\['a'\] must return \{ xs, ys \}/, () =>
      draw(Int32Array.of(1, 0)),
    );
    await expectError('ERR_SHAPE', /sources\['b'\] must return \{ xs, ys \}/, () =>
      draw(Int32Array.of(0, 1)),
    );
  });
});
