/** Every function for jax-js refuses every wrong argument, and nothing has changed then. */
import * as jax from '@jax-js/jax';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { adamPreconditioner, createTrainer, readGradient } from '../../lib/adapters/jax.js';
import { MixedSource, Mixer } from '../../lib/index.js';
import { expectRefused, type Kind, misplaced, type Place } from '../support/arguments.js';
import { expectError } from '../support/expect.js';
import { adam, liveBuffers, sgd } from '../support/jax.js';
import { mixerOf } from '../support/small.js';

const { numpy: np, tree } = jax;

// biome-ignore lint/suspicious/noExplicitAny: what is wrong has no type
type Any = any;

const mixer = mixerOf();
const params = { w: np.array(Float32Array.of(1, 2, 3)) };
const state = { count: np.array(3, { dtype: np.uint32 }), nu: { w: np.array(Float32Array.of(1, 4)) } };
const freed = np.array(Float32Array.of(1, 2));
freed.dispose();
const whole = np.array(Int32Array.of(1, 2));
const cyclic: { self?: object } = {};
cyclic.self = cyclic;

afterAll(() => tree.dispose([params, state, whole] as never));

const given = {
  params,
  optimizer: sgd(0.1),
  draw: (counts: Int32Array) => ({ x: new Float32Array(counts[0] + counts[1]).fill(1) }),
  losses: ({ w }: typeof params, { x }: { x: jax.Array }) => w.sum().mul(x) as jax.Array,
};
const trainer = (options: Any) => createTrainer(jax, mixer, { ...given, ...options });
const starting = (init: unknown) => (p: typeof params) => {
  tree.dispose(p);
  return init;
};

const watched = () => [
  mixer.state(),
  liveBuffers(),
  params.w.refCount,
  state.count.refCount,
  state.nu.w.refCount,
];

const ofTrainer = (right: Record<string, readonly Kind[]>): Place[] =>
  Object.entries(right).map(([option, kinds]) => [
    `createTrainer: ${option}`,
    (value) => trainer({ [option]: value }),
    kinds,
  ]);
/** What `jit` takes. */
const trees = ['a number', 'a boolean', 'an object', 'an empty list', 'a list'] as const;

const places: Place[] = [
  ['createTrainer: jax', (x) => createTrainer(x as Any, mixer, given)],
  ['createTrainer: mixer', (x) => createTrainer(jax, x as Any, given)],
  ['createTrainer: options', (x) => createTrainer(jax, mixer, x as Any)],
  ...ofTrainer({
    params: [],
    optimizer: [],
    optimizerState: ['nothing', ...trees],
    draw: ['a function'],
    losses: ['a function'],
    metric: ['nothing'],
    rows: ['nothing'],
    adam: ['nothing', 'an object', 'a list', 'a promise'],
    jitOptimizer: ['nothing', 'a boolean'],
    measure: ['nothing', 'a boolean'],
    accumulate: ['nothing', 'a boolean'],
  }),
  [
    'createTrainer: what init returns',
    (x) => trainer({ optimizer: { ...given.optimizer, init: starting(x) } }),
    trees,
  ],
  ['createTrainer: adam.b2', (x) => trainer({ adam: { b2: x } }), ['nothing']],
  ['createTrainer: adam.eps', (x) => trainer({ adam: { eps: x } }), ['nothing', 'a number']],
  ['readGradient: jax', (x) => readGradient(x as Any, params)],
  ['readGradient: gradients', (x) => readGradient(jax, x as Any)],
  ['adamPreconditioner: jax', (x) => adamPreconditioner(x as Any, state)],
  ['adamPreconditioner: state', (x) => adamPreconditioner(jax, x), ['null', 'a promise', ...trees]],
  [
    'adamPreconditioner: options',
    (x) => adamPreconditioner(jax, state, x as Any),
    ['nothing', 'an object', 'a list', 'a promise'],
  ],
];

describe('refuse, and change nothing', () => {
  it.each(misplaced(places))('%s is %s', async (_, __, call) => {
    await expectRefused(call, watched);
  });
});

describe('say what to do', () => {
  const mixed = new MixedSource({ mixer: mixerOf(), sources: { a: [1], b: [2] } });
  it.each([
    [
      'a misspelt option',
      'ERR_INVALID_OPTION',
      () => trainer({ acumulate: true }),
      /createTrainer has no option "acumulate".*accumulate/,
    ],
    [
      'a misspelt constant',
      'ERR_INVALID_OPTION',
      () => adamPreconditioner(jax, state, { beta2: 0.9 } as Any),
      /adam has no option "beta2".*b2, eps/,
    ],
    [
      'a MixedSource for its mixer',
      'ERR_INVALID_OPTION',
      () => createTrainer(jax, mixed as Any, given),
      /mixer must be a Mixer.*pass the mixer of/,
    ],
    [
      'parameters that are gone',
      'ERR_DISPOSED',
      () => trainer({ params: { w: freed } }),
      /params holds an array that was disposed or consumed/,
    ],
    [
      'one array for two parameters',
      'ERR_DISPOSED',
      () => trainer({ params: [params.w, params.w] }),
      /params holds an array 2 times, which has 1 references: hand in array\.ref/,
    ],
    [
      'a state that is gone',
      'ERR_DISPOSED',
      () => trainer({ optimizerState: [freed] }),
      /optimizerState holds an array that was disposed/,
    ],
    [
      'a state that is gone, not compiled',
      'ERR_DISPOSED',
      () => trainer({ optimizerState: [freed], jitOptimizer: false }),
      /optimizerState holds an array that was disposed/,
    ],
    [
      'a state with text',
      'ERR_INVALID_OPTION',
      () => trainer({ optimizerState: [{ name: 'adam' }] }),
      /optimizerState must be .*holds "adam".*jitOptimizer: false/,
    ],
    [
      'a state that holds itself',
      'ERR_INVALID_OPTION',
      () => trainer({ optimizerState: cyclic }),
      /optimizerState must be a tree.*hold itself/,
    ],
    [
      'parameters that hold themselves',
      'ERR_INVALID_OPTION',
      () => trainer({ params: cyclic }),
      /params must be a tree.*hold itself/,
    ],
    [
      'gradients that are gone',
      'ERR_DISPOSED',
      () => readGradient(jax, [freed]),
      /gradients holds an array that was disposed/,
    ],
    [
      'moments that are gone',
      'ERR_DISPOSED',
      () => adamPreconditioner(jax, { ...state, nu: [freed] }),
      /state holds an array that was disposed/,
    ],
    [
      'moments that are whole',
      'ERR_DTYPE',
      () => adamPreconditioner(jax, { ...state, nu: [whole] }),
      /nu of the state must be float32, but holds an array of int32/,
    ],
    [
      'moments that are numbers',
      'ERR_INVALID_OPTION',
      () => adamPreconditioner(jax, { ...state, nu: 3 }),
      /nu of the state must be an array of jax-js.*holds 3/,
    ],
  ] as const)('%s', async (_, code, call, message) => {
    const before = watched();
    await expectError(code, message, call);
    expect(watched()).toEqual(before);
  });
});

it('a state that init returned and that is none is freed', async () => {
  const init = (p: typeof params) => starting([np.array(Float32Array.of(1, 2)), 'text'])(p);
  const before = watched();
  await expectError('ERR_INVALID_OPTION', /What optimizer\.init returned must be .*holds "text"/, () =>
    trainer({ optimizer: { ...given.optimizer, init } }),
  );
  expect(watched()).toEqual(before);
});

it('a state that init returned and that holds itself is refused, and freed', async () => {
  const init = (p: typeof params) => {
    const loop: { count: jax.Array; self?: object } = { count: np.array(Float32Array.of(1, 2)) };
    loop.self = [loop];
    return starting(loop)(p);
  };
  const before = watched();
  await expectError('ERR_INVALID_OPTION', /What optimizer\.init returned must be a tree.*hold itself/, () =>
    trainer({ optimizer: { ...given.optimizer, init } }),
  );
  expect(watched()).toEqual(before);
});

it('a state that is only borrowed may hold an array twice by one reference', async () => {
  const second = np.array(Float32Array.of(1, 4));
  const count = np.array(3, { dtype: np.uint32 });
  const diagonal = await adamPreconditioner(jax, { count, nu: [second, second], mu: [count] });
  expect(diagonal).toHaveLength(2);
  expect(diagonal![0]).toEqual(diagonal![1]);
  expect([second.refCount, count.refCount]).toEqual([1, 1]);
  tree.dispose([second, count] as never);
});

it('a state of any kind will do for an optimiser that is not compiled', async () => {
  const plain = sgd(0.1);
  const own = new Map([['steps', 0]]);
  const optimizer = {
    init: starting(own),
    update: (gradients: Any, steps: unknown, p: Any) =>
      [plain.update(gradients, [], p)[0], steps] as [Any, unknown],
  };
  using trained = trainer({ params: { w: np.array(Float32Array.of(1)) }, optimizer, jitOptimizer: false });
  await trained.step();
  expect(trained.optimizerState()).toBe(own);
});

it('a mixer of another copy of the package will do', async () => {
  vi.resetModules();
  const { Mixer: Other } = await import('../../lib/index.js');
  const other = new Other({ tasks: ['a', 'b'], batchSize: 8, backend: 'reference' });
  expect(other).not.toBeInstanceOf(Mixer);
  using trained = createTrainer(jax, other, {
    ...given,
    params: { w: np.array(Float32Array.of(1, 2, 3)) },
    optimizer: adam(0.1),
    metric: 'plain',
  });
  const { report } = await trained.step();
  expect(Array.from(report!.statistics.samples)).toEqual([4, 4]);
});
