/**
 * The tarball: what is in it, that its binary loads on other systems than this one, and that tools which read packages
 * find nothing wrong with it.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, watch } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Elf, newestGlibc } from '../../native/elf.mjs';
import { readFatbins } from '../../native/fatbin.mjs';
import { NEWEST_GLIBC, portabilityFaults } from '../../native/prebuild.mjs';
import { type Packed, pack, ROOT, run, runWell, temporaryFolder } from '../support/packed.js';
import { BUNDLE_NOTICES } from './licenses.mjs';

const MOST_BYTES = 3_000_000;
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const here = `prebuilds/${process.platform}-${process.arch}`;

let folder: string;
let packed: Packed;
let unpacked: string;

beforeAll(() => {
  folder = temporaryFolder();
  packed = pack(folder);
  unpacked = join(folder, 'unpacked');
  mkdirSync(unpacked);
  runWell('tar', ['-xzf', packed.tarball, '-C', unpacked, '--strip-components=1'], folder);
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const paths = () => packed.files.map(({ path }) => path);

describe('the making of the binary', () => {
  it('leaves nothing unfinished in prebuilds/, not even for a moment: it would be packed', async () => {
    const seen: string[] = [];
    const watcher = watch(join(ROOT, 'prebuilds'), (_, name) => seen.push(String(name)));
    try {
      const script = [join(ROOT, 'native/prebuild.mjs'), '--no-build'];
      const child = spawn(process.execPath, script, { stdio: 'ignore' });
      expect(await new Promise((done) => child.on('close', done))).toBe(0);
      await new Promise((turn) => setTimeout(turn, 50));
    } finally {
      watcher.close();
    }
    expect(seen.filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

describe('the tarball', () => {
  it('is small', () => {
    expect(packed.size).toBeLessThan(MOST_BYTES);
  });

  it('has a binary, what every entry point names, what it takes to build, and the licences', () => {
    const entries = Object.values<string | Record<string, string>>(manifest.exports)
      .flatMap((entry) => (typeof entry === 'string' ? [entry] : Object.values(entry)))
      .concat(Object.values<string>(manifest.bin ?? {}))
      .map((path) => path.replace('./', ''));
    expect(paths()).toEqual(
      expect.arrayContaining([
        ...entries,
        `${here}/pike_mixer.node`,
        `${here}/build.json`,
        'native/build.mjs',
        'native/addon/addon.cpp',
        'CMakeLists.txt',
        'prebuilds/include/node-addon-api/napi.h',
        'prebuilds/include/node-addon-api/LICENSE.md',
        'prebuilds/include/node-api-headers/node_api.h',
        'prebuilds/include/node-api-headers/LICENSE',
        'docs/install.md',
        'README.md',
        'LICENSE',
        'SECURITY.md',
        'THIRD_PARTY_LICENSES.md',
        BUNDLE_NOTICES,
      ]),
    );
  });

  it('has nothing that nobody needs, or that is left over from sources that are gone', () => {
    const expected =
      /^(dist|docs|native|prebuilds|schema)\/|^[A-Z_]+(\.md)?$|^(package\.json|CMakeLists\.txt)$/;
    expect(paths().filter((path) => !expected.test(path))).toEqual([]);
    expect(paths().filter((path) => /^dist.*\.map$|\.(tsbuildinfo|log|o)$/.test(path))).toEqual([]);
    const compiled = paths().flatMap((path) => /^dist\/(.*?)(?:\.d\.ts|\.js)$/.exec(path)?.[1] ?? []);
    // The page of the report is bundled, of many.
    const strange = compiled.filter((name) => !existsSync(join(ROOT, `lib/${name}.ts`)));
    expect(strange).toEqual(['report/page']);
  });

  it('has no install script', () => {
    const { scripts, gypfile } = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'));
    expect(Object.keys(scripts).filter((name) => /install/.test(name))).toEqual([]);
    // npm would build by itself where there is a binding.gyp and no gypfile: false.
    expect(gypfile).toBe(false);
    expect(paths()).not.toContain('binding.gyp');
  });

  it('is in order, by publint', async () => {
    const { messages } = await publint({ pkgDir: unpacked, strict: true });
    expect(messages.map((message) => formatMessage(message, manifest))).toEqual([]);
  });

  it('has types that agree with its code, by arethetypeswrong', () => {
    const script = join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js');
    // For CommonJS, Node's own require(esm) is what it rests on.
    const args = [script, packed.tarball, '--profile', 'esm-only', '--format', 'json'];
    const { status, stdout } = run(process.execPath, args, folder);
    const { analysis } = JSON.parse(stdout);
    expect(Object.keys(analysis.entrypoints).sort()).toEqual(Object.keys(manifest.exports).sort());
    expect(status, stdout).toBe(0);
  });
});

describe.runIf(process.platform === 'linux')('its binary', () => {
  const file = () => readFileSync(join(unpacked, here, 'pike_mixer.node'));

  it('asks for no newer glibc than is promised, for no other library, and is stripped', () => {
    expect(portabilityFaults(file(), process.arch)).toEqual([]);
    expect(Object.keys(new Elf(file()).neededVersions)).toContain('libc.so.6');
    // docs/install.md says the same.
    const promised = NEWEST_GLIBC[process.arch as keyof typeof NEWEST_GLIBC].join('.');
    expect(newestGlibc(new Elf(file()).neededVersions)?.join('.')).toBe(promised);
    expect(readFileSync(join(unpacked, 'docs/install.md'), 'utf8')).toContain(`glibc ${promised}`);
  });

  it('would be refused if it were not so', () => {
    const built = readFileSync(join(ROOT, 'build-cmake/Release/pike_mixer.node'));
    expect(portabilityFaults(built, process.arch)).toEqual(['it is not stripped']);
    expect(portabilityFaults(file(), 'mips').join()).toMatch(/it needs glibc 2\.\d+, and 0\.0 is the newest/);
    const other = file();
    const at = other.indexOf('libpthread.so.0\0');
    other.write('libfancy.so.7\0', at);
    expect(portabilityFaults(other, process.arch)).toEqual(['it needs libfancy.so.7']);
  });

  it('has the kernels for every GPU, linked, and of the objects nothing but PTX', () => {
    const before = new Elf(readFileSync(join(ROOT, 'build-cmake/Release/pike_mixer.node')));
    const after = new Elf(file());
    const kinds = (elf: Elf, section: string) =>
      readFatbins(elf.section(section)).map(({ at, entries }) => ({
        at,
        entries: entries.map(({ kind, architecture }) => `${kind} ${architecture}`),
      }));
    expect(after.section('.nv_fatbin').equals(before.section('.nv_fatbin'))).toBe(true);
    const ptx = kinds(before, '__nv_relfatbin').map(({ at, entries }) => ({
      at,
      entries: entries.filter((entry) => entry.startsWith('ptx')),
    }));
    expect(kinds(after, '__nv_relfatbin')).toEqual(ptx);
    // Every byte of the PTX is where its container says.
    const bytes = (elf: Elf) => {
      const section = elf.section('__nv_relfatbin');
      return readFatbins(section).flatMap(({ entries }) =>
        entries
          .filter(({ kind }) => kind === 'ptx')
          .map(({ offset, size }) => section.subarray(offset, offset + size).toString('base64')),
      );
    };
    expect(bytes(after)).toEqual(bytes(before));
  });
});
