/** Every function for TensorFlow.js refuses every wrong argument, and nothing has changed then. */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import {
  adamPreconditioner,
  createProbe,
  createTrainer,
  drawFrom,
  mixedDataset,
  mixerCallback,
} from '../../lib/adapters/tfjs.js';
import { MixedSource, Mixer } from '../../lib/index.js';
import { expectRefused, type Kind, misplaced, type Place } from '../support/arguments.js';
import { expectError } from '../support/expect.js';
import { mixerOf } from '../support/small.js';

beforeAll(async () => {
  tf.env().set('PROD', true);
  await tf.setBackend('cpu');
});

// biome-ignore lint/suspicious/noExplicitAny: what is wrong has no type
type Any = any;

const v = tf.variable(tf.tensor1d([0.5, -0.5]));
const mixer = mixerOf();
const optimizer = tf.train.adam(0.1);
const source = (n: number) => ({ xs: tf.ones([n, 1]), ys: tf.ones([n, 1]) });
const probed = {
  draw: (counts: Int32Array) => ({ x: tf.ones([counts[0] + counts[1]]) }),
  loss: ({ x }: { x: tf.Tensor }) => x.mul(v.sum()).mean() as tf.Scalar,
  variables: [v],
  optimizer,
};
const trained = { ...probed, measure: true, accumulate: true };
const sources = { a: source, b: source };

const trainer = (options: Any) => createTrainer(tf, mixer, { ...trained, ...options });
const probe = (options: Any) => createProbe(tf, mixer, { ...probed, ...options });
const dataset = (options: Any) => mixedDataset(tf, mixer, { draw: probed.draw, ...options });

const watched = () => [mixer.state(), Array.from(v.dataSync()), optimizer.iterations, tf.memory().numTensors];

/** Places of one call's options. */
const optionsOf = (
  name: string,
  call: (options: Any) => unknown,
  right: Record<string, readonly Kind[]>,
): Place[] =>
  Object.entries(right).map(([option, kinds]) => [
    `${name}: ${option}`,
    (value) => call({ [option]: value }),
    kinds,
  ]);
const ofGradients = { draw: ['a function'], loss: ['a function'], variables: [] } as const;
const chosen = { metric: ['nothing'], rows: ['nothing'] } as const;

const places: Place[] = [
  ['createTrainer: tf', (x) => createTrainer(x as Any, mixer, trained)],
  ['createTrainer: mixer', (x) => createTrainer(tf, x as Any, trained)],
  // An object of options without any lacks the first that it must have.
  ['createTrainer: options', (x) => createTrainer(tf, mixer, x as Any)],
  ...optionsOf('createTrainer', trainer, {
    ...ofGradients,
    ...chosen,
    optimizer: [],
    measure: ['nothing', 'a boolean'],
    accumulate: ['nothing', 'a boolean'],
  }),
  ['createProbe: tf', (x) => createProbe(x as Any, mixer, probed)],
  ['createProbe: mixer', (x) => createProbe(tf, x as Any, probed)],
  ['createProbe: options', (x) => createProbe(tf, mixer, x as Any)],
  ...optionsOf('createProbe', probe, { ...ofGradients, ...chosen, optimizer: ['nothing'] }),
  ['mixedDataset: tf', (x) => mixedDataset(x as Any, mixer, probed)],
  ['mixedDataset: mixer', (x) => mixedDataset(tf, x as Any, { draw: probed.draw })],
  ['mixedDataset: options', (x) => mixedDataset(tf, mixer, x as Any)],
  ...optionsOf('mixedDataset', dataset, { draw: ['a function'], batches: ['nothing'] }),
  ['mixerCallback: mixer', (x) => mixerCallback(x as Any, async () => {})],
  ['mixerCallback: probe', (x) => mixerCallback(mixer, x as Any), ['a function']],
  ['drawFrom: tf', (x) => drawFrom(x as Any, mixer, sources)],
  ['drawFrom: mixer', (x) => drawFrom(tf, x as Any, sources)],
  ['drawFrom: sources', (x) => drawFrom(tf, mixer, x as Any), ['a list']],
  ['drawFrom: a source', (x) => drawFrom(tf, mixer, { ...sources, b: x as Any }), ['a function']],
  ['a draw of drawFrom: counts', (x) => drawFrom(tf, mixer, sources)(x as Any)],
  ['adamPreconditioner: optimizer', (x) => adamPreconditioner(x as Any, [v])],
  ['adamPreconditioner: variables', (x) => adamPreconditioner(optimizer, x as Any)],
];

describe('refuse, and change nothing', () => {
  it.each(misplaced(places))('%s is %s', async (_, __, call) => {
    await expectRefused(call, watched);
  });
});

describe('name what is misspelt, and what there is', () => {
  it.each([
    [
      'createTrainer',
      () => trainer({ acumulate: true }),
      /createTrainer has no option "acumulate".*accumulate/,
    ],
    ['createProbe', () => probe({ metrics: 'plain' }), /createProbe has no option "metrics".*metric/],
    ['createProbe, as a trainer', () => probe({ measure: true }), /createProbe has no option "measure"/],
    ['mixedDataset', () => dataset({ batch: 3 }), /mixedDataset has no option "batch".*draw, batches/],
    [
      'drawFrom',
      () => drawFrom(tf, mixer, { ...sources, c: source }),
      /sources names "c", which is no task.*a, b/,
    ],
  ])('%s', async (_, call, message) => {
    const before = watched();
    await expectError('ERR_INVALID_OPTION', message, call);
    expect(watched()).toEqual(before);
  });
});

describe('say what to do', () => {
  const layer = tf.layers.dense({ units: 1, inputShape: [1] });
  const mixed = new MixedSource({ mixer: mixerOf(), sources: { a: [1], b: [2] } });
  const gone = tf.variable(tf.scalar(1));
  gone.dispose();
  const whole = tf.variable(tf.tensor1d([1, 2], 'int32'));
  const frozen = tf.variable(tf.scalar(1), false);
  layer.build([null, 1]);
  const { data: _, ...core } = tf;
  it.each([
    [
      'no variable',
      'ERR_INVALID_OPTION',
      { variables: [] },
      /at least one tf\.Variable, but is an array of length 0/,
    ],
    [
      'a layer’s',
      'ERR_INVALID_OPTION',
      { variables: layer.trainableWeights },
      /\[0\] must be a tf\.Variable.*read\(\)/,
    ],
    [
      'a tensor',
      'ERR_INVALID_OPTION',
      { variables: [v, tf.scalar(1)] },
      /variables\[1\] must be a tf\.Variable/,
    ],
    [
      'a variable twice',
      'ERR_INVALID_OPTION',
      { variables: [v, v] },
      /variables must all be different, but \[0\] and \[1\]/,
    ],
    [
      'frozen variables',
      'ERR_INVALID_OPTION',
      { variables: [frozen] },
      /variables must hold a trainable one/,
    ],
    ['whole numbers', 'ERR_DTYPE', { variables: [whole] }, /variables\[0\].*must be float32, but is int32/],
    ['a disposed variable', 'ERR_DISPOSED', { variables: [v, gone] }, /variables\[1\].*was disposed/],
    [
      'the name of an optimiser',
      'ERR_INVALID_OPTION',
      { optimizer: 'adam' },
      /tf\.train\.adam.*but is "adam"/,
    ],
  ] as const)('%s', async (_, code, options, message) => {
    const before = watched();
    await expectError(code, message, () => trainer(options));
    await expectError(code, message, () => probe(options));
    expect(watched()).toEqual(before);
  });

  it.each([
    [
      'a MixedSource for its mixer',
      () => createTrainer(tf, mixed as Any, trained),
      /mixer must be a Mixer.*pass the mixer of/,
    ],
    [
      'the options of a mixer for one',
      () => createTrainer(tf, { tasks: ['a', 'b'], batchSize: 8 } as Any, trained),
      /mixer must be a Mixer/,
    ],
    ['a part of TensorFlow.js', () => mixedDataset(core as Any, mixer, probed), /no tf\.data/],
    ['no batches', () => dataset({ batches: 0 }), /batches must be a positive integer, but is 0/],
  ])('%s', async (_, call, message) => {
    await expectError('ERR_INVALID_OPTION', message, call);
  });

  it('a name that every object has is no source', async () => {
    const named = new Mixer({ tasks: ['a', 'toString'], batchSize: 8, backend: 'reference' });
    await expectError('ERR_INVALID_OPTION', /sources\['toString'\] must be a function.*undefined/, () =>
      drawFrom(tf, named, { a: source }),
    );
  });

  it.each([
    ['too few', [3], /counts must be 2 numbers of samples.*but is an array of length 1/],
    ['less than none', [3, -1], /counts must be 2 numbers/],
    ['parts of samples', [1.5, 1], /counts must be 2 numbers/],
    ['none at all', [0, 0], /at least one sample/],
  ])('counts: %s', async (_, counts, message) => {
    const asked = vi.fn(source);
    const draw = drawFrom(tf, mixer, { a: asked, b: asked });
    await expectError('ERR_SHAPE', message, () => draw(counts as Any));
    expect(asked).not.toHaveBeenCalled();
  });
});

it('a mixer of another copy of the package, and a part of tf that is enough, will do', async () => {
  vi.resetModules();
  const { Mixer: Other } = await import('../../lib/index.js');
  const other = new Other({ tasks: ['a', 'b'], batchSize: 8, backend: 'reference' });
  expect(other).not.toBeInstanceOf(Mixer);
  const { report } = await createTrainer({ ...tf }, other, { ...probed, optimizer: tf.train.sgd(0.1) })();
  expect(Array.from(report!.statistics.samples)).toEqual([4, 4]);
  mixerCallback(other, createProbe(tf, other, probed));
  mixedDataset(tf, other, { draw: drawFrom(tf, other, sources), batches: 2 });
});
