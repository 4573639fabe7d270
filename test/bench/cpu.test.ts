/** `npm run bench -- cpu` as a whole, its yardsticks, its verdicts and its peers. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { requireAddon } from '../../bench/cpu/addon.js';
import { blas } from '../../bench/cpu/blas.js';
import { compared, comparedCheck } from '../../bench/cpu/compared.js';
import { eventLoopChecks, summary } from '../../bench/cpu/event-loop.js';
import { PARTS } from '../../bench/cpu/parts.js';
import { shapes } from '../../bench/cpu/shapes.js';
import { streamingCheck } from '../../bench/cpu/streaming.js';
import { leastOverSsyrk, targetShare } from '../../bench/cpu/targets.js';
import { transformer } from '../../bench/cpu/tensors.js';
import { shareCheck } from '../../bench/cpu/throughput.js';
import { atLeast, broken, partReport } from '../../bench/report.js';
import { runAll } from '../../bench/run.js';
import { statistics } from '../../lib/index.js';
import { allocateRow, fillRow, longestRow } from '../../lib/throughput/memory.js';
import { interleave } from '../../lib/throughput/pairs.js';
import { plainStatistics } from '../../lib/throughput/plain-javascript.js';
import { settled, shareOfFaster } from '../../lib/throughput/probe.js';

const program = resolve(fileURLToPath(new URL('../../dist-bench/main.js', import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'pike-bench-cpu-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bench = (args: string[], env: Record<string, string> = {}) =>
  spawnSync(process.execPath, [program, 'cpu', ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });

describe('the command', () => {
  it('runs every part to its end, small', () => {
    const json = join(folder, 'result.json');
    const { status, stdout, stderr } = bench(['--size', 'tiny', '--json', json]);
    expect(stdout).not.toContain('BROKEN');
    expect([status, stderr]).toEqual([0, expect.stringContaining('bench cpu: micro …')]);
    const result = JSON.parse(readFileSync(json, 'utf8'));
    expect(result).toMatchObject({
      bench: 'cpu',
      size: 'tiny',
      passed: true,
      command: `bench cpu --size tiny --json ${json}`,
      environment: { cpu: expect.any(String), node: process.version, instructionSet: expect.any(String) },
    });
    expect(Object.keys(result.parts)).toEqual(PARTS);
    const { throughput, streaming, tensors, python, tfjs, javascript, micro } = result.parts;
    for (const { share, call, probe, bytes } of throughput.data) {
      for (const figure of [share, call.median, probe.median]) expect(figure).toBeGreaterThan(0);
      expect(bytes).toBeGreaterThan(0);
    }
    expect(new Set(throughput.data.map(({ dtype }: { dtype: string }) => dtype)).size).toBe(4);
    expect(streaming.data[0].share).toBeGreaterThan(0);
    expect(tensors.data[0].tensors).toBe(27);
    expect(javascript.data[0].ratio).toBeGreaterThan(0);
    // What is missing here is said; what is there was timed.
    const timed = (part: { data: { found: unknown[] } | null; notes: string[] }) =>
      (part.data?.found.length ?? 0) + part.notes.filter((note) => note.startsWith('Skipped: ')).length;
    expect(timed(python)).toBeGreaterThan(0);
    expect(timed(tfjs)).toBeGreaterThan(0);
    expect(result.parts['event-loop'].data).toMatchObject({
      foreign: { p99: expect.any(Number) },
      measuring: { p99: expect.any(Number), max: expect.any(Number) },
      sections: [{ tasks: 2 }, { tasks: 16, growth: expect.any(Number) }],
    });
    expect(micro.data.length).toBeGreaterThan(10);
  });

  it.each([
    ['a size that there is not', ['--size', 'huge'], /--size must be one of full, quick, tiny/],
    ['a part that there is not', ['--part', 'x'], /--part must be one of environment, throughput/],
    ['a flag that there is not', ['--fast'], /--fast.*--help/],
  ])('%s is one clear line, exit code 1', (_, args, message) => {
    const { status, stderr } = bench(args);
    expect(stderr).toMatch(message);
    expect([status, stderr.split('\n').length]).toEqual([1, 2]);
  });

  it('explains itself', () => {
    const { status, stdout } = bench(['--help']);
    expect(status).toBe(0);
    for (const flag of ['--quick', '--json', '--part']) expect(stdout).toContain(flag);
  });

  it('without an addon: why, exit code 2', () => {
    const { status, stderr } = bench([], { PIKE_MIXER_ADDON: '/nowhere.node' });
    expect(stderr).toMatch(/^bench cpu: the native addon cannot be used: .*there is no such file.*\n$/);
    expect(status).toBe(2);
  });
});

describe('verdicts', () => {
  it('a figure that misses its target fails the bench, and is told', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const error = vi.spyOn(console, 'error').mockImplementation(() => {});
    const json = join(folder, 'verdict.json');
    const run = (share: number) =>
      runAll({
        name: 'cpu',
        parts: ['planted'],
        runPart: async (name) =>
          partReport(
            name === 'environment' ? { data: { cpu: 'x' } } : { checks: [atLeast('share', share, 0.85)] },
          ),
        nameOf: () => 'x',
        size: 'full',
        json,
        args: [],
      });
    try {
      expect(await run(0.86)).toBe(0);
      expect(JSON.parse(readFileSync(json, 'utf8')).passed).toBe(true);
      expect(await run(0.84)).toBe(1);
      expect(JSON.parse(readFileSync(json, 'utf8')).passed).toBe(false);
      expect(log.mock.calls.join('\n')).toContain('BROKEN: share: 0.84, promised >= 0.85');
    } finally {
      log.mockRestore();
      error.mockRestore();
    }
  });

  it('hold each figure against its own target', () => {
    const shape = { dtype: 'float32', tasks: 4, perTask: 2, inner: true, d: 2e7 } as const;
    const read = (share: number, target: number | null) => shareCheck({ ...shape, share, target } as never);
    expect([read(0.9, 0.85), read(0.8, 0.85), read(0.1, null)].map((checks) => checks.map(isKept))).toEqual([
      [true],
      [false],
      [],
    ]);
    const streamed = (share: number, threads = 2, dtype = 'float32') =>
      streamingCheck({ dtype, threads, share, d: 1 } as never, 2).map(isKept);
    expect([streamed(0.9), streamed(0.8), streamed(0.1, 1), streamed(0.1, 2, 'float64')]).toEqual([
      [true],
      [false],
      [],
      [],
    ]);
    const peer = (theirs: number[], target: number | null) =>
      comparedCheck(compared('x', 1, shape, { own: [1, 2], theirs }, target)).map(isKept);
    expect([peer([3, 6.2], 3), peer([2.9, 5.8], 3), peer([1, 1], null)]).toEqual([[true], [false], []]);
  });

  it('of the event loop: sections, growth, the delay next to foreign threads', () => {
    const delays = (p99: number) => ({ count: 100, median: 0, p99, max: 9 });
    const section = { tasks: 2, call: 0.2, callWall: 5, rest: 0.9, growth: 1000 };
    const found = { idle: delays(0), foreign: delays(4), measuring: delays(5.9), sections: [section] };
    expect(broken({ ...partReport({}), checks: eventLoopChecks(found) })).toEqual([]);
    for (const worse of [
      { ...found, measuring: delays(6.1) },
      { ...found, sections: [{ ...section, call: 1.1 }] },
      { ...found, sections: [{ ...section, rest: 1.1 }] },
      { ...found, sections: [{ ...section, growth: 1 << 20 }] },
    ])
      expect(eventLoopChecks(worse).filter((check) => !check.kept)).toHaveLength(1);
    expect(summary(Array.from({ length: 200 }, (_, i) => 199 - i))).toEqual({
      count: 200,
      median: 100,
      p99: 198,
      max: 199,
    });
  });

  it('aim at what was set', () => {
    const aims = [2, 8, 16, 32, 64].map((rows) => targetShare('float32', rows));
    expect(aims).toEqual([0.85, 0.85, 0.7, 0.45, null]);
    expect([targetShare('bfloat16', 8), targetShare('bfloat16', 16)]).toEqual([0.7, null]);
    expect([2, 8, 16, 32].map(leastOverSsyrk)).toEqual([3, 3, null, 2]);
    const rows = shapes('full', 2).map((shape) => shape.tasks * shape.perTask);
    for (const count of [2, 4, 8, 16, 32, 64, 128]) expect(rows).toContain(count);
  });
});

const isKept = ({ kept }: { kept: boolean }) => kept;

describe('timings side by side', () => {
  it('take turns, and the round before is not kept', async () => {
    const order: string[] = [];
    const call = (name: string) => async () => order.push(name);
    const times = await interleave({ a: call('a'), b: call('b') }, { runs: 2, seconds: 9 });
    expect(order.join('')).toBe('ababab');
    expect(times).toEqual({ a: [3, 5], b: [4, 6] });
  });

  it('against the faster of two probes', () => {
    expect(shareOfFaster({ own: [2, 4], plain: [1, 2], streams: [1.5, 3] })).toEqual({
      share: 0.5,
      faster: 'plain',
    });
  });
});

describe('the probes', () => {
  const { hostTools } = requireAddon();
  const random = () => Math.floor(256 * Math.random());

  /** Sum of the 64-bit words of all arrays, the last of each filled up with zeros. */
  function expectedSum(arrays: readonly Uint8Array[]): bigint {
    let sum = 0n;
    for (const array of arrays) {
      const words = new Uint8Array(8 * Math.ceil(array.length / 8));
      words.set(array);
      for (const word of new BigUint64Array(words.buffer)) sum += word;
    }
    return BigInt.asUintN(64, sum);
  }

  it('read every byte', async () => {
    for (const lengths of [[1], [7, 512, 513], [100_003], [3 << 20, 4099]]) {
      const arrays = lengths.map((length) => new Uint8Array(new SharedArrayBuffer(length)).map(random));
      for (const streams of [1, 8])
        for (const threads of [1, 2, 3]) {
          const { checksum, seconds } = await settled(hostTools.read(arrays, streams, threads));
          expect(checksum).toBe(expectedSum(arrays));
          expect(seconds).toBeGreaterThan(0);
        }
    }
  });

  it('update in place', async () => {
    for (const length of [1, 63, 1000, 600_003]) {
      const mean = new Float32Array(new SharedArrayBuffer(4 * length)).map(random);
      const gradient = new Float32Array(new SharedArrayBuffer(4 * length)).map(random);
      const expected = mean.map((m, j) => m + 0.25 * (gradient[j] - m));
      await settled(hostTools.update(mean, gradient, 0.25, 2));
      // Numbers of few bits: exact.
      expect(mean.findIndex((m, j) => m !== expected[j])).toBe(-1);
    }
  });

  it('say what is wrong with their arguments', async () => {
    const [array] = [new Float32Array(new SharedArrayBuffer(64))];
    const read = hostTools.read as (...args: unknown[]) => unknown;
    const update = hostTools.update as (...args: unknown[]) => unknown;
    const detached = new Float32Array(4);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    const wrong: [unknown, RegExp][] = [
      [read([array], 2, 1), /streams/],
      [read([array], 1, 0), /threads/],
      [read([array], 1, 1.5), /threads/],
      [read([array], 1, 'x'), /threads/],
      [read(array, 1, 1), /list/],
      [read([[1, 2]], 1, 1), /typed arrays/],
      [read([detached], 1, 1), /not empty/],
      [read([new Float32Array()], 1, 1), /not empty/],
      [read(), /threads/],
      [update(array, array.subarray(1), 1, 1), /one length/],
      [update(array, new Float64Array(16), 1, 1), /Float32Arrays/],
      [update(detached, detached, 1, 1), /not empty/],
      [update(array, array, '1', 1), /scale/],
      [update(array, array, 1, -1), /threads/],
    ];
    for (const [status, message] of wrong)
      expect(status).toEqual({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringMatching(message),
      });
    await expect(settled(wrong[0][0] as never)).rejects.toThrow('ERR_INVALID_OPTION: streams');
  });

  it('the clock of the thread counts what it computes', () => {
    const before = hostTools.threadSeconds();
    if (before < 0) return; // not told here
    const until = performance.now() + 30;
    while (performance.now() < until);
    const computed = hostTools.threadSeconds() - before;
    expect(computed).toBeGreaterThan(0);
    expect(computed).toBeLessThan(0.5);
  });
});

describe('rows', () => {
  it('hold finite numbers of every kind', async () => {
    for (const dtype of ['float32', 'float64', 'bfloat16', 'float16'] as const) {
      const rows = [1, 2].map((seed) => {
        const row = allocateRow(70_000, dtype);
        fillRow(row, seed);
        return row;
      });
      expect(rows[0].array).not.toEqual(rows[1].array);
      const gradients = rows.map(({ gradient }) => gradient);
      const { variance } = await statistics([gradients], { samples: [[1, 1]], backend: 'reference' });
      expect(variance[0] / 70_000).toBeGreaterThan(0.05);
      expect(variance[0] / 70_000).toBeLessThan(1);
    }
  });

  it('are as long as wanted, or as there is memory for', () => {
    expect(longestRow(2e7, 4, 'float32', 1e9)).toBe(2e7);
    expect(longestRow(2e7, 128, 'float32', 5.12e9)).toBe(9765 * 1024);
    expect(transformer(10, 4, 1)).toEqual([40, 4, 4, 48, 12, 16, 4, 4, 4, 64, 16, 64, 4, 4, 4]);
  });
});

describe('peers', () => {
  it('plain JavaScript gives the statistics of the reference', async () => {
    for (const [perTask, d] of [
      [[2, 2], 1],
      [[2, 3, 5], 2501],
      [[4], 1024],
    ] as const) {
      const rows = perTask.map((m, k) =>
        Array.from({ length: m }, (_, i) => {
          const row = allocateRow(d);
          fillRow(row, 10 * k + i);
          return row.array as Float32Array;
        }),
      );
      const samples = rows.map((task) => task.map((_, i) => 1 + i));
      const expected = await statistics(rows, { samples, inner: true, backend: 'reference' });
      const { normSquared, variance, inner } = plainStatistics(rows, samples, true);
      const close = (actual: Float64Array, wanted: Float64Array) =>
        actual.forEach((x, i) => {
          expect(Math.abs(x - wanted[i])).toBeLessThan(1e-12 * (1 + d));
        });
      close(normSquared, expected.normSquared);
      close(variance, expected.variance);
      close(inner!, expected.inner!);
      expect(plainStatistics(rows, samples, false).inner).toBeNull();
    }
  });

  const python = (name: string, script: string) => {
    const file = join(folder, name);
    writeFileSync(file, `#!${process.execPath}\n${script}`, { mode: 0o755 });
    return file;
  };
  /** A Python that answers each line with what `answer(op)` gives. */
  const answering = (answer: string) => `
    require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const answer = ${answer};
      console.log(JSON.stringify(answer(JSON.parse(line).op)));
    });`;
  const hello = `{ python: '3', numpy: '2', openblas: 'OpenBLAS', reasons: {} }`;

  it('in Python are left out, with the reason, where they are missing', async () => {
    expect((await blas('tiny', '/nowhere/python3')).notes).toEqual([
      expect.stringMatching(/^Skipped: \/nowhere\/python3 cannot be run/),
    ]);
    const bare = python(
      'bare',
      answering(`() => ({ python: '3', numpy: null, openblas: null, reasons: { numpy: 'no numpy' } })`),
    );
    expect(await blas('tiny', bare)).toMatchObject({ checks: [], tables: [], data: { found: [] } });
    expect((await blas('tiny', bare)).notes).toContain('Skipped: no numpy.');
  });

  it('in Python must agree with each other', async () => {
    const trace = (value: string) =>
      answering(`(op) => op === 'hello' ? ${hello} : { seconds: 1, trace: ${value} }`);
    const report = await blas('tiny', python('agreeing', trace('5')));
    expect(report.tables[0].rows).toHaveLength(3);
    const disagreeing = python('disagreeing', trace(`op === 'ssyrk' ? 5 : 6`));
    await expect(blas('tiny', disagreeing)).rejects.toThrow('disagree');
  });

  it('in Python that fail are no result', async () => {
    const failing = python('failing', answering(`(op) => op === 'hello' ? ${hello} : { error: 'broken' }`));
    await expect(blas('tiny', failing)).rejects.toThrow('peers.py: broken');
    await expect(blas('tiny', python('ending', 'process.exit(3)'))).rejects.toThrow('without an answer');
  });
});
