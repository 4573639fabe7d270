/** `npm run bench -- gpu` as a whole: without a GPU, on an emulated one, and out of an archive. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Mixer } from '../../lib/index.js';
import { compileEmulatedAddon } from '../native/emulated-addon.js';

const program = resolve(fileURLToPath(new URL('../../dist-bench/main.js', import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'pike-bench-'));
const unpacked = join(folder, 'pike-mixer-bench');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (command: string, args: string[], env: Record<string, string> = {}) => {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: folder,
    env: { ...process.env, PIKE_MIXER_ADDON: '', ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
};
const bench = (args: string[], env: Record<string, string> = {}) =>
  run(process.execPath, [program, ...args], env);

/** Whether a GPU can be used here. */
function hasGpu(): boolean {
  try {
    new Mixer({ tasks: ['a', 'b'], batchSize: 2, backend: 'cuda' }).dispose();
    return true;
  } catch {
    return false;
  }
}
const noGpu = /^bench gpu: no GPU can be used: .+\n$/;

describe('the command', () => {
  it('where no GPU can be used: one clear line, exit code 2', () => {
    if (hasGpu()) return;
    for (const args of [['gpu'], ['gpu', '--quick'], ['gpu', '--part', 'bits']]) {
      const { status, stdout, stderr } = bench(args);
      expect(stderr).toMatch(noGpu);
      expect([status, stdout]).toEqual([2, '']);
    }
  });

  it('without an addon: why', () => {
    const { status, stderr } = bench(['gpu'], { PIKE_MIXER_ADDON: '/nowhere.node' });
    expect(stderr).toMatch(/^bench gpu: no GPU can be used: .*nowhere\.node: there is no such file.*\n$/);
    expect(status).toBe(2);
  });

  it.each([
    ['no bench', [], /expected one of gpu, cpu, rules first/],
    ['a bench that there is not', ['tpu'], /expected one of gpu, cpu, rules first, but got 'tpu'/],
    ['a size that there is not', ['gpu', '--size', 'huge'], /--size must be one of full, quick, tiny/],
    ['a part that there is not', ['gpu', '--part', 'x'], /--part must be one of environment, parity/],
    ['a flag that there is not', ['gpu', '--fast'], /--fast.*--help/],
    ['Node for no archive', ['gpu', '--with-node'], /--with-node goes with --bundle/],
  ])('%s is one clear line, exit code 1', (_, args, message) => {
    const { status, stderr } = bench(args);
    expect(stderr).toMatch(message);
    expect([status, stderr.split('\n').length]).toEqual([1, 2]);
  });

  it('without a name, tells the names', () => {
    for (const flag of ['--help', '-h']) {
      const { status, stdout, stderr } = bench([flag]);
      expect([status, stderr]).toEqual([0, '']);
      for (const name of ['cpu', 'gpu', 'rules']) expect(stdout).toMatch(new RegExp(`^  ${name} +\\w`, 'm'));
    }
  });

  it('explains itself', () => {
    const { status, stdout } = bench(['gpu', '--help']);
    expect(status).toBe(0);
    for (const flag of ['--quick', '--json', '--bundle', '--with-node', '--part'])
      expect(stdout).toContain(flag);
  });
});

describe('the archive', () => {
  beforeAll(() => {
    const file = join(folder, 'bench.tar.xz');
    const { status, stdout, stderr } = bench(['gpu', '--bundle', file]);
    expect(stderr).toBe('');
    expect([status, stdout]).toEqual([0, expect.stringMatching(/ MB; unpack it/)]);
    expect(statSync(file).size).toBeLessThan(40e6);
    expect(run('tar', ['-xJf', file]).status).toBe(0);
  }, 120_000);

  it('runs in an empty folder, and says there what it says here', () => {
    const { status, stdout, stderr } = run('sh', [join(unpacked, 'run.sh'), '--quick']);
    if (hasGpu()) return;
    expect(stderr).toMatch(noGpu);
    // It has an addon that loads.
    expect(stderr).not.toContain('could not be loaded');
    expect([status, stdout]).toEqual([2, '']);
  });
});

describe('a part that crashes', () => {
  it('is a broken promise, and does not take the bench along', () => {
    const source = join(folder, 'crash.c');
    const addon = join(folder, 'crash.node');
    writeFileSync(
      source,
      '#include <stdlib.h>\n__attribute__((constructor)) static void crash(void) { abort(); }\n',
    );
    expect(run('cc', ['-shared', '-fPIC', '-o', addon, source]).status).toBe(0);
    const json = join(folder, 'crash.json');
    const { status, stdout } = bench(['gpu', '--json', json], { PIKE_MIXER_ADDON: addon });
    expect(stdout).toContain('BROKEN: the part runs to its end: ended by SIGABRT, promised a report');
    expect(status).toBe(1);
    expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({ passed: false, parts: {} });
  });
});

describe('on an emulated GPU', () => {
  let emulated: { PIKE_MIXER_ADDON: string };
  beforeAll(async () => {
    emulated = { PIKE_MIXER_ADDON: await compileEmulatedAddon() };
  }, 600_000);

  it('every part runs and every promise is kept', () => {
    // A PyTorch that answers for every shape, as peers.py would.
    writeFileSync(
      join(folder, 'python3'),
      `#!${process.execPath}
       const { shapes } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
       const results = shapes.flatMap((shape) => ['var_mean', 'A @ A.T'].map((form) =>
         ({ shape, form, device_ms: [7], whole_ms: [8] })));
       console.log(JSON.stringify({ torch: '9', device: 'a GPU', notes: [], results }));`,
      { mode: 0o755 },
    );
    const json = join(folder, 'result.json');
    const { status, stdout, stderr } = bench(['gpu', '--size', 'tiny', '--json', json], {
      ...emulated,
      PATH: `${folder}${delimiter}${process.env.PATH}`,
    });
    expect(stdout).not.toContain('BROKEN');
    expect([status, stderr]).toEqual([0, expect.stringContaining('PyTorch')]);
    const result = JSON.parse(readFileSync(json, 'utf8'));
    expect(result).toMatchObject({
      bench: 'gpu',
      size: 'tiny',
      passed: true,
      command: `bench gpu --size tiny --json ${json}`,
      environment: { device: 'Emulated GPU', driver: '13.0' },
    });
    const { parity, weights, mixer, bits, sanitizer, throughput, PyTorch } = result.parts;
    expect(parity.checks.length).toBeGreaterThan(40);
    expect(weights.checks.length).toBe(12);
    expect(mixer.checks.length).toBe(3 * 2 * 3 * 2 + 1);
    expect(bits.checks.length).toBeGreaterThan(30);
    expect(sanitizer.notes.length + sanitizer.checks.length).toBeGreaterThan(0);
    expect(PyTorch.data.map((each: { form: string }) => each.form)).toEqual(
      new Array(12).fill(['var_mean', 'A @ A.T']).flat(),
    );
    for (const { whole, ours } of PyTorch.data) expect(whole).toBe(8 / ours.wall.median);
    const [shape] = throughput.data.shapes;
    expect(shape.device).toEqual({
      median: expect.any(Number),
      min: expect.any(Number),
      max: expect.any(Number),
      count: 2,
    });
    expect(throughput.tables.length).toBe(2);
  }, 120_000);

  it('bits that are not the emulator’s break a promise', () => {
    const file = join(unpacked, 'bench/gpu/emulated-bits.json');
    const bits = JSON.parse(readFileSync(file, 'utf8'));
    const [name] = Object.keys(bits);
    const numbers = bits[name!].split(' ').map(Number);
    numbers[1] *= 1 + Number.EPSILON;
    bits[name!] = numbers.join(' ');
    writeFileSync(file, JSON.stringify(bits));
    const { status, stdout } = run(
      'sh',
      [join(unpacked, 'run.sh'), '--part', 'bits', '--size', 'tiny'],
      emulated,
    );
    expect(stdout.match(/^BROKEN: .*$/gm)).toEqual([
      `BROKEN: as in the emulator: ${name}: 1 numbers differ, promised the same bits`,
    ]);
    expect(status).toBe(1);
  }, 120_000);
});
