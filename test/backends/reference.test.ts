import { describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../lib/backends/reference.js';
import { type GradientView, viewGradient } from '../../lib/gradients/gradient.js';
import { statistics } from '../../lib/index.js';
import { mixerOf, row, samples } from '../support/small.js';

describe('statistics', () => {
  it('standard errors of every task, of unequal m, in a metric', async () => {
    const tasks = [[1, 5, 2].map((x) => row(x, 1)), [3, 9, 1, 4].map((x) => row(x, -x))];
    const sizes = [
      [2, 2, 2],
      [3, 3, 3, 3],
    ];
    const preconditioner = row(4, 0.25);
    for (const backend of ['reference', 'cpu'] as const) {
      const both = await statistics(tasks, { samples: sizes, standardErrors: true, preconditioner, backend });
      const scaled = tasks.map((t) => t.map((g) => row(2 * g[0], 0.5 * g[1])));
      for (const k of [0, 1]) {
        const alone = await statistics([scaled[k]], { samples: [sizes[k]], standardErrors: true, backend });
        expect(both.standardError!.normSquared[k]).toBeCloseTo(alone.standardError!.normSquared[0], 8);
        expect(both.standardError!.variance[k]).toBeCloseTo(alone.standardError!.variance[0], 8);
      }
    }
  });
  it('names the task that is not finite, whichever it is', async () => {
    await expect(
      statistics(
        [
          [row(1), row(2)],
          [row(1), row(Number.NaN)],
        ],
        { samples },
      ),
    ).rejects.toMatchObject({ code: 'ERR_NON_FINITE', message: expect.stringMatching(/task 1/) });
  });
  it('refuses a metric of NaN or Infinity', async () => {
    for (const x of [Number.NaN, Infinity])
      for (const backend of ['reference', 'cpu'] as const)
        await expect(
          statistics([[row(1), row(2)]], { samples: [[1, 1]], preconditioner: row(x), backend }),
        ).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  });
});

it('standard errors find the rows of the third task', async () => {
  const t = [
    [1, 2, 4],
    [3, 9, 1, 4],
    [7, 1, 2, 2, 9],
  ].map((x) => x.map((y) => row(y, -1)));
  const s = t.map((x) => x.map(() => 2));
  const all = await statistics(t, { samples: s, standardErrors: true });
  const alone = await statistics([t[2]], { samples: [s[2]], standardErrors: true });
  expect(all.standardError!.normSquared[2]).toBeCloseTo(alone.standardError!.normSquared[0], 10);
});

it('squares that overflow are a miss', async () => {
  const huge = [Float64Array.of(1e200), Float64Array.of(1.1e200)];
  await expect(statistics([huge], { samples: [[1, 1]] })).rejects.toMatchObject({ code: 'ERR_NON_FINITE' });
  const one = [Float64Array.of(1), Float64Array.of(2)];
  expect((await mixerOf().measure([huge, one], { samples })).missed).toEqual([
    { task: 'a', reason: 'non-finite gradient' },
  ]);
});

describe('reference', () => {
  const big = () => new Float32Array(3_000_000).fill(1);
  it('lets the event loop run and heeds the signal in the middle', async () => {
    const stop = new AbortController();
    setImmediate(() => stop.abort(new Error('now')));
    await expect(
      statistics([[big(), big()]], { samples: [[1, 1]], backend: 'reference', signal: stop.signal }),
    ).rejects.toThrow('now');
  });
  it('memory taken away meanwhile is ERR_DETACHED', async () => {
    const g = big();
    setImmediate(() => structuredClone(g.buffer, { transfer: [g.buffer] }));
    await expect(statistics([[g, big()]], { samples: [[1, 1]], backend: 'reference' })).rejects.toMatchObject(
      { code: 'ERR_DETACHED' },
    );
  });
  it('a refused metric leaves the stream as it was', async () => {
    const stream = createReferenceBackend().stream({
      tasks: 2,
      layout: viewGradient(row(1, 2), 'g'),
      inner: false,
    });
    const g = viewGradient(row(1, 2), 'g');
    const add = (d: Float32Array) => stream.add(0, g, 1, viewGradient(d, 'D'));
    await add(row(1, 1));
    await expect(add(row(1, -1))).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    await add(row(1, 1));
    expect((await stream.moments()).deviation[0]).toBe(0);
  });
  it('an update that breaks off leaves no wrong number behind, for whoever the vector belongs to', async () => {
    const layout = viewGradient(big(), 'g');
    const add = async (inner: boolean) => {
      const stream = createReferenceBackend().stream({ tasks: 2, layout, inner });
      const lost = big();
      await stream.add(0, layout, 1, null);
      const broken = stream.add(1, viewGradient(lost, 'g'), 1, null);
      setImmediate(() => structuredClone(lost.buffer, { transfer: [lost.buffer] }));
      await expect(broken).rejects.toMatchObject({ code: 'ERR_DETACHED' });
      await stream.add(0, layout as GradientView, 1, null);
      return (await stream.moments()).deviation;
    };
    // One vector for all: nobody's numbers can be trusted. One per task: only the broken one's cannot.
    expect(Array.from(await add(false))).toEqual([Number.NaN, Number.NaN]);
    expect(Array.from(await add(true))).toEqual([0, Number.NaN]);
  });
  it('holds one vector for any number of tasks without inner products, and one per task with them', async () => {
    const allocated = async (inner: boolean) => {
      const Original = globalThis.Float64Array;
      let vectors = 0;
      // Longer than a slice, so that nothing but a whole vector has this length.
      const length = 20_001;
      globalThis.Float64Array = new Proxy(Original, {
        construct(target, args) {
          if (args[0] === length) vectors++;
          return Reflect.construct(target, args);
        },
      });
      try {
        const layout = viewGradient(new Float32Array(length).fill(1), 'g');
        const stream = createReferenceBackend().stream({ tasks: 3, layout, inner });
        for (const task of [0, 1, 2]) for (let i = 0; i < 2; i++) await stream.add(task, layout, 1, null);
      } finally {
        globalThis.Float64Array = Original;
      }
      return vectors;
    };
    expect([await allocated(false), await allocated(true)]).toEqual([1, 3]);
  });
});
