/** `pike-mixer verify`: keeps quiet about what is right, and fails for what is planted. */
import { spawnSync } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Backend, MomentStream } from '../../lib/backends/backend.js';
import { CommandFailure } from '../../lib/cli/exit-codes.js';
import { verifyCommand } from '../../lib/cli/verify.js';
import type { Moments } from '../../lib/statistics/statistics.js';
import { openSubject, type Subject } from '../../lib/verification/subject.js';
import { type Verification, verify } from '../../lib/verification/verify.js';
import { catchingIo, runCli } from './run-cli.js';

const BIN = join(resolve(dirname(fileURLToPath(import.meta.url)), '../..'), 'dist/cli/bin.js');

/** The CPU backend with something wrong in its results. */
function planted(change: (moments: Moments, rows: number) => Moments, where: 'moments' | 'stream'): Subject {
  const { backend } = openSubject('cpu');
  const wrong: Backend = Object.create(backend, {
    name: { value: 'cpu' },
    moments: {
      value: async (request: Parameters<Backend['moments']>[0]) => {
        const moments = await backend.moments(request);
        return where === 'moments' ? change(moments, request.rows.flat().length) : moments;
      },
    },
    stream: {
      value: (request: Parameters<Backend['stream']>[0]): MomentStream => {
        const stream = backend.stream(request);
        return {
          add: (...args) => stream.add(...args),
          moments: async () => {
            const moments = await stream.moments();
            return where === 'stream' ? change(moments, 0) : moments;
          },
          dispose: () => stream.dispose(),
        };
      },
    },
    reason: { value: 'planted' },
    instructionSet: { value: 'planted' },
  });
  return { backend: wrong, withThreads: undefined };
}

const broken = (found: Verification) => [
  ...found.sums.filter(({ kept }) => !kept).map(({ group }) => group),
  ...found.bits.filter(({ kept }) => !kept).map(() => 'bits'),
  ...found.weights.filter(({ kept }) => !kept).map(() => 'weights'),
];

describe('verify --quick', () => {
  it('finds every promise of the CPU backend kept, in a process of its own', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, 'verify', '--quick', '--json'], {
      encoding: 'utf8',
      timeout: 110_000,
    });
    expect(status, stderr).toBe(0);
    const found = JSON.parse(stdout) as Verification;
    expect(found).toMatchObject({ size: 'quick', seed: 1, passed: true, backend: { name: 'cpu' } });
    expect(broken(found)).toEqual([]);
    // All of it was there, and errors are measured, not assumed.
    for (const dtype of ['float32', 'bfloat16', 'float16', 'float64'])
      for (const group of [
        'rows at once',
        'streamed',
        'long rows',
        'odd lengths',
        'preconditioned',
        'many tensors',
        'random shapes',
        'hostile numbers',
      ]) {
        const each = found.sums.find((sums) => sums.group === group && sums.dtype === dtype)!;
        expect(each.largest, `${group}, ${dtype}`).toBeGreaterThan(0);
        expect(each.promised).toBe(dtype === 'float64' ? 1e-12 : group === 'hostile numbers' ? 1.6e-5 : 1e-6);
      }
    expect(found.bits).toHaveLength(8);
    expect(found.weights.map(({ rule }) => rule)).toEqual([
      'pike',
      'mirror',
      'conceptual',
      'balanced',
      'gramian',
    ]);
    console.info(`verify --quick: ${found.seconds.toFixed(1)} s`);
  }, 120_000);

  it('holds the reference against plain loops, with another seed', async () => {
    const found = await verify({ ...openSubject('reference'), size: 'tiny', seed: 7 });
    expect(broken(found)).toEqual([]);
    expect(found.seed).toBe(7);
    expect(found.bits.map(({ what }) => what)).toContain('float32, in 3 runs');
  }, 120_000);
});

describe('a wrong backend', () => {
  const scaled = (values: Float64Array, factor: number) => values.map((x) => x * factor);

  it('is found out: exit code 1, and the table says where', async () => {
    const off = planted(
      (moments) => ({ ...moments, meanNormSquared: scaled(moments.meanNormSquared, 1 + 3e-5) }),
      'moments',
    );
    const { io, printed } = catchingIo();
    const command = verifyCommand(io, () => off).exitOverride();
    const failure = await command.parseAsync(['--quick'], { from: 'user' }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CommandFailure);
    expect((failure as CommandFailure).exitCode).toBe(1);
    const { out } = printed();
    expect(out).toMatch(/rows at once +float32 .*BROKEN/);
    expect(out).toMatch(/rows at once, float32: worst in float32, rows/);
    expect(out).toMatch(/A PROMISE IS BROKEN/);
    expect(out).toMatch(/streamed +float32 .*kept/);
  }, 120_000);

  it('is found out wherever it is wrong', async () => {
    // One product a little too large; streams alone; NaN; other bits each time; no scalars per row.
    const subtle = planted(
      (moments) => ({
        ...moments,
        meanInner:
          moments.meanInner?.map((x, i) =>
            i === 1 ? x + 2e-6 * Math.sqrt(moments.meanNormSquared[0] * moments.meanNormSquared[1]) : x,
          ) ?? null,
      }),
      'moments',
    );
    const streams = planted(
      (moments) => ({ ...moments, deviation: scaled(moments.deviation, 1.001) }),
      'stream',
    );
    let calls = 0;
    const restless = planted(
      (moments) => ({ ...moments, deviation: scaled(moments.deviation, 1 + (calls++ % 2) * Number.EPSILON) }),
      'moments',
    );
    const rowless = planted((moments) => ({ ...moments, rowDeviation: null, rowAlignment: null }), 'moments');
    const found = [];
    for (const { backend } of [subtle, streams, restless, rowless])
      found.push(broken(await verify({ backend, size: 'tiny' })));
    expect(found[0]).toContain('rows at once');
    expect(new Set(found[1])).toContain('streamed');
    expect(found[1]).not.toContain('rows at once');
    expect(found[2]).toContain('bits');
    expect(found[3]).toContain('rows at once');
  }, 240_000);
});

describe('wrong usage', () => {
  it.each([
    [['--backend', 'gpu'], /Allowed choices are cpu, cuda, reference/],
    [['--seed', 'x'], /integer >= 0/],
    [['--seed', '-1'], /integer >= 0/],
  ])('%j', async (args, message) => {
    const { code, out, err } = await runCli('verify', ...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
  });

  it('a backend that cannot be had fails the check, with the reason', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, 'verify', '--quick'], {
      encoding: 'utf8',
      env: { ...process.env, PIKE_MIXER_ADDON: '/nowhere.node' },
    });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(
      /^error: backend 'cpu' cannot be had: \/nowhere\.node: there is no such file.*\(ERR_NO_BACKEND\)\n$/,
    );
  });
});
