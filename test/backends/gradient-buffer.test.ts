/**
 * GradientBuffer: memory of the addon that is read in place, whatever script does to its array meanwhile.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { allocateMemory, type MemoryAddon } from '../../lib/backends/gradient-buffer.js';
import { loadAddon } from '../../lib/backends/load-addon.js';
import { type Gradient, viewGradient } from '../../lib/gradients/gradient.js';
import type { HostView, TensorMemory } from '../../lib/gradients/host-gradient.js';
import { type Dtype, GradientBuffer, Mixer, statistics } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { big, cpu, flat, type HostRequest, single, viewOf } from './rows.js';

const DTYPES: readonly Dtype[] = ['float32', 'float64', 'bfloat16', 'float16'];

function hostView(gradient: Gradient): HostView {
  const view = viewGradient(gradient, 'g');
  if (view.memory !== 'host') throw new Error('expected host memory');
  return view;
}

/** The same gradient in buffers. */
function buffered(view: HostView): GradientBuffer[] {
  return view.tensors.map((tensor, t) => {
    const buffer = GradientBuffer.allocate(tensor.length, view.dtypes[t]);
    buffer.array.set(tensor);
    return buffer;
  });
}

function filled(length: number, value: number): GradientBuffer<'float32'> {
  const buffer = GradientBuffer.allocate(length);
  buffer.array.fill(value);
  return buffer;
}

function misalignment(array: TensorMemory): unknown {
  return loadAddon().addon!.misalignment(array);
}

const norm = async (gradient: Gradient) =>
  (await cpu().moments(single(hostView(gradient)))).meanNormSquared[0];

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

describe('allocate', () => {
  it('gives aligned zeros of every element type', () => {
    for (const dtype of DTYPES)
      for (const length of [1, 3, 1000, 262_144, 5_000_001]) {
        const buffer = GradientBuffer.allocate(length, dtype);
        expect(buffer).toMatchObject({ dtype, length });
        expect(buffer.array).toHaveLength(length);
        expect(buffer.array.buffer).toBeInstanceOf(ArrayBuffer);
        expect(buffer.array.every((x) => x === 0)).toBe(true);
        expect(misalignment(buffer.array)).toBe(0);
        buffer.dispose();
      }
    const { array } = GradientBuffer.allocate(2, 'float64');
    expect(array).toEqual(Float64Array.of(0, 0));
    expect(GradientBuffer.allocate(1).dtype).toBe('float32');
  });

  it('gives zeros also where memory was used before', () => {
    for (const length of [1000, 1_000_000])
      for (let round = 0; round < 20; round++) {
        const buffer = GradientBuffer.allocate(length);
        expect(buffer.array.some((x) => x !== 0)).toBe(false);
        buffer.array.fill(1);
        buffer.dispose();
      }
  });

  it('refuses what is no length or element type', async () => {
    for (const length of [0, -1, 1.5, Number.NaN, 2 ** 60, '3', undefined])
      await expectError('ERR_INVALID_OPTION', /length must be a positive integer/, () =>
        GradientBuffer.allocate(length as number),
      );
    for (const dtype of ['int8', 'toString', 3, null])
      await expectError('ERR_DTYPE', /must be one of float32, float64/, () =>
        GradientBuffer.allocate(1, dtype as Dtype),
      );
  });

  it('says when there is not so much memory', async () => {
    for (const length of [2 ** 40, 2 ** 50, Number.MAX_SAFE_INTEGER])
      await expectError('ERR_MEMORY', /no memory for \d+ elements of float64/, () =>
        GradientBuffer.allocate(length, 'float64'),
      );
  });

  it('tells V8 of its memory, once', () => {
    const before = process.memoryUsage().external;
    const buffer = GradientBuffer.allocate(50_000_000);
    const grown = process.memoryUsage().external - before;
    expect(grown / 200e6).toBeGreaterThan(0.9);
    expect(grown / 200e6).toBeLessThan(1.1);
    buffer.dispose();
    expect(process.memoryUsage().external - before).toBeLessThan(20e6);
  });
});

describe('measuring it', () => {
  it('gives the bits of plain arrays, for batches, streams and metrics', async () => {
    const request = big();
    const inBuffers: HostRequest = {
      ...request,
      rows: request.rows.map((task) => task.map((row) => hostView(buffered(row)))),
      preconditioner: hostView(buffered(request.preconditioner!)),
    };
    expect(await cpu().moments(inBuffers)).toStrictEqual(await cpu().moments(request));
    const results = await Promise.all(
      [request, inBuffers].map(async ({ rows: [[first, second]], preconditioner }) => {
        const stream = cpu().stream({ tasks: 1, layout: first, inner: false });
        await stream.add(0, first, 1, preconditioner);
        await stream.add(0, second, 2, preconditioner);
        return stream.moments();
      }),
    );
    expect(results[1]).toStrictEqual(results[0]);
  });

  it('works by statistics, observe and measure, on the reference, too', async () => {
    const values = [
      [Float32Array.of(1, 2), Float32Array.of(3, 1)],
      [Float32Array.of(-1, 0.5), Float32Array.of(2, 2)],
    ];
    const rows = values.map((task) => task.map((row) => buffered(viewOf([row], ['float32']))[0]));
    const preconditioner = buffered(flat(1, 0.25))[0];
    const samples = [
      [1, 2],
      [3, 1],
    ];
    for (const backend of ['cpu', 'reference'] as const) {
      const options = { samples, backend, inner: true, preconditioner };
      expect(await statistics(rows, options)).toStrictEqual(
        await statistics(values, { ...options, preconditioner: Float32Array.of(1, 0.25) }),
      );
      const reports = [rows, values].map(async (given) => {
        const batch = new Mixer({ tasks: ['a', 'b'], batchSize: 8, backend });
        const { seconds: _, ...measured } = await batch.measure(given, { samples });
        const stream = new Mixer({ tasks: ['a', 'b'], batchSize: 8, backend });
        for (const k of [0, 1])
          for (const i of [0, 1])
            await stream.observe(stream.tasks[k], [given[k][i]], { samples: samples[k][i] });
        const { seconds: __, ...observed } = await stream.update();
        return [measured, observed];
      });
      expect(await reports[0]).toStrictEqual(await reports[1]);
    }
  });

  it('sees what was written since the last time', async () => {
    const buffer = filled(1000, 1);
    expect(await norm(buffer)).toBe(1000);
    buffer.array[17] = 3;
    expect(await norm(buffer)).toBe(1008);
  });

  it('takes its array, a part of it, and lists with other memory', async () => {
    const buffer = filled(1000, 2);
    expect(await norm(buffer.array)).toBe(4000);
    expect(await norm(buffer.array.subarray(3, 10))).toBe(28);
    expect(await norm(new Float32Array(buffer.array.buffer, 4 * 999))).toBe(4);
    expect(await norm([buffer, Float32Array.of(1), filled(5, 1), buffer.array])).toBe(8006);
    const bits = GradientBuffer.allocate(3, 'bfloat16');
    bits.array.fill(0x4000); // 2
    expect(await norm(bits)).toBe(12);
    expect(await norm({ data: bits.array, dtype: 'bfloat16' })).toBe(12);
  });

  it('has to be of its own element type', async () => {
    const stranger = { array: new Float64Array(2), dtype: 'float32' } as unknown as Gradient;
    await expectError('ERR_DTYPE', /a GradientBuffer/, () => hostView(stranger));
    await expectError('ERR_DTYPE', /a GradientBuffer/, () => hostView({ ...filled(1, 1) } as Gradient));
  });
});

describe('dispose', () => {
  it('detaches the array; passing the buffer is an error from then on', async () => {
    const buffer = filled(10, 1);
    const { array } = buffer;
    buffer.dispose();
    buffer.dispose();
    buffer[Symbol.dispose]();
    expect([array.length, buffer.array.length, buffer.length]).toEqual([0, 0, 10]);
    await expectError('ERR_DETACHED', /disposed/, () =>
      statistics([[buffer, buffer]], { samples: [[1, 1]] }),
    );
    await expectError('ERR_DETACHED', /disposed/, () => statistics([[array, array]], { samples: [[1, 1]] }));
    const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 4 });
    await expectError('ERR_DETACHED', /disposed/, () => mixer.observe('a', [buffer], { samples: 1 }));
  });

  it('while a measurement reads it changes nothing for that', async () => {
    for (let round = 0; round < 1000; round++) {
      const large = round % 50 === 0;
      const length = large ? 2_000_000 : 5000;
      const buffer = filled(length, 1);
      const call = norm(round % 2 ? buffer : buffer.array.subarray(0));
      if (round % 3 === 0) await turn();
      buffer.dispose();
      // Whoever comes next at that address must not be read in its stead.
      const next = filled(length, 5);
      expect(await call).toBe(length);
      next.dispose();
    }
  }, 120_000);

  it('in a queue is found out when the turn comes', async () => {
    const buffer = filled(10, 1);
    const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 4 });
    const first = mixer.observe('a', filled(10, 2), { samples: 1 });
    const second = mixer.observe('a', buffer, { samples: 1 });
    buffer.dispose();
    await first;
    await expectError('ERR_DETACHED', /detached|disposed/, () => second);
  });
});

/** Ways to take an array away; each may refuse. */
const THEFTS: Readonly<Record<string, (buffer: ArrayBuffer) => unknown>> = {
  structuredClone: (buffer) => structuredClone(buffer, { transfer: [buffer] }),
  postMessage: (buffer) => {
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(buffer, [buffer]);
    port1.close();
    port2.close();
  },
  transfer: (buffer) => (buffer as { transfer?: () => ArrayBuffer }).transfer?.(),
  resize: (buffer) => (buffer as { resize?: (length: number) => void }).resize?.(0),
  'a byte stream, which detaches': (buffer) => {
    new ReadableStream({
      type: 'bytes',
      start: (controller) => controller.enqueue(new Uint8Array(buffer)),
    });
  },
};

describe('an array that nobody refers to any more', () => {
  const collect = () => {
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
  };
  const allocated = () => {
    const { array } = GradientBuffer.allocate(1000);
    return { array: new WeakRef(array), buffer: new WeakRef(array.buffer as ArrayBuffer) };
  };

  // While a worker ends that was terminated, no callback runs any more: its buffers are all there to be looked at.
  it('leaves its buffer where it is until the event loop has turned, and later goes', async () => {
    const { array, buffer } = allocated();
    await turn();
    collect();
    expect(array.deref()).toBeUndefined();
    expect(buffer.deref()).toBeInstanceOf(ArrayBuffer);
    for (let i = 0; i < 50 && buffer.deref(); i++) {
      await new Promise((later) => setTimeout(later, 10));
      collect();
    }
    expect(buffer.deref()).toBeUndefined();
  });
});

describe('taking the array away during a measurement', () => {
  for (const [name, take] of Object.entries(THEFTS))
    it(`by ${name} gives an error or the right result, a thousand times`, async () => {
      for (let round = 0; round < 1000; round++) {
        const length = round % 100 === 0 ? 1_000_000 : 3000;
        const buffer = filled(length, 1);
        const { buffer: memory } = buffer.array;
        const call = norm(buffer).catch((error) => {
          expect(error).toMatchObject({ code: 'ERR_DETACHED' });
          return length;
        });
        if (round % 3 === 0) await turn();
        let taken: unknown;
        try {
          taken = take(memory as ArrayBuffer);
        } catch {
          // refused, which is as well
        }
        expect(await call).toBe(length);
        if (taken instanceof ArrayBuffer) expect(await norm(new Float32Array(taken))).toBe(length);
        // It is no longer there, or still readable.
        const again = norm(buffer).catch((error) => {
          expect(error).toMatchObject({ code: 'ERR_DETACHED' });
          return length;
        });
        expect(await again).toBe(length);
        buffer.dispose();
        if (taken instanceof ArrayBuffer) expect(await norm(new Float32Array(taken))).toBe(length);
      }
    }, 120_000);
});

describe('without memory of the addon', () => {
  it('lies in a SharedArrayBuffer, aligned if the addon can tell', async () => {
    const addon = loadAddon().addon!;
    const refusing: MemoryAddon = {
      allocateMemory: () => null,
      releaseMemory: () => undefined,
      misalignment: (array) => addon.misalignment(array),
    };
    for (const given of [refusing, null])
      for (const length of [1, 1003, 1_000_000]) {
        const { array, release } = allocateMemory(given, 'float32', length);
        expect(array.buffer).toBeInstanceOf(SharedArrayBuffer);
        expect(array).toHaveLength(length);
        if (given) expect(misalignment(array)).toBe(0);
        expect(await norm(array.fill(1))).toBe(length);
        const left = release();
        expect(left).toHaveLength(0);
        await expectError('ERR_DETACHED', /disposed/, () => hostView(left));
      }
    await expectError('ERR_MEMORY', /no memory/, () => allocateMemory(null, 'float32', 2 ** 50));
  });

  it('is measured by the reference', async () => {
    vi.stubEnv('PIKE_MIXER_ADDON', '/nowhere/pike_mixer.node');
    const fresh = await import('../../lib/index.js');
    const rows = [1, 3].map((x) => {
      const buffer = fresh.GradientBuffer.allocate(2);
      buffer.array.fill(x);
      return buffer;
    });
    const { variance } = await fresh.statistics([rows], { samples: [[1, 1]], backend: 'reference' });
    expect(variance[0]).toBe(4);
    rows[0].dispose();
    await expect(fresh.statistics([rows], { samples: [[1, 1]] })).rejects.toMatchObject({
      code: 'ERR_DETACHED',
    });
  });

  it('is so beyond 4 GiB on Node 20', async () => {
    const buffer = GradientBuffer.allocate(2 ** 30 + 1000);
    buffer.array[2 ** 30 + 999] = 3;
    expect(buffer.array).toHaveLength(2 ** 30 + 1000);
    expect(await norm(buffer.array.subarray(2 ** 30))).toBe(9);
    buffer.dispose();
  });
});
