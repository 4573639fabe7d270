/** Mixers of gradients in the memory of (emulated) GPUs: one launch, failures, kinds of memory, owners, states. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadAddon } from '../../lib/backends/load-addon.js';
import {
  type DeviceTensor,
  type Gradient,
  Mixer,
  type MixerOptions,
  type MixerState,
  type MixerWarning,
  rules,
} from '../../lib/index.js';
import { DEVICES, type EmulatedGpus, emulatedGpus } from '../support/emulated.js';
import { expectError } from '../support/expect.js';
import { row, samples } from '../support/small.js';

let gpus: EmulatedGpus;
beforeAll(async () => {
  gpus = await emulatedGpus();
}, 240_000);
afterEach(() => {
  vi.restoreAllMocks();
  gpus.freeAll();
});

const bound = { smoothness: 0.5 };

/** Gradients of two tasks, of which the first has the larger. */
const two = (placement: Parameters<EmulatedGpus['put']>[1] = {}): DeviceTensor[][][] => [
  [gpus.put(row(4, 3), placement), gpus.put(row(4, 5), placement)],
  [gpus.put(row(1, 1), placement), gpus.put(row(1, 0), placement)],
];
const mixerOf = (options: Partial<MixerOptions> = {}) =>
  new Mixer({ tasks: ['a', 'b'], batchSize: 8, smoothing: 0, ...options });

describe('one launch', () => {
  it('measures and solves', async () => {
    const mixer = mixerOf();
    for (let i = 0; i < 3; i++) {
      const rows = two();
      const { kernels } = gpus.emulator.counters();
      await mixer.measure(rows, { samples });
      expect(gpus.emulator.counters().kernels).toBe(kernels + 1);
    }
    expect(mixer.weights[0]).toBeGreaterThan(0.5);
  });

  it('does not solve for what it cannot: another rule of the same name, or more tasks than it takes', async () => {
    const launches = vi.spyOn(loadAddon().addon!, 'deviceMoments');
    const update = vi.fn(rules.pike.update);
    await mixerOf({ rule: { ...rules.pike, update } }).measure(two(), { samples });
    expect(update).toHaveBeenCalledOnce();

    const many = Array.from({ length: 129 }, (_, k) => `task${k}`);
    const mixer = new Mixer({ tasks: many, batchSize: 258, smoothing: 0 });
    const rows = many.map((_, k) => [row(k, 1), row(k, 2)].map((g) => gpus.put(g)));
    await mixer.measure(rows, { samples: rows.map(() => [1, 1]) });
    expect(mixer.weights[128]).toBeGreaterThan(mixer.weights[0]);
    expect(launches.mock.calls.map(([request]) => request.update)).toEqual([null, null]);
  });

  it('is not asked for weights where the rule lacks something, which it then says', async () => {
    const launches = vi.spyOn(loadAddon().addon!, 'deviceMoments');
    for (const [rule, message] of [
      ['mirror', /needs learningRate/],
      ['balanced', /needs the tasks' losses/],
    ] as const) {
      const mixer = mixerOf({ rule, ...bound });
      const before = mixer.state();
      await expectError('ERR_INVALID_OPTION', message, () => mixer.measure(two(), { samples }));
      expect({ ...mixer.state(), origin: before.origin }).toEqual(before);
    }
    expect(launches.mock.calls.map(([request]) => request.update)).toEqual([null, null]);
    await mixerOf({ rule: 'mirror', ...bound, learningRate: 0.1 }).measure(two(), { samples });
    expect(launches.mock.calls[2][0].update).not.toBeNull();
  });
});

describe('standard errors', () => {
  /** Tasks of three micro-batches of four elements. */
  const rowsOf = (tasks: number) =>
    Array.from({ length: tasks }, (_, k) => [row(k, 3, 1, 0), row(k + 1, 5, 0, 1), row(k, 4, 2, 2)]);
  const sizes = (tasks: number) => Array.from({ length: tasks }, () => [1, 1, 1]);
  const names = (tasks: number) => Array.from({ length: tasks }, (_, k) => `task${k}`);
  const put = (rows: Float32Array[][]) => rows.map((task) => task.map((gradient) => gpus.put(gradient)));

  it('come out of the launch that solves, as the reference has them', async () => {
    for (const inner of [false, true]) {
      const options = { tasks: names(3), batchSize: 9, inner };
      const device = new Mixer(options);
      const reference = new Mixer({ ...options, backend: 'reference' });
      const launches = vi.spyOn(loadAddon().addon!, 'deviceMoments');
      for (let update = 0; update < 2; update++) {
        const actual = await device.measure(put(rowsOf(3)), { samples: sizes(3) });
        const expected = await reference.measure(rowsOf(3), { samples: sizes(3) });
        for (const of of ['statistics', 'smoothed'] as const)
          for (const kind of ['normSquared', 'variance'] as const) {
            const [own, wanted] = [actual, expected].map((report) => report[of].standardError![kind]);
            expect(wanted[0]).toBeGreaterThan(0.1);
            own.forEach((x, k) => {
              expect(x).toBeCloseTo(wanted[k], 5);
            });
          }
        expect(actual.heterogeneity).toBeCloseTo(expected.heterogeneity!, 5);
      }
      expect(launches.mock.calls.every(([request]) => request.update !== null)).toBe(true);
      launches.mockRestore();
    }
  });

  it('are not known of more rows than one launch takes', async () => {
    const mixer = new Mixer({ tasks: names(43), batchSize: 43, inner: true });
    const report = await mixer.measure(put(rowsOf(43)), { samples: sizes(43) });
    expect([report.missed, report.statistics.standardError, report.heterogeneity]).toEqual([[], null, null]);
    mixer.dispose();
  });

  it('are heeded on the host: with significance the launch only measures', async () => {
    const launches = vi.spyOn(loadAddon().addon!, 'deviceMoments');
    const options = { tasks: names(3), batchSize: 9, significance: 50, priorPull: 0 };
    const report = await new Mixer(options).measure(put(rowsOf(3)), { samples: sizes(3) });
    expect(report.held).toEqual(names(3));
    expect(report.weights[0]).toBeCloseTo(1 / 3, 12);
    expect(launches.mock.calls.map(([request]) => request.update)).toEqual([null]);
  });
});

describe('what fails leaves a mixer as it was', () => {
  const metrics: [string, () => Gradient][] = [
    ['an address that is none', () => ({ ...gpus.put(row(1, 1))[0], pointer: 0x100n })],
    ['a negative metric', () => gpus.put(row(1, -1))],
  ];
  it.each(metrics)('%s', async (_, metric) => {
    const mixer = mixerOf();
    const before = mixer.state();
    const rows = two();
    const preconditioner = metric();
    const call = [
      () => mixer.measure(rows, { samples, preconditioner }),
      () => mixer.observe('a', rows[0][0], { samples: 1, preconditioner }),
    ];
    for (const fails of call) await expectError('ERR_INVALID_OPTION', /preconditioner/, fails);
    expect({ ...mixer.state(), origin: before.origin }).toEqual(before);
    expect((await mixer.measure(rows, { samples })).missed).toEqual([]);
  });

  it('a GPU that is not there', async () => {
    const mixer = mixerOf();
    const before = mixer.state();
    const elsewhere = two().map((task) => task.map((list) => list.map((t) => ({ ...t, device: 9 }))));
    await expectError('ERR_INVALID_OPTION', /no GPU 9/, () => mixer.measure(elsewhere, { samples }));
    await expectError('ERR_INVALID_OPTION', /no GPU 9/, () =>
      mixer.observe('a', elsewhere[0][0], { samples: 1 }),
    );
    expect(mixer.state()).toEqual(before);
    await mixer.measure(
      [
        [row(1), row(2)],
        [row(1), row(2)],
      ],
      { samples },
    );
    expect(mixer.backend.name).toBe('cpu');
  });

  it('an abort', async () => {
    const mixer = mixerOf();
    const before = mixer.state();
    const controller = new AbortController();
    const rows = two();
    gpus.emulator.hold();
    const ahead = mixerOf().measure(rows, { samples });
    const call = mixer.measure(rows, { samples, signal: controller.signal });
    const reason = new Error('enough');
    await new Promise((begun) => setTimeout(begun, 5));
    controller.abort(reason);
    gpus.emulator.resume();
    await expect(call).rejects.toBe(reason);
    expect({ ...mixer.state(), origin: before.origin }).toEqual(before);
    expect(mixer.due).toBe(true);
    await ahead;
  });

  it('memory that is not there', async () => {
    const mixer = mixerOf({ inner: true });
    // Shapes that no plan is there for yet.
    const big = () => gpus.put(new Float32Array(50_000).fill(1));
    const rows = [
      [big(), big()],
      [big(), big()],
    ];
    const before = mixer.state();
    gpus.limitMemory(1);
    await expectError('ERR_MEMORY', /memory/i, () => mixer.observe('a', rows[0][0], { samples: 1 }));
    await expectError('ERR_MEMORY', /memory/i, () => mixer.measure(rows, { samples }));
    gpus.limitMemory();
    expect({ ...mixer.state(), origin: before.origin }).toEqual(before);
    expect((await mixer.measure(rows, { samples })).missed).toEqual([]);
  });
});

describe('one kind of memory', () => {
  const host = [
    [row(4, 3), row(4, 5)],
    [row(1, 1), row(1, 0)],
  ];

  it('is that of the first measurement, and of one GPU', async () => {
    const onGpu = mixerOf();
    // What fails decides nothing, and no more does what is discarded.
    await onGpu.observe('a', row(1, 2), { samples: 1 });
    await onGpu.discard();
    await onGpu.measure(two(), { samples });
    const before = onGpu.state();
    const calls = vi.spyOn(loadAddon().addon!, 'moments');
    await expectError('ERR_DTYPE', /gradient lies in host memory, but this mixer has measured .* GPU 0/, () =>
      onGpu.observe('a', row(1, 2), { samples: 1 }),
    );
    await expectError('ERR_DTYPE', /a gradient in rows lies in host memory/, () =>
      onGpu.measure(host, { samples }),
    );
    await expectError('ERR_DTYPE', /in the memory of GPU 1, but .* GPU 0/, () =>
      onGpu.measure(two({ device: 1 }), { samples }),
    );
    expect(onGpu.state()).toEqual(before);
    expect(calls).not.toHaveBeenCalled();
    await onGpu.measure(two(), { samples });

    const onHost = mixerOf();
    await onHost.measure(host, { samples });
    expect(onHost.backend.name).toBe('cpu');
    await expectError(
      'ERR_DTYPE',
      /in the memory of GPU 0, but this mixer has measured gradients in host/,
      () => onHost.observe('a', gpus.put(row(1, 2)), { samples: 1 }),
    );
  });

  it('also for what waits in the queue', async () => {
    const mixer = mixerOf();
    const first = mixer.measure(two(), { samples });
    const second = mixer.measure(host, { samples });
    await first;
    await expectError('ERR_DTYPE', /host memory, but this mixer has measured/, () => second);
  });

  it('also within a measurement', async () => {
    const mixer = mixerOf();
    await mixer.observe('a', gpus.put(row(1, 2)), { samples: 1 });
    await expectError('ERR_DTYPE', /gradient lies in host memory where the first of this measurement/, () =>
      mixer.observe('a', row(1, 2), { samples: 1 }),
    );
    await expectError('ERR_DTYPE', /in the memory of GPU 1 where the first/, () =>
      mixer.observe('a', gpus.put(row(1, 2), { device: 1 }), { samples: 1 }),
    );
    await mixer.discard();
    await mixer.observe('a', row(1, 2), { samples: 1 });
    mixer.dispose();
  });

  it('may be that of the second GPU', async () => {
    const mixer = mixerOf();
    expect(mixer.backend.reason).toMatch(/not cuda: gradients are in host memory/);
    await mixer.measure(two({ device: 1 }), { samples });
    expect(mixer.backend).toMatchObject({ name: 'cuda', device: DEVICES[1].name });
    expect(mixer.backend.reason).toMatch(/gradients are in the memory of this GPU/);
  });
});

describe('the owner of a gradient', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const settled = () => new Promise((turn) => setTimeout(turn, 5));

  /** Begins a call with an owner that nobody else holds. */
  function begin(call: (owner: object) => Promise<unknown>): {
    owner: WeakRef<object>;
    done: Promise<unknown>;
  } {
    const owner = { some: 'buffer' };
    return { owner: new WeakRef(owner), done: call(owner) };
  }

  it.each([
    ['measure', (mixer: Mixer, owner: object) => mixer.measure(two({ owner }), { samples })],
    [
      'observe',
      (mixer: Mixer, owner: object) => mixer.observe('a', gpus.put(row(1, 2), { owner }), { samples: 1 }),
    ],
    [
      'measure, as that of the metric',
      (mixer: Mixer, owner: object) =>
        mixer.measure(two(), { samples, preconditioner: gpus.put(row(1, 2), { owner }) }),
    ],
  ])('is held until the GPU is done, and no longer: %s', async (_, call) => {
    const mixer = mixerOf();
    await mixer.measure(two(), { samples });
    gpus.emulator.hold();
    const { owner, done } = begin((held) => call(mixer, held));
    for (let i = 0; i < 5; i++) {
      await settled();
      collect();
    }
    expect(owner.deref()).toBeDefined();
    gpus.emulator.resume();
    await done;
    for (let i = 0; i < 20 && owner.deref(); i++) {
      await settled();
      collect();
    }
    expect(owner.deref()).toBeUndefined();
    mixer.dispose();
  });
});

describe('a state', () => {
  const saved = async (): Promise<MixerState> => {
    const mixer = mixerOf();
    await mixer.measure(two(), { samples });
    return mixer.state();
  };
  const warningsOf = (mixer: Mixer): MixerWarning[] => {
    const warnings: MixerWarning[] = [];
    mixer.on('warning', (warning) => warnings.push(warning));
    return warnings;
  };

  it('of a GPU goes on there without a warning', async () => {
    const state = await saved();
    expect(state.origin).toMatchObject({ backend: 'cuda', instructionSet: 'sm_90' });
    const mixer = Mixer.restore(state);
    const warnings = warningsOf(mixer);
    // Not measured yet, it is still that of the GPU.
    expect(mixer.state()).toEqual(state);
    await mixer.measure(two(), { samples });
    expect(warnings).toEqual([]);
    expect(mixer.state().origin).toEqual(state.origin);
  });

  it('of a GPU warns once it goes on elsewhere, and once only', async () => {
    const mixer = Mixer.restore(await saved());
    const warnings = warningsOf(mixer);
    const host = () =>
      mixer.measure(
        [
          [row(1), row(2)],
          [row(1), row(2)],
        ],
        { samples },
      );
    await host();
    await host();
    expect(warnings).toMatchObject([
      { code: 'WARN_RESUME_NOT_EXACT', message: expect.stringMatching(/backend was cuda and is cpu/) },
    ]);
    expect(mixer.state().origin.backend).toBe('cpu');
  });

  it('of a GPU warns at once where the backend is another by name', async () => {
    const mixer = Mixer.restore(await saved(), { backend: 'reference' });
    const warnings = warningsOf(mixer);
    await new Promise((turn) => setImmediate(turn));
    expect(warnings).toMatchObject([{ message: expect.stringMatching(/backend was cuda and is reference/) }]);
    expect(mixer.state().origin.backend).toBe('reference');
  });

  it('of the CPU warns once it goes on on a GPU', async () => {
    const mixer = Mixer.restore(mixerOf().state());
    const warnings = warningsOf(mixer);
    await new Promise((turn) => setImmediate(turn));
    expect(warnings).toEqual([]);
    await mixer.observe('a', gpus.put(row(1, 2)), { samples: 1 });
    await mixer.update();
    expect(warnings).toMatchObject([
      {
        code: 'WARN_RESUME_NOT_EXACT',
        message: expect.stringMatching(/backend was cpu and is cuda; .*sm_90/),
      },
      { code: 'WARN_NOTHING_MEASURED' },
    ]);
  });
});
