/** Machines with something wrong, each in a process of its own: the true cause is told, and what to do. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { libc } from '../../lib/backends/addon-file.js';
import { loadAddon } from '../../lib/backends/load-addon.js';
import type { Diagnosis } from '../../lib/diagnosis/diagnosis.js';
import * as broken from '../support/broken-addons.js';
import { compileFakeDriver, compiler } from '../support/fake-driver.js';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const folder = mkdtempSync(join(tmpdir(), 'pike-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const addon = loadAddon();
// Tests of native code must fail, not be skipped, where it is not built.
if (!addon.addon) throw new Error(`run \`npm run build:native\` first: ${addon.reasons.join('; ')}`);

function runDoctor(env: NodeJS.ProcessEnv, args: string[] = [], root = ROOT) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'dist/cli/bin.js'), 'doctor', ...args],
    {
      env: { ...process.env, ...env },
      encoding: 'utf8',
      timeout: 60_000,
    },
  );
  return { status, stdout, stderr };
}

function doctor(
  env: NodeJS.ProcessEnv,
  root?: string,
): { status: number | null; found: Diagnosis; advice: string } {
  const { status, stdout, stderr } = runDoctor(env, ['--json'], root);
  expect(stderr).toBe('');
  const found = JSON.parse(stdout) as Diagnosis;
  return { status, found, advice: found.advice.map(({ text }) => text).join('\n') };
}

describe.runIf(process.platform === 'linux')('doctor', () => {
  it('tells what works, and where it comes from', () => {
    const { status, found } = doctor({ PIKE_MIXER_ADDON: addon.path! });
    expect(status).toBe(0);
    expect(found).toMatchObject({
      healthy: true,
      node: { version: process.version, platform: 'linux', arch: process.arch, libc: libc() },
      addon: {
        path: addon.path,
        candidates: [{ path: addon.path, state: 'loaded', failure: null }],
        build: { compiler: addon.addon!.buildInfo.compiler, nodeApi: 9 },
        instructionSet: { inUse: addon.addon!.buildInfo.instructionSet, complaint: null },
      },
      auto: { host: { backend: 'cpu', reason: expect.stringMatching(/^native kernels/) } },
      environment: { PIKE_MIXER_ADDON: addon.path },
      stacks: expect.arrayContaining([
        { name: '@tensorflow/tfjs', version: '4.22.0', supported: '>=4.10', fits: true },
      ]),
    });
    expect(found.addon.instructionSet!.usable).toContain(found.addon.instructionSet!.inUse);
  });

  it('without --json prints a page', () => {
    const { status, stdout, stderr } = runDoctor({ PIKE_MIXER_ADDON: addon.path! });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const part of [
      addon.path!,
      'kernels for',
      'CUDA',
      'gradients in host memory: cpu',
      'The native addon works here.',
    ])
      expect(stdout).toContain(part);
  });

  describe('the addon', () => {
    const other = process.arch === 'arm64' ? 'x64' : 'arm64';
    const cases: [string, (file: string) => string, RegExp, RegExp][] = [
      [
        'that is named but missing',
        (file) => file,
        /there is no such file/,
        /PIKE_MIXER_ADDON names .*unset it/,
      ],
      ['that is cut off', broken.truncated, /the file is cut off/, /Remove .*damaged/],
      ['that is empty', broken.empty, /the file is empty/, /Remove .*damaged/],
      ['that is random bytes', broken.noise, /no library \(ELF\)/, /Remove .*damaged/],
      ['that is a text', broken.text, /no library \(ELF\)/, /Remove .*damaged/],
      [
        'that is overwritten behind its header',
        broken.overwritten,
        /damaged: a process that loads it ends with/,
        /Remove .*damaged/,
      ],
      [
        'of another machine',
        broken.ofAnotherMachine,
        new RegExp(`built for ${other}`),
        /Install pike-mixer with the Node\.js/,
      ],
    ];
    if (compiler)
      cases.push([
        'of another interface',
        broken.ofAnotherInterface,
        /interface is version 999/,
        /another version of pike-mixer: build/,
      ]);
    if (process.arch === 'x64' && libc().name === 'glibc')
      cases.push([
        'of a newer glibc',
        broken.ofNewerGlibc,
        /needs glibc 9\.99, but this system has/,
        /newer or another system: build/,
      ]);

    it.each(cases)('%s', (name, make, cause, todo) => {
      const path = make(join(folder, `${name.replaceAll(' ', '-')}.node`));
      const { status, found, advice } = doctor({ PIKE_MIXER_ADDON: path });
      expect(status).toBe(1);
      expect(found.healthy).toBe(false);
      expect(found.addon).toMatchObject({ path: null, build: null });
      expect(found.addon.candidates).toEqual([
        {
          path,
          state: 'failed',
          failure: { trouble: expect.any(String), cause: expect.stringMatching(cause) },
        },
      ]);
      expect(found.auto.host.backend).not.toBe('cpu');
      expect(found.auto.host.reason).toMatch(cause);
      expect(advice).toMatch(todo);
      expect(advice).toMatch(/PIKE_MIXER_ADDON names/);
    });

    /** A package of its own, whose addon can be removed. */
    function packageWith(name: string, addons: Record<string, (file: string) => string>): string {
      const root = join(folder, name);
      cpSync(join(ROOT, 'dist'), join(root, 'dist'), { recursive: true });
      cpSync(join(ROOT, 'package.json'), join(root, 'package.json'));
      symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
      for (const [path, make] of Object.entries(addons)) {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        make(join(root, path));
      }
      return root;
    }
    const candidates = [
      'build-cmake/Release/pike_mixer.node',
      'build/Release/pike_mixer.node',
      `prebuilds/${process.platform}-${process.arch}/pike_mixer.node`,
    ];

    it('that is removed: every place where it was looked for', () => {
      const root = packageWith('removed', {});
      const { status, found, advice } = doctor({ PIKE_MIXER_ADDON: '' }, root);
      expect(status).toBe(1);
      const cause = expect.stringMatching(/^there is no such file/);
      const failure = { trouble: 'missing', cause };
      expect(found.addon.candidates).toEqual(
        candidates.map((path) => ({ path: join(root, path), state: 'failed', failure })),
      );
      expect(found.auto.host).toEqual({
        backend: 'reference',
        reason: expect.stringMatching(/no such file/),
      });
      expect(advice).toMatch(
        /^There is no addon: install pike-mixer again, or build it with `npm run build:native` in/,
      );
    });

    it('that is damaged, beside one that is not', () => {
      const root = packageWith('second', {
        [candidates[0]]: broken.truncated,
        [candidates[1]]: broken.whole,
      });
      const { status, found, advice } = doctor({ PIKE_MIXER_ADDON: '' }, root);
      expect(status).toBe(0);
      expect(found.addon.path).toBe(join(root, candidates[1]));
      expect(found.addon.candidates.map(({ state }) => state)).toEqual(['failed', 'loaded', 'not tried']);
      expect(advice).toMatch(/^Remove .*build-cmake.*damaged/);
      expect(advice).not.toContain('\n');
    });
  });

  it('an instruction set that does not exist', () => {
    const { status, found, advice } = doctor({ PIKE_MIXER_INSTRUCTION_SET: 'sse9' });
    expect(status).toBe(1);
    expect(found.addon.instructionSet!.complaint).toMatch(/'sse9', but this machine has .*portable/);
    expect(found.auto.host).toMatchObject({ backend: 'reference', reason: expect.stringMatching(/sse9/) });
    expect(advice).toMatch(/^Unset PIKE_MIXER_INSTRUCTION_SET, or set it to one of .*portable\.$/);
  });

  it('a variable that nobody reads', () => {
    const { status, advice } = doctor({ PIKE_MIXER_INSTRUCTIONSET: 'avx2' });
    expect(status).toBe(0);
    expect(advice).toMatch(/^Nobody reads PIKE_MIXER_INSTRUCTIONSET: .*PIKE_MIXER_INSTRUCTION_SET\.$/);
  });
});

describe.runIf(addon.addon?.buildInfo.cuda.compiled && compiler && process.platform === 'linux')(
  'a CUDA driver',
  () => {
    const cases: [string, { init: number; version: number } | null, RegExp, RegExp][] = [
      ['that is missing', null, /^no NVIDIA driver is installed/, /^$|no driver|libcuda\.so\.1 is not found/],
      [
        'that is far too old',
        { init: 0, version: 11040 },
        /too old: it serves CUDA 11\.4, but/,
        /^Update the NVIDIA driver to one that serves CUDA \d+/,
      ],
      [
        'that is too old',
        { init: 0, version: 12080 },
        /too old: it serves CUDA 12\.8, but/,
        /^Update the NVIDIA driver/,
      ],
      [
        'without a GPU',
        { init: 100, version: 13000 },
        /finds no GPU .*\(100\)/,
        /nvidia-smi|CUDA_VISIBLE_DEVICES/,
      ],
      ['that is broken', { init: 999, version: 13000 }, /does not work \(.*\(999\)/, /nvidia-smi/],
      [
        'that does not match its kernel module',
        { init: 803, version: 13000 },
        /does not work \(.*\(803\)/,
        /different versions: restart/,
      ],
      ['that does not start', { init: 3, version: 13000 }, /does not work \(.*\(3\)/, /nvidia-smi/],
    ];
    it.each(cases)('%s', (_, driver, reason, todo) => {
      const path = mkdtempSync(join(folder, 'driver-'));
      if (driver) compileFakeDriver(path, driver);
      else writeFileSync(join(path, 'libcuda.so.1'), '');
      const { status, found, advice } = doctor({ LD_LIBRARY_PATH: path, PIKE_MIXER_ADDON: addon.path! });
      // The addon works; that there is no GPU is no failure.
      expect(status).toBe(0);
      expect(found.cuda).toMatchObject({
        compiled: true,
        usable: false,
        driver: driver !== null,
        reason: expect.stringMatching(reason),
        driverVersion: driver && `${Math.floor(driver.version / 1000)}.${(driver.version % 1000) / 10}`,
      });
      expect(found.auto.host.backend).toBe('cpu');
      expect(found.auto.device).toEqual({
        backend: null,
        reason: expect.stringMatching(reason.source.replace('^', '')),
      });
      expect(advice).toMatch(todo);
    });

    it('whose GPUs are hidden', () => {
      const path = mkdtempSync(join(folder, 'driver-'));
      compileFakeDriver(path, { init: 100, version: 13000 });
      const { advice, found } = doctor({ LD_LIBRARY_PATH: path, CUDA_VISIBLE_DEVICES: '7' });
      expect(found.environment).toMatchObject({ CUDA_VISIBLE_DEVICES: '7', LD_LIBRARY_PATH: path });
      expect(advice).toMatch(/^CUDA_VISIBLE_DEVICES is '7': unset it/);
    });
  },
);
