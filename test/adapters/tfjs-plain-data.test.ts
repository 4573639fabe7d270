/** Plain data in a batch costs next to nothing: counted by what is read of it, not by time. */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { tensorsOf } from '../../lib/adapters/tfjs/tensors.js';
import { createTrainer } from '../../lib/adapters/tfjs.js';
import { mixerOf } from '../support/small.js';

beforeAll(async () => {
  tf.env().set('PROD', true);
  await tf.setBackend('cpu');
});

/** Counts what is read of objects, and how often for their keys. */
function counter() {
  const seen = { reads: 0, keys: 0 };
  const watched = <T extends object>(value: T): T =>
    new Proxy(value, {
      get(target, name, receiver) {
        if (typeof name === 'string' && Object.hasOwn(target, name) && name !== 'length') seen.reads++;
        return Reflect.get(target, name, receiver);
      },
      ownKeys(target) {
        seen.keys++;
        return Reflect.ownKeys(target);
      },
    });
  return { seen, watched };
}

describe('tensors are looked for', () => {
  it.each([
    ['numbers', () => Array.from({ length: 1000 }, (_, i) => i)],
    ['texts', () => new Array(1000).fill('a text')],
    ['truth values', () => new Array(1000).fill(false)],
  ])('not in a list of %s, of which one element is read', (_, list) => {
    const { seen, watched } = counter();
    expect(tensorsOf(tf, { list: watched(list()) })).toEqual([]);
    expect(seen).toEqual({ reads: 1, keys: 0 });
  });

  it('not in rows of numbers: each is read once, and one element of it', () => {
    const { seen, watched } = counter();
    const rows = Array.from({ length: 20 }, () => watched(new Array<number>(128).fill(1)));
    expect(tensorsOf(tf, { rows: watched(rows) })).toEqual([]);
    // The first row twice: it tells that the list is no plain data.
    expect(seen).toEqual({ reads: 1 + 20 + 20, keys: 0 });
  });

  it('not by asking every number or list whether it is a tensor', () => {
    const asked: unknown[] = [];
    const Tensor = {
      [Symbol.hasInstance](value: unknown) {
        asked.push(value);
        return false;
      },
    };
    const gap = [null, 1, 2, 3];
    const batch = { gap, 5: 5, name: 'a', none: undefined };
    expect(tensorsOf({ ...tf, Tensor } as never, batch)).toEqual([]);
    expect(asked).toEqual([batch]);
  });

  it('in what may hold them, with their paths', () => {
    const [a, b, c, d] = [1, 2, 3, 4].map((x) => tf.scalar(x));
    const batch = { a, lists: [[], [b, { c }], 3], gaps: [undefined, null, d], plain: [1, tf.scalar(5)] };
    expect(tensorsOf(tf, batch).map(([path]) => path)).toEqual(['a', 'lists.1.0', 'lists.1.1.c', 'gaps.2']);
    // A batch that is itself a list is looked through, whatever it begins with.
    expect(tensorsOf(tf, [0.5, a]).map(([path]) => path)).toEqual(['1']);
    expect(tensorsOf(tf, a)).toEqual([['', a]]);
    expect(tensorsOf(tf, new Float32Array(3))).toEqual([]);
  });
});

it('a draw is walked once', async () => {
  const { seen, watched } = counter();
  const v = tf.variable(tf.scalar(0.5));
  const train = createTrainer(tf, mixerOf(), {
    draw: (counts) => watched({ xs: tf.ones([counts[0] + counts[1]]), rows: [[1, 2]] }),
    loss: () => v.square() as tf.Scalar,
    variables: [v],
    optimizer: tf.train.sgd(0.1),
    measure: false,
  });
  await train();
  const before = tf.memory().numTensors;
  seen.reads = seen.keys = 0;
  await train();
  expect(seen).toEqual({ reads: 2, keys: 1 });
  expect(tf.memory().numTensors).toBe(before);
});
