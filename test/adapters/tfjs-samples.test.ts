/** A batch of TensorFlow.js is the samples that were asked for, in whatever form, or nothing is done with it. */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createProbe, createTrainer, drawFrom, mixedDataset } from '../../lib/adapters/tfjs.js';
import type { MixerOptions } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { mixerOf } from '../support/small.js';

beforeAll(async () => {
  tf.env().set('PROD', true);
  await tf.setBackend('cpu');
});

type Draw = (counts: Int32Array) => object;

/** Forms of n samples, and the first tensor in them. */
const forms: Record<string, { of: (n: number) => object; first: (batch: never) => tf.Tensor }> = {
  'a tensor': { of: (n) => tf.ones([n, 2]), first: (batch: tf.Tensor) => batch },
  'a list': { of: (n) => [tf.ones([n]), tf.ones([n, 1])], first: ([x]: tf.Tensor[]) => x },
  'a record': {
    of: (n) => ({ xs: tf.ones([n, 2]), ys: tf.ones([n]) }),
    first: ({ xs }: { xs: tf.Tensor }) => xs,
  },
  'an object of a class': {
    of: (n) =>
      new (class {
        xs = tf.ones([n]);
      })(),
    first: ({ xs }: { xs: tf.Tensor }) => xs,
  },
  'a record of lists and records': {
    of: (n) => ({
      xs: [tf.ones([n]), { mask: tf.ones([n, 2]) }],
      names: ['a'],
      at: new Date(),
      ids: new Uint8Array(n),
    }),
    first: ({ xs }: { xs: [tf.Tensor] }) => xs[0],
  },
  'a record with a scalar': {
    of: (n) => ({ temperature: tf.scalar(2), xs: tf.ones([n]) }),
    first: ({ xs }: { xs: tf.Tensor }) => xs,
  },
};

const sum = (counts: Int32Array) => counts.reduce((a, b) => a + b, 0);

function setup(options: Partial<MixerOptions> = {}) {
  const v = tf.variable(tf.tensor1d([0.5]));
  const mixer = mixerOf({ updateInterval: 1, ...options });
  const optimizer = tf.train.adam(0.1);
  return { v, mixer, optimizer };
}

/** Everything that asks for a batch. */
const users: Record<
  string,
  (s: ReturnType<typeof setup>, draw: Draw, loss: never) => () => Promise<unknown>
> = {
  'a measuring step': ({ v, mixer, optimizer }, draw, loss) =>
    createTrainer(tf, mixer, { draw, loss, variables: [v], optimizer, metric: 'plain' }),
  'a measuring step, streamed': ({ v, mixer, optimizer }, draw, loss) =>
    createTrainer(tf, mixer, { draw, loss, variables: [v], optimizer, metric: 'plain', rows: 'streamed' }),
  'a plain step': ({ v, mixer, optimizer }, draw, loss) =>
    createTrainer(tf, mixer, { draw, loss, variables: [v], optimizer, measure: false }),
  'an accumulating step': ({ v, mixer, optimizer }, draw, loss) =>
    createTrainer(tf, mixer, { draw, loss, variables: [v], optimizer, measure: false, accumulate: true }),
  'a probe': ({ v, mixer }, draw, loss) => createProbe(tf, mixer, { draw, loss, variables: [v] }),
  'a probe of losses': ({ v }, draw, loss) =>
    createProbe(tf, mixerOf({ rule: 'odm' }), { draw, loss, variables: [v] }),
  'a dataset': ({ mixer }, draw) => {
    const iterator = mixedDataset(tf, mixer, { draw }).iterator();
    return async () => tf.dispose((await (await iterator).next()).value);
  },
};

const table = Object.keys(users).flatMap((user) => Object.keys(forms).map((form) => [user, form] as const));

describe.each([
  ['more', 1],
  ['fewer', -1],
])('%s samples than were asked for are an error', (_, off) => {
  it.each(table)('in %s, as %s', async (user, form) => {
    const { of, first } = forms[form];
    const given = setup();
    const { v, mixer, optimizer } = given;
    const loss = (batch: never) => first(batch).mean().mul(v.square().sum());
    let wrong = false;
    const run = users[user](given, (counts) => of(sum(counts) + (wrong ? off : 0)), loss as never);
    await run();
    const watched = () => [tf.memory().numTensors, v.dataSync()[0], optimizer.iterations, mixer.weights];
    const before = watched();
    wrong = true;
    const message =
      /draw was asked for \d+ samples, but of the tensors it returned none .* first axis: .*\[\d+(, \d)?\]\./;
    await expectError('ERR_SHAPE', message, run);
    expect(watched()).toEqual(before);
    wrong = false;
    await run();
    expect(tf.memory().numTensors).toBe(before[0]);
  });
});

describe('tensors that are laid out otherwise, beside one that has the samples along its first axis', () => {
  it.each([
    ['time-major sequences', (n) => ({ xs: tf.ones([5, n, 3]), ys: tf.ones([n]) })],
    ['a mask', (n) => [tf.ones([5, 5]), tf.ones([n, 5])]],
    ['packed tokens', (n) => ({ tokens: tf.ones([3 * n + 1]), lengths: tf.ones([n], 'int32') })],
    ['a graph', (n) => ({ graph: { edges: tf.ones([17, 2]), nodes: [tf.ones([n, 4])] } })],
  ] as [string, (n: number) => object][])('will do, and are freed: %s', async (_, of) => {
    for (const use of Object.values(users)) {
      const given = setup();
      const drawn: object[] = [];
      const draw = (counts: Int32Array) => {
        drawn.push(of(sum(counts)));
        return drawn[drawn.length - 1];
      };
      const run = use(given, draw, (() => given.v.square().sum()) as never);
      await run();
      const before = tf.memory().numTensors;
      drawn.length = 0;
      await run();
      expect(drawn.length).toBeGreaterThan(0);
      expect(tf.memory().numTensors).toBe(before);
    }
  });
});

it('three samples for two are not measured as two', async () => {
  const { v, mixer, optimizer } = setup({ batchSize: 16 });
  const train = createTrainer(tf, mixer, {
    draw: (counts) => ({ x: tf.ones([Math.ceil(1.5 * sum(counts))]) }),
    loss: ({ x }: { x: tf.Tensor }) => x.mul(v).mean() as tf.Scalar,
    variables: [v],
    optimizer,
    metric: 'plain',
  });
  await expectError('ERR_SHAPE', /asked for 2 samples, but .* none has .*: 'x' of \[3\]\.$/, train);
});

describe('what is no batch', () => {
  it.each([
    ['nothing', () => undefined, 'ERR_DTYPE', /draw must return a batch, an object, but returned undefined/],
    ['null', () => null, 'ERR_DTYPE', /but returned null/],
    ['a number', async () => 8, 'ERR_DTYPE', /but returned 8/],
    [
      'one that is wrong deep down',
      (n: number) => ({ xs: [tf.scalar(1), { b: tf.ones([n + 1]) }] }),
      'ERR_SHAPE',
      /first axis: 'xs\.1\.b' of \[\d\]\.$/,
    ],
  ] as const)('%s', async (_, of, code, message) => {
    for (const use of Object.values(users)) {
      const given = setup();
      const run = use(
        given,
        ((counts: Int32Array) => of(sum(counts))) as never,
        (() => given.v.sum()) as never,
      );
      const before = tf.memory().numTensors;
      await expectError(code, message, run);
      expect(tf.memory().numTensors).toBe(before);
    }
  });

  it('one of which no tensor tells the number of samples: all shapes are told, or the first seven', async () => {
    const { v, mixer, optimizer } = setup({ batchSize: 8 });
    const steps = (count: number) =>
      createTrainer(tf, mixer, {
        draw: () => ({ ids: tf.ones([2, 7]), more: Array.from({ length: count }, () => tf.ones([3])) }),
        loss: () => v.square().sum() as tf.Scalar,
        variables: [v],
        optimizer,
        measure: false,
      });
    const before = tf.memory().numTensors;
    await expectError('ERR_SHAPE', /: 'ids' of \[2, 7\], 'more\.0' of \[3\]\.$/, steps(1));
    await expectError('ERR_SHAPE', /'more\.5' of \[3\], 3 more\.$/, steps(9));
    expect(tf.memory().numTensors).toBe(before);
  });

  it('one that was used, and so disposed, before', async () => {
    for (const use of Object.values(users)) {
      const given = setup();
      const kept = new Map<number, object>();
      const draw = (counts: Int32Array) => {
        const n = sum(counts);
        if (!kept.has(n)) kept.set(n, { xs: tf.ones([n]) });
        return kept.get(n)!;
      };
      const run = use(given, draw, (({ xs }: { xs: tf.Tensor }) => xs.mul(given.v).mean()) as never);
      const twice = async () => {
        await run();
        await run();
      };
      await expectError(
        'ERR_DISPOSED',
        /draw returned a tensor 'xs' that was disposed.*return a clone/,
        twice,
      );
    }
  });

  it('tensors that an object among its values holds stay', async () => {
    const { v, mixer, optimizer } = setup();
    const model = new (class {
      table = tf.ones([3]);
    })();
    const cyclic: { xs?: tf.Tensor; self?: object; model: object } = { model };
    cyclic.self = cyclic;
    const train = createTrainer(tf, mixer, {
      draw: (counts) => ({ ...cyclic, xs: tf.ones([sum(counts)]) }),
      loss: ({ xs }) => xs.mul(v).mean() as tf.Scalar,
      variables: [v],
      optimizer,
    });
    await train();
    expect(model.table.isDisposed).toBe(false);
  });
});

/** Leaves much to free: each operation saves tensors for the backward pass, which never comes. */
const squares = (xs: tf.Tensor, v: tf.Tensor) => tf.square(xs.mul(v)).mean();
/** Has no gradient, as some operations of TensorFlow.js have none on some backends. */
const oneWay = tf.customGrad((x) => ({
  value: (x as tf.Tensor).clone(),
  gradFunc: () => {
    throw new Error('no way back');
  },
}));
const pause = () => new Promise((resolve) => setTimeout(resolve));

describe('a loss that is no mean changes nothing, and leaves no tensor', () => {
  it.each([
    ['of every sample', (xs, v) => squares(xs, v).mul(xs), /loss must return.*returned one of shape \[\d\]/],
    ['in a list', (xs, v) => squares(xs, v).reshape([1]), /of shape \[1\]/],
    ['as a number', (xs, v) => squares(xs, v).dataSync()[0], /but returned [\d.]+\./],
    ['later', async (xs, v) => squares(xs, v), /but returned an object of type Promise/],
    [
      'much later',
      async (xs, v) => {
        squares(xs, v);
        await pause();
        return tf.scalar(1);
      },
      /an object of type Promise/,
    ],
    [
      'later, in vain',
      async (xs, v) => {
        squares(xs, v);
        await pause();
        throw new Error('too late');
      },
      /an object of type Promise/,
    ],
    ['never', (xs, v) => void squares(xs, v), /but returned undefined/],
    [
      'since it throws',
      (xs, v) => {
        squares(xs, v);
        throw new Error('out of luck');
      },
      /^out of luck$/,
    ],
    ['without a way back', (xs, v) => oneWay(squares(xs, v)), /^no way back$/],
  ] as [string, (xs: tf.Tensor, v: tf.Variable) => unknown, RegExp][])('%s', async (name, loss, message) => {
    for (const [user, use] of Object.entries(users)) {
      if (user === 'a dataset' || (user === 'a probe of losses' && name === 'without a way back')) continue;
      const given = setup();
      const lossOf = ({ xs }: { xs: tf.Tensor }) => loss(xs, given.v);
      const run = use(given, (counts) => ({ xs: tf.ones([sum(counts)]) }), lossOf as never);
      const watched = () => [tf.memory().numTensors, given.v.dataSync()[0], given.optimizer.iterations];
      const before = watched();
      if (message.source.startsWith('^')) await expect(run(), user).rejects.toThrow(message);
      else await expectError('ERR_SHAPE', message, run);
      await pause();
      await pause();
      expect(watched(), user).toEqual(before);
    }
  });
});

describe('drawFrom', () => {
  const one = (n: number) => ({ xs: tf.ones([n, 2]), ys: tf.ones([n]) });
  it.each([
    [
      'ERR_SHAPE',
      'other shapes',
      (n: number) => ({ xs: tf.ones([n, 3]), ys: tf.ones([n]) }),
      /sources\['b'\] returned xs of float32 \[n, 3\], but a source before it float32 \[n, 2\]/,
    ],
    [
      'ERR_DTYPE',
      'other types',
      (n: number) => ({ xs: tf.ones([n, 2]), ys: tf.ones([n], 'int32') }),
      /returned ys of int32 \[n\], but a source before it float32 \[n\]/,
    ],
    [
      'ERR_SHAPE',
      'scalars',
      () => ({ xs: tf.scalar(1), ys: tf.scalar(1) }),
      /sources\['b'\] must return \{ xs, ys \}, two tensors of samples/,
    ],
    [
      'ERR_SHAPE',
      'no targets',
      (n: number) => ({ xs: tf.ones([n, 2]) }),
      /sources\['b'\] must return \{ xs, ys \}/,
    ],
    [
      'ERR_SHAPE',
      'too few targets',
      (n: number) => ({ xs: tf.ones([n, 2]), ys: tf.ones([n - 1]) }),
      /asked for 2 samples, but returned a tensor 'ys' of shape \[1\]/,
    ],
  ] as const)('%s names the source of %s, and frees all', async (code, _, other, message) => {
    const draw = drawFrom(tf, mixerOf(), { a: one, b: other as never });
    const before = tf.memory().numTensors;
    await expectError(code, message, () => draw(Int32Array.of(1, 2)));
    expect(tf.memory().numTensors).toBe(before);
  });

  it('names a source that returns what was used before', async () => {
    const kept = one(2);
    const draw = drawFrom(tf, mixerOf(), { a: () => kept, b: one });
    tf.dispose(await draw(Int32Array.of(2, 1)));
    await expectError('ERR_DISPOSED', /sources\['a'\] returned a tensor 'xs' that was disposed/, () =>
      draw(Int32Array.of(2, 1)),
    );
  });
});
