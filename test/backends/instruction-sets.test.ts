/** The kernels of every instruction set that this machine has, not only of the one that it would choose. */
import { spawnSync } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Dtype } from '../../lib/gradients/layout.js';
import { expectError } from '../support/expect.js';
import { environment, InstructionSetProcess, instructionSets } from '../support/instruction-sets.js';
import { big, expectClose, plainMoments, promised, randomRequest } from './rows.js';

const DTYPES: Dtype[] = ['float32', 'float64', 'bfloat16', 'float16'];

const lengths = fc.oneof(fc.nat(40), fc.constantFrom(511, 512, 513, 1024, 2047, 2049));
const tensors = fc.oneof(
  fc.array(fc.tuple(fc.constantFrom(...DTYPES), lengths), { minLength: 1, maxLength: 3 }),
  fc.array(fc.tuple(fc.constantFrom(...DTYPES), fc.nat(17)), { minLength: 20, maxLength: 40 }),
  fc.tuple(fc.constantFrom(...DTYPES), lengths).map((tensor) => [tensor]),
);
const microBatches = fc.oneof(
  fc.array(fc.nat(5), { minLength: 1, maxLength: 9 }),
  fc.array(fc.integer({ min: 6, max: 17 }), { minLength: 1, maxLength: 2 }),
  // Most have two rows: those are taken two or four at a time.
  fc.array(fc.constantFrom(2, 2, 2, 2, 2, 3), { minLength: 2, maxLength: 13 }),
);

const requests = fc
  .record({
    list: tensors,
    microBatches,
    seed: fc.integer(),
    inner: fc.boolean(),
    rowScalars: fc.boolean(),
    metric: fc.option(fc.infiniteStream(fc.constantFrom(...DTYPES))),
  })
  .map(({ list, metric, ...rest }) =>
    randomRequest({
      ...rest,
      shape: { dtypes: list.map(([dtype]) => dtype), lengths: list.map(([, length]) => length) },
      metric: metric && list.map(() => metric.next().value as Dtype),
    }),
  )
  .filter((request) => request.rows.flat().length > 0);

describe.each(instructionSets())('%s', (name) => {
  const machine = new InstructionSetProcess(name);
  afterAll(() => machine.stop());

  it('agrees with the formulas for any shape, in one call and streaming', async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        const expected = plainMoments(request);
        expectClose(await machine.moments(request), expected, request, promised(request));
        const float64 = request.rows.flat()[0].dtypes.includes('float64');
        const unscored = { ...expected, rowDeviation: null, rowAlignment: null };
        expectClose(await machine.streamed(request), unscored, request, float64 ? 1e-12 : 1e-6);
      }),
      { numRuns: 100 },
    );
    expect(machine.instructionSet).toBe(name);
  });

  it('multiplies every pair of many tasks', async () => {
    for (const K of [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 70]) {
      for (const dtype of ['float32', 'float64'] as const) {
        const shape = { dtypes: [dtype], lengths: [37] };
        const request = randomRequest({ shape, microBatches: new Array(K).fill(1), seed: K });
        const expected = plainMoments(request);
        expectClose(await machine.moments(request), expected, request, promised(request));
        const unscored = { ...expected, rowDeviation: null, rowAlignment: null };
        expectClose(await machine.streamed(request), unscored, request, promised(request));
      }
    }
  });

  it('finds an element wherever it is that no preconditioner may hold', async () => {
    for (const dtype of ['float32', 'bfloat16', 'float16'] as const) {
      const shape = { dtypes: [dtype], lengths: [37] };
      const request = randomRequest({
        shape,
        microBatches: [2],
        seed: 1,
        rowScalars: false,
        metric: [dtype],
      });
      const D = request.preconditioner!.tensors[0];
      for (let at = 0; at < 37; at++) {
        const good = D[at];
        D[at] = dtype === 'float32' ? -0.5 : 0xb800;
        const message = new RegExp(`element ${at} of its tensor 0 is -`);
        await expectError('ERR_INVALID_OPTION', message, () => machine.moments(request));
        await expectError('ERR_INVALID_OPTION', message, () => machine.streamed(request));
        D[at] = good;
      }
    }
  });

  it('gives the same bits for any number of threads', async () => {
    const request = big(2, 300_003);
    const [batch, stream] = [await machine.moments(request, 1), await machine.streamed(request, 1)];
    for (const threads of [2, 3, 8]) {
      expect(await machine.moments(request, threads)).toStrictEqual(batch);
      expect(await machine.streamed(request, threads)).toStrictEqual(stream);
    }
  });
});

describe('an instruction set that the machine does not have', () => {
  const entry = pathToFileURL(
    join(resolve(dirname(fileURLToPath(import.meta.url)), '../..'), 'dist/index.js'),
  ).href;
  const PROGRAM = `
    import { Mixer } from ${JSON.stringify(entry)};
    const options = { tasks: ['a', 'b'], batchSize: 8 };
    const answer = { events: [] };
    try { new Mixer({ ...options, backend: 'cpu' }); } catch ({ code, message }) { answer.cpu = { code, message }; }
    const mixer = new Mixer(options);
    mixer.on('warning', ({ code, message }) => answer.events.push({ code, message }));
    const rows = [1, 2].map((x) => [Float32Array.of(x), Float32Array.of(x + 1)]);
    await mixer.measure(rows, { samples: [[1, 1], [1, 1]] });
    await new Promise((turn) => setTimeout(turn, 20));
    console.log(JSON.stringify({ ...answer, backend: mixer.backend.name }));
  `;

  it('is refused by name, and replaced by the reference under auto, with the reason', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM], {
      env: environment('sse9'),
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(status, stderr).toBe(0);
    const { cpu, events, backend } = JSON.parse(stdout);
    const reason = `PIKE_MIXER_INSTRUCTION_SET is 'sse9', but this machine has ${instructionSets().join(', ')}`;
    expect(cpu).toEqual({ code: 'ERR_NO_BACKEND', message: `backend 'cpu' cannot be had: ${reason}` });
    // Another may say that there is no GPU.
    const warning = events.find(({ message }: { message: string }) => message.includes(reason));
    expect(warning?.message).toMatch(/^the native addon cannot be used, so the slow TypeScript reference/);
    expect(backend).toBe('reference');
  });
});
