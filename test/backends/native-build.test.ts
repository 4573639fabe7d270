import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { addonCandidates, loadAddon, loadFirst } from '../../lib/backends/load-addon.js';
import { compileFakeDriver, compileLibrary, compiler } from '../support/fake-driver.js';
import { installPacked, npmScript, pack } from '../support/packed.js';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

const folders: string[] = [];

/** An empty folder, for as long as these tests run. */
function folder(): string {
  folders.push(mkdtempSync(join(tmpdir(), 'pike-test-')));
  return folders[folders.length - 1];
}

afterAll(() => {
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

function find(command: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((path) => join(path, command))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** What is on the PATH may be a script of a version manager, which is lost without its surroundings. */
function realPython(): string {
  const code = 'import sys; print(sys.executable)';
  return spawnSync('python3', ['-c', code], { encoding: 'utf8' }).stdout.trim();
}

/** A PATH with these commands and no others: those of the machine, or shell scripts. */
function pathWith(commands: Record<string, true | string>): string {
  const path = folder();
  for (const [command, script] of Object.entries(commands)) {
    if (script === true)
      symlinkSync(command === 'python3' ? realPython() : find(command)!, join(path, command));
    else writeFileSync(join(path, command), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return path;
}

/** Runs a script of native/ with nothing of this process's environment, an empty HOME and the given variables. */
function script(name: string, args: string[], env: Record<string, string>) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'native', name), ...args], {
    cwd: ROOT,
    env: { HOME: folder(), ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('loading', () => {
  it('finds the addon, and nothing else once one is named', () => {
    expect(loadAddon().addon?.buildInfo.napiVersion).toBe(9);
    expect(addonCandidates({}).map((path) => path.slice(ROOT.length + 1))).toEqual([
      'build-cmake/Release/pike_mixer.node',
      'build/Release/pike_mixer.node',
      `prebuilds/${process.platform}-${process.arch}/pike_mixer.node`,
    ]);
    expect(addonCandidates({ PIKE_MIXER_ADDON: '/some/where.node' })).toEqual(['/some/where.node']);
  });

  it('keeps every reason', () => {
    const missing = join(folder(), 'missing.node');
    const nonsense = join(folder(), 'nonsense.node');
    writeFileSync(nonsense, 'throw new Error("must not be run")');
    const { addon, path, reasons } = loadFirst([missing, nonsense]);
    expect([addon, path]).toEqual([null, null]);
    expect(reasons).toHaveLength(2);
    expect(reasons[0]).toBe(`${missing}: there is no such file`);
    expect(reasons[1]).toMatch(/nonsense\.node: .*(no library \(ELF\)|not a mach-o|valid Win32)/i);
  });

  it('goes on to the next candidate, and keeps why', () => {
    const good = loadAddon().path!;
    const { path, reasons } = loadFirst(['/nowhere.node', good]);
    expect(path).toBe(good);
    expect(reasons).toEqual(['/nowhere.node: there is no such file']);
  });

  it.runIf(compiler)('refuses an addon of another interface', () => {
    const other = compileLibrary(
      join(folder(), 'other.node'),
      `#include <node_api.h>
       NAPI_MODULE_INIT() {
         napi_value version;
         napi_create_int32(env, 999, &version);
         napi_set_named_property(env, exports, "apiVersion", version);
         return exports;
       }`,
    );
    const { addon, reasons } = loadFirst([other]);
    expect(addon).toBeNull();
    expect(reasons[0]).toMatch(/its interface is version 999, \d+ was expected: run `npm run build:native`/);
  });
});

describe('CUDA', () => {
  const ask = (env: Record<string, string>) => {
    const code = `
      const { createRequire } = require('node:module');
      const native = require(${JSON.stringify(loadAddon().path)});
      console.log(JSON.stringify(native.cudaProbe()));`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', code], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    return JSON.parse(stdout);
  };
  const cuda = loadAddon().addon?.buildInfo.cuda;
  const compiled = cuda?.compiled === true;

  it('says what the kernels were compiled for', () => {
    expect(cuda?.architectures.length !== 0).toBe(compiled);
    for (const name of cuda?.architectures ?? [])
      expect(name).toMatch(/^(\d+[af]?(-real|-virtual)?|all|all-major|native)$/);
  });

  it.runIf(compiled && compiler && process.platform === 'linux').each([
    [100, 13000, /cudaErrorNoDevice \(100\)/],
    [999, 13000, /cudaErrorUnknown \(999\)/],
    [0, 11000, /cudaErrorInsufficientDriver \(35\)/],
  ])('explains a driver whose cuInit gives %i, of version %i', (result, version, error) => {
    const driver = folder();
    compileFakeDriver(driver, { init: result, version });
    const probe = ask({ LD_LIBRARY_PATH: driver });
    expect(probe.devices).toEqual([]);
    expect(probe.error).toMatch(error);
  });
});

describe('building', () => {
  it('compiles the same sources with either tool, and all there are', () => {
    const listed = (file: string) =>
      [...new Set(readFileSync(join(ROOT, file), 'utf8').match(/native\/[\w/]+\.(?:cpp|cu)\b/g))].sort();
    const present = readdirSync(join(ROOT, 'native'), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(cpp|cu)$/.test(file) && !file.startsWith('portable')) // with CMake alone
      .map((file) => `native/${file.replaceAll('\\', '/')}`)
      .sort();
    expect(listed('CMakeLists.txt')).toEqual(present);
    expect(listed('binding.gyp')).toEqual(present);
  });

  it('includes napi.h and CUDA only where they belong', () => {
    for (const file of readdirSync(join(ROOT, 'native'), { recursive: true, encoding: 'utf8' })) {
      if (!/\.(cpp|h|cu|cuh)$/.test(file)) continue;
      const text = readFileSync(join(ROOT, 'native', file), 'utf8');
      if (!file.startsWith('addon')) expect(text, file).not.toMatch(/#include [<"](napi|node_api|addon\/)/);
      if (!file.startsWith('cuda')) expect(text, file).not.toMatch(/#include [<"]cuda_/);
      // Linked in, libstdc++ brings all of its locales for a stream: half a megabyte.
      if (!file.startsWith('portable'))
        expect(text, file).not.toMatch(
          /#include <([io]?s?f?stream|sstream|fstream|iostream|iomanip|locale|regex)>/,
        );
      if (file.startsWith('core')) expect(text, file).not.toMatch(/#include "(cpu|cuda)\//);
      expect(text.split('\n').length, file).toBeLessThan(400);
    }
  });

  it('says what is missing on a machine without CMake and Python', () => {
    const { status, stderr } = script('build.mjs', [], { PATH: pathWith({}) });
    expect(status).toBe(1);
    expect(stderr).toMatch(/neither CMake nor Python 3 works here.*Install CMake.*npm run build:native/);
  });

  it('takes a command that does not work for one that is missing', () => {
    const PATH = pathWith({ cmake: 'exit 1', python3: 'echo Python 2.7.18' });
    expect(script('build.mjs', [], { PATH }).stderr).toMatch(/neither CMake nor Python 3/);
    expect(script('build.mjs', ['--tool=cmake'], { PATH }).stderr).toMatch(/no working cmake/);
    expect(script('build.mjs', ['--tool=gyp'], { PATH }).stderr).toMatch(/no Python 3/);
  });

  it('refuses options that it does not know', () => {
    const PATH = pathWith({});
    expect(script('build.mjs', ['--tool=make'], { PATH }).stderr).toMatch(
      /--tool must be cmake or gyp, but is 'make'/,
    );
    expect(script('build.mjs', ['--cuda=yes'], { PATH }).stderr).toMatch(/--cuda must be auto, on or off/);
    expect(script('build.mjs', ['--fast'], { PATH }).stderr).toMatch(/Unknown option '--fast'/);
    expect(script('build.mjs', [], { PATH, PIKE_CUDA: 'maybe' }).stderr).toMatch(
      /--cuda must be auto, on or off/,
    );
  });

  it('counts a broken nvcc as none, unless one is asked for', () => {
    const PATH = pathWith({ nvcc: 'echo broken >&2; exit 1' });
    expect(script('find-cuda.mjs', [], { PATH })).toEqual({ status: 0, stdout: '', stderr: '' });
    const asked = script('find-cuda.mjs', [], { PATH, PIKE_CUDA: 'on' });
    expect(asked.status).toBe(1);
    expect(asked.stderr).toMatch(/PIKE_CUDA is on, but .*nvcc.*Put a working nvcc on the PATH/);

    // It knows where it lives, but cannot compile.
    const halfBroken = pathWith({ nvcc: 'echo "#$ TOP=/opt/cuda/bin/.." >&2; test "$1" = --dryrun' });
    expect(script('find-cuda.mjs', [], { PATH: halfBroken }).stdout).toBe('');
  });

  const nvccOf = (version: string) => ({
    PATH: pathWith({ nvcc: `echo 'Cuda compilation tools, release ${version}, V${version}.1'` }),
  });

  it('compiles kernels for the same architectures with either tool', () => {
    const cmake = readFileSync(join(ROOT, 'CMakeLists.txt'), 'utf8');
    const listed = [...cmake.matchAll(/set\(CMAKE_CUDA_ARCHITECTURES (.*)\)/g)].map(([, list]) => list);
    const printed = ['13.0', '12.8', '12.7', '12.0'].map(
      (version) => script('cuda-architectures.mjs', [], nvccOf(version)).stdout,
    );
    const [recent, old] = listed.map((list) => list.replaceAll(' ', ','));
    expect(printed).toEqual([recent, recent, old, old]);
    expect(listed).toHaveLength(2);
  });

  it('takes architectures from CUDAARCHS, and nothing that is none', () => {
    const ask = (CUDAARCHS: string, ...args: string[]) =>
      script('cuda-architectures.mjs', args, { ...nvccOf('12.0'), CUDAARCHS });
    expect(ask('90').stdout).toBe('90');
    expect(ask('75-virtual;90').stdout).toBe('75-virtual,90');
    expect(ask('75-virtual;80-real;90', '--flags').stdout.trim().split('\n')).toEqual([
      '-gencode=arch=compute_75,code=compute_75',
      '-gencode=arch=compute_80,code=sm_80',
      '-gencode=arch=compute_90,code=sm_90',
      '-gencode=arch=compute_90,code=compute_90',
      '-Xfatbin=-compress-all',
    ]);
    expect(ask('native', '--flags').stdout).toMatch(/^-arch=native$/m);
    const refused = ask('sm_90', '--flags');
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toMatch(/CUDAARCHS: 'sm_90' is no architecture such as 90/);
  });

  it('rebuilds kernels when a header changes', () => {
    const named = script('cuda-architectures.mjs', ['--headers'], {}).stdout.trim().split('\n');
    const included = (file: string): string[] =>
      [...readFileSync(join(ROOT, file), 'utf8').matchAll(/#include "([\w/]+\.h)"/g)]
        .map(([, name]) => `native/${name}`)
        .filter((name) => name !== 'native/emulator/cuda.h'); // of the tests, never seen by nvcc
    const needed = new Set(
      readdirSync(join(ROOT, 'native/cuda'))
        .filter((file) => file.endsWith('.cu'))
        .map((file) => `native/cuda/${file}`),
    );
    for (const file of needed) for (const name of included(file)) needed.add(name);
    const headers = [...needed].filter((file) => file.endsWith('.h'));
    expect(headers.length).toBeGreaterThan(10);
    expect(named).toEqual(expect.arrayContaining(headers));
  });

  it('finds violations of the format', () => {
    expect(script('format.mjs', ['--dry-run', '--Werror'], { PATH: '' })).toMatchObject({
      status: 0,
      stderr: '',
    });
    expect(
      script('format.mjs', ['--style={BasedOnStyle: GNU}', '--dry-run', '--Werror'], { PATH: '' }).status,
    ).not.toBe(0);
  });
});

/** Whole builds take a minute or two: `PIKE_TEST_BUILDS=1 npx vitest run test/backends/native-build.test.ts`. */
describe.runIf(process.env.PIKE_TEST_BUILDS)('whole builds, with an empty HOME', () => {
  const common = [
    'sh',
    'c++',
    'cc',
    'g++',
    'gcc',
    'make',
    'as',
    'ld',
    'ar',
    'ranlib',
    'node',
    'touch',
    'printf',
    'mkdir',
    'rm',
    'cp',
  ];
  const tools = (...names: string[]) =>
    Object.fromEntries(
      [...common, 'ln', 'sed', 'cat', 'dirname', ...names].filter(find).map((name) => [name, true as const]),
    );
  const cases: [string, Record<string, true | string>, string[], RegExp][] = [
    ['cmake, no Python, no nvcc', tools('cmake'), [], /build-cmake.*without CUDA/],
    ['cmake and a broken nvcc', { ...tools('cmake'), nvcc: 'exit 1' }, [], /build-cmake.*without CUDA/],
    ['Python, no cmake, no nvcc', tools('python3'), [], /build\/.*without CUDA/],
    ['Python and a broken nvcc', { ...tools('python3'), nvcc: 'exit 1' }, [], /build\/.*without CUDA/],
  ];

  it.each(cases)(
    '%s',
    (_, commands, args, expected) => {
      const copy = folder();
      for (const file of ['native', 'CMakeLists.txt', 'binding.gyp', 'package.json'])
        cpSync(join(ROOT, file), join(copy, file), { recursive: true });
      symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [join(copy, 'native/build.mjs'), ...args],
        {
          cwd: copy,
          env: { HOME: folder(), PATH: pathWith(commands) },
          encoding: 'utf8',
        },
      );
      expect(status, stdout + stderr).toBe(0);
      expect(stdout).toMatch(expected);
    },
    300_000,
  );

  it('of an installed package: CMake alone, without its development dependencies', () => {
    const root = folder();
    const consumer = installPacked(pack(root), root);
    const installed = join(consumer, 'node_modules/pike-mixer');
    const env = { HOME: folder(), PATH: pathWith(tools('cmake')) };
    const build = spawnSync(process.execPath, [npmScript(), 'run', 'build:native'], {
      cwd: installed,
      env,
      encoding: 'utf8',
    });
    expect(build.status, build.stdout + build.stderr).toBe(0);
    expect(build.stdout).toMatch(/build-cmake.*without CUDA/);
    const code = `import('pike-mixer').then(({ Mixer }) =>
      console.log(new Mixer({ tasks: ['a', 'b'], batchSize: 8 }).backend.reason))`;
    const { stdout } = spawnSync(process.execPath, ['-e', code], { cwd: consumer, env, encoding: 'utf8' });
    expect(stdout).toMatch(/^native kernels .*pike-mixer.build-cmake.Release/);
  }, 300_000);
});
