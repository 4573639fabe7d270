import * as jax from '@jax-js/jax';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  adamPreconditioner,
  createTrainer,
  readGradient,
  type TrainerOptions,
} from '../../lib/adapters/jax.js';
import type { Mixer } from '../../lib/index.js';
import { expectError, largestDifference } from '../support/expect.js';
import { adam, liveBuffers, sgd } from '../support/jax.js';
import { mixerOf } from '../support/small.js';

const { numpy: np, tree } = jax;

type Params = { w: jax.Array };
type Samples = { x: Float32Array };

const initial = (): Params => ({ w: np.array(Float32Array.of(1, 2, 3)) });
const ones = (counts: Int32Array): Samples => ({ x: new Float32Array(counts[0] + counts[1]).fill(1) });
const losses = ({ w }: Params, { x }: { x: jax.Array }) => w.sum().mul(x) as jax.Array;

const optionsOf = (options: object = {}): TrainerOptions<Params, Samples> => ({
  params: 'params' in options ? (options.params as Params) : initial(),
  optimizer: sgd(0.1),
  draw: ones,
  losses,
  ...options,
});
const trainerOf = (mixer: Mixer, options: object = {}) =>
  createTrainer<Params, Samples>(jax, mixer, optionsOf(options));

let before: number;
beforeEach(() => {
  before = liveBuffers();
});
afterEach(() => {
  expect(liveBuffers(), 'buffers left behind').toBe(before);
});

describe('options', () => {
  it.each([
    ['no jax-js', /first argument must be jax-js itself/, {}, {}],
    ['a misspelt option', /createTrainer has no option "parms"/, { parms: 1 }],
    ['no draw', /draw must be a function/, { draw: undefined }],
    ['no losses', /losses must be a function/, { losses: 3 }],
    ['no optimiser', /optimizer must have the functions init and update/, { optimizer: { init() {} } }],
    ['a metric that there is not', /metric must be one of/, { metric: 'adam' }],
    ['rows that there are not', /rows must be one of/, { rows: 'all' }],
    ['a constant that there is not', /adam has no option "beta2"/, { adam: { beta2: 0.9 } }],
    ['a decay of one', /adam\.b2 must be a number from 0 to/, { adam: { b2: 1 } }],
    ['a negative ε', /adam\.eps must be a number >= 0/, { adam: { eps: -1 } }],
    ['a flag that is none', /jitOptimizer must be true or false/, { jitOptimizer: 1 }],
    ['another flag that is none', /accumulate must be true or false/, { accumulate: 'yes' }],
    ['no parameters', /params must hold at least one array/, { params: {} }],
    ['parameters that are no arrays', /params must be an array of jax-js.*but holds 3/, { params: { w: 3 } }],
  ])('refuse %s, and consume nothing', async (_, message, options, given: unknown = jax) => {
    const all = optionsOf(options) as TrainerOptions<Params, Samples>;
    await expectError('ERR_INVALID_OPTION', message, () =>
      createTrainer(given as typeof jax, mixerOf(), all),
    );
    for (const leaf of tree.leaves(all.params as never) as unknown[])
      if (leaf instanceof jax.Array) {
        expect(leaf.refCount).toBe(1);
        leaf.dispose();
      }
  });

  it('refuse parameters that are not float32', async () => {
    const params = { w: np.array(Int32Array.of(1, 2)) };
    await expectError('ERR_DTYPE', /params must be float32, but holds an array of int32/, () =>
      trainerOf(mixerOf(), { params }),
    );
    params.w.dispose();
  });

  it('refuse second moments of other parameters', async () => {
    const params = initial();
    const optimizerState = adam(0.1).init({ w: np.array(Float32Array.of(1, 2)) });
    await expectError(
      'ERR_SHAPE',
      /second moments of the optimiser have 2 elements, but the parameters 3/,
      () => trainerOf(mixerOf(), { params, optimizer: adam(0.1), optimizerState }),
    );
    tree.dispose([params, optimizerState] as never);
  });

  it('of an optimiser that cannot start pass its error on', () => {
    const params = initial();
    const optimizer = {
      ...sgd(0.1),
      init: () => {
        throw new Error('no start');
      },
    };
    expect(() => trainerOf(mixerOf(), { params, optimizer })).toThrow('no start');
    expect(params.w.refCount).toBe(1);
    params.w.dispose();
  });
});

describe('an error in a step', () => {
  const failing = {
    'of draw': {
      draw: () => {
        throw new Error('out of luck');
      },
    },
    'of losses': {
      losses: () => {
        throw new Error('out of luck');
      },
    },
    'of the optimiser': {
      optimizer: {
        ...sgd(0.1),
        update: () => {
          throw new Error('out of luck');
        },
      },
    },
    'of an optimiser that is not compiled': {
      optimizer: {
        ...sgd(0.1),
        update: () => {
          throw new Error('out of luck');
        },
      },
      jitOptimizer: false,
    },
  };
  for (const [what, options] of Object.entries(failing))
    for (const updateInterval of [1, 1000])
      it(`${what}, ${updateInterval === 1 ? 'measuring' : 'not measuring'}: nothing moves and nothing is left behind`, async () => {
        const mixer = mixerOf({ updateInterval });
        if (updateInterval > 1) {
          mixer.next();
          mixer.next();
        }
        using trainer = trainerOf(mixer, options);
        const weights = mixer.weights;
        const held = liveBuffers();
        for (let i = 0; i < 2; i++) await expect(trainer.step()).rejects.toThrow('out of luck');
        expect(liveBuffers()).toBe(held);
        expect(await readGradient(jax, trainer.params())).toEqual([Float32Array.of(1, 2, 3)]);
        expect(mixer.weights).toEqual(weights);
      });

  it('in the middle of a measurement: the next one is whole', async () => {
    for (const rows of ['together', 'streamed']) {
      const mixer = mixerOf({ updateInterval: 1 });
      let draws = 0;
      const draw = (counts: Int32Array) => {
        if (++draws === 6) throw new Error('out of luck');
        return ones(counts);
      };
      using trainer = trainerOf(mixer, { draw, rows });
      await expect(trainer.step()).rejects.toThrow('out of luck');
      expect(await readGradient(jax, trainer.params())).toEqual([Float32Array.of(1, 2, 3)]);
      const { report } = await trainer.step();
      expect(report!.missed).toEqual([]);
      expect(Array.from(report!.statistics.samples)).toEqual([4, 4]);
    }
  });

  it('of the mixer reaches the caller, and leaves nothing behind', async () => {
    const mixer = mixerOf({ updateInterval: 1 });
    using trainer = trainerOf(mixer, { rows: 'streamed' });
    vi.spyOn(mixer, 'observe').mockRejectedValueOnce(new Error('no'));
    const held = liveBuffers();
    await expect(trainer.step()).rejects.toThrow('no');
    expect(liveBuffers()).toBe(held);
  });
});

describe('what losses and draw return', () => {
  it.each([
    [
      'a mean',
      (p: Params, b: { x: jax.Array }) => losses(p, b).mean(),
      /losses must return one loss for each of 8 samples.*one of shape \[\]/,
    ],
    ['a column', (p: Params, b: { x: jax.Array }) => losses(p, b).reshape([-1, 1]), /one of shape \[8, 1\]/],
    [
      'nothing',
      (p: Params, b: { x: jax.Array }) => {
        losses(p, b).dispose();
      },
      /but returned undefined/,
    ],
  ])('losses: not %s', async (_, wrong, message) => {
    const mixer = mixerOf();
    mixer.next();
    mixer.next();
    using trainer = trainerOf(mixer, { losses: wrong });
    await expectError('ERR_SHAPE', message, () => trainer.step());
  });

  it.each([
    [
      'nothing',
      (): unknown => undefined,
      'ERR_DTYPE',
      /draw must return an object of typed arrays by name, but returned undefined/,
    ],
    ['a bare array', () => new Float32Array(8), 'ERR_DTYPE', /must return an object of typed arrays/],
    ['an empty object', () => ({}), 'ERR_SHAPE', /an object without arrays/],
    ['plain lists', () => ({ x: [1, 2] }), 'ERR_DTYPE', /'x' is an array of length 2/],
    ['doubles', () => ({ x: new Float64Array(8) }), 'ERR_DTYPE', /'x' is an object of type Float64Array/],
    [
      'too few samples',
      () => ({ x: new Float32Array(7) }),
      'ERR_SHAPE',
      /asked for 8 samples, but 'x' has 7 elements/,
    ],
    ['no sample', () => ({ x: new Float32Array(0) }), 'ERR_SHAPE', /but 'x' has 0 elements/],
  ] as const)('draw: not %s', async (_, draw, code, message) => {
    const mixer = mixerOf();
    mixer.next();
    mixer.next();
    using trainer = trainerOf(mixer, { draw });
    await expectError(code, message, () => trainer.step());
  });

  it('draw: not samples of another width than before', async () => {
    let width = 1;
    const draw = (counts: Int32Array) => ({ x: new Float32Array(width * (counts[0] + counts[1])) });
    using trainer = trainerOf(mixerOf(), { draw });
    await trainer.step();
    width = 2;
    await expectError('ERR_SHAPE', /draw returned x: 2 elements per sample, but x: 1 before/, () =>
      trainer.step(),
    );
  });

  it('draw: twice as many from the first batch on are samples of two elements', async () => {
    const shapes: number[][] = [];
    using trainer = trainerOf(mixerOf(), {
      draw: (counts: Int32Array) => ({ x: new Float32Array(2 * (counts[0] + counts[1])) }),
      losses: ({ w }: { w: jax.Array }, { x }: { x: jax.Array }) => {
        shapes.push(x.shape);
        return x.sum(1).mul(w.sum());
      },
      measure: false,
    });
    await trainer.step();
    expect(shapes).toEqual([[8, 2]]);
  });

  it('integers of few bits arrive as they are, and padding has no part in the result', async () => {
    // 1/x of a padding of zeros would be infinite, and 0 · ∞ is NaN.
    const draw = (counts: Int32Array) => ({
      x: new Uint8Array(counts[0] + counts[1]).fill(200),
      y: Int8Array.from({ length: 2 * (counts[0] + counts[1]) }, () => -3),
    });
    const seen: unknown[] = [];
    const mixer = mixerOf({ updateInterval: 1, microBatchSize: 5 });
    using trainer = createTrainer(jax, mixer, {
      params: initial(),
      optimizer: sgd(1),
      draw,
      losses: ({ w }, { x, y }): jax.Array => {
        seen.push([x.dtype, x.shape, y.dtype, y.shape]);
        return w
          .sum()
          .mul(np.reciprocal(x.astype(np.float32)))
          .mul(y.astype(np.float32).sum(1)) as jax.Array;
      },
    });
    const { loss, report } = await trainer.step();
    expect(seen).toEqual([['int32', [5], 'int32', [5, 2]]]);
    expect(loss).toBeCloseTo((6 / 200) * -6, 6);
    expect(report!.statistics.variance[0]).toBeCloseTo(0, 10);
    const [moved] = await readGradient(jax, trainer.params());
    for (const [i, value] of moved.entries()) expect(value).toBeCloseTo(i + 1 + 6 / 200, 6);
  });
});

describe('a trainer', () => {
  it('takes one step at a time', async () => {
    using trainer = trainerOf(mixerOf());
    const first = trainer.step();
    await expectError('ERR_ORDER', /step was called while a step is in flight/, () => trainer.step());
    await expectError('ERR_ORDER', /dispose was called while a step is in flight/, () => trainer.dispose());
    expect((await first).report).not.toBeNull();
    await trainer.step();
  });

  it('that was disposed refuses every call', async () => {
    const trainer = trainerOf(mixerOf());
    trainer.dispose();
    trainer.dispose();
    for (const call of [() => trainer.step(), () => trainer.params(), () => trainer.optimizerState()])
      await expectError('ERR_DISPOSED', /trainer was disposed/, call);
  });

  it('with measure: false leaves the weights alone', async () => {
    using trainer = trainerOf(mixerOf(), { measure: false });
    expect((await trainer.step()).report).toBeNull();
  });

  it('runs an optimiser as it is if it cannot be compiled', async () => {
    const optimizer = sgd(0.1);
    const scheduled = {
      init: (params: Params) => {
        tree.dispose(params);
        return { count: np.array(0, { dtype: np.uint32 }) };
      },
      update: (gradients: Params, { count }: { count: jax.Array }, params: Params) => {
        const steps = count.item();
        const [updates] = optimizer.update(gradients as never, [], params as never);
        return [
          tree.map((u: jax.Array) => u.mul(1 / (steps + 1)) as jax.Array, updates as never),
          { count: np.array(steps + 1, { dtype: np.uint32 }) },
        ] as [Params, unknown];
      },
    };
    using trainer = trainerOf(mixerOf(), { optimizer: scheduled, jitOptimizer: false });
    for (const gone of [0.1, 0.15]) {
      await trainer.step();
      expect((await readGradient(jax, trainer.params()))[0][0]).toBeCloseTo(1 - gone, 5);
    }
    using compiled = trainerOf(mixerOf(), { optimizer: scheduled });
    await expect(compiled.step()).rejects.toThrow();
  });

  it('tells what a step costs, by part', async () => {
    using trainer = trainerOf(mixerOf());
    const { cost, report } = await trainer.step();
    expect(report).not.toBeNull();
    for (const part of ['next', 'draw', 'observe', 'update', 'passes'] as const)
      expect(cost[part]).toBeGreaterThan(0);
    expect((await trainer.step()).cost.observe).toBe(0);
  });
});

it('runs on the cpu backend of jax-js as well', async () => {
  const moved: Float32Array[] = [];
  for (const device of ['wasm', 'cpu'] as const) {
    jax.defaultDevice(device);
    try {
      using trainer = trainerOf(mixerOf({ updateInterval: 2 }), { optimizer: adam(0.1), metric: 'plain' });
      const { w } = trainer.params();
      expect(w.device).toBe(device);
      w.dispose();
      for (let step = 0; step < 3; step++) await trainer.step();
      moved.push((await readGradient(jax, trainer.params()))[0]);
    } finally {
      jax.defaultDevice('wasm');
    }
  }
  expect(largestDifference(moved[0], moved[1])).toBeLessThan(1e-6);
});

describe('readGradient', () => {
  it('consumes a tree of gradients', async () => {
    const gradients = { a: np.array(Float32Array.of(1, 2)), b: [np.array(Float32Array.of(3, 4))] };
    expect(await readGradient(jax, gradients)).toEqual([Float32Array.of(1, 2), Float32Array.of(3, 4)]);
    expect(() => gradients.a.ref).toThrow(/freed/);
  });

  it('refuses what is no gradient, and leaves it alone', async () => {
    const whole = np.array(Int32Array.of(1, 2));
    await expectError('ERR_DTYPE', /gradients must be float32, but holds an array of int32/, () =>
      readGradient(jax, { whole }),
    );
    whole.dispose();
    await expectError('ERR_INVALID_OPTION', /gradients must hold at least one array/, () =>
      readGradient(jax, []),
    );
  });
});

it('adamPreconditioner finds the moments in a chain, and nothing where there are none', async () => {
  for (const state of [[], { count: 3 }, null, [[], {}], np.array(Float32Array.of(1, 2))] as never[]) {
    expect(await adamPreconditioner(jax, state)).toBeNull();
    tree.dispose(state);
  }
  const nested = [
    [],
    [{ count: np.array(1, { dtype: np.uint32 }), nu: { w: np.array(Float32Array.of(0, 4)) } }],
  ];
  const [diagonal] = (await adamPreconditioner(jax, nested, { b2: 0, eps: 0 }))!;
  expect(Array.from(diagonal)).toEqual([0, 0.5]);
  tree.dispose(nested as never);
});
