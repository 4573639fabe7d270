/**
 * Binaries that do not fit this system: every one is named for what it is, and none is loaded. Systems that are not at
 * hand are described to the code, or binaries made that would need them.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { explainLoader, misfit } from '../../lib/backends/load-failure.js';
import { addonCandidates, buildAdvice, loadAddon, loadFirst } from '../../lib/backends/load-addon.js';
import { glibcVersion, type Platform, prebuildFolder, thisPlatform } from '../../lib/backends/platform.js';
import { compiler } from '../support/fake-driver.js';
import { ROOT } from '../support/packed.js';

const folder = mkdtempSync(join(tmpdir(), 'pike-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const linux: Platform = { platform: 'linux', arch: 'x64', libc: 'glibc' };
const onLinux = process.platform === 'linux';
const good = () => loadAddon().path!;

/** The addon, with the first bytes of its header changed. */
function changed(name: string, change: (header: Buffer) => void): string {
  const bytes = readFileSync(good());
  change(bytes);
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

describe('a platform', () => {
  it('is described', () => {
    const { platform, arch, libc } = thisPlatform();
    expect([platform, arch]).toEqual([process.platform, process.arch]);
    if (onLinux) expect(libc).toBe(glibcVersion() === null ? 'musl' : 'glibc');
    else expect(libc).toBeNull();
  });

  it('has a folder of its own', () => {
    expect(prebuildFolder(linux)).toBe('linux-x64');
    expect(prebuildFolder({ ...linux, libc: 'musl' })).toBe('linux-x64-musl');
    expect(prebuildFolder({ ...linux, arch: 'arm64', libc: null })).toBe('linux-arm64');
    expect(prebuildFolder({ platform: 'win32', arch: 'arm64', libc: null })).toBe('win32-arm64');
    expect(addonCandidates({}, { ...linux, libc: 'musl' }).at(-1)).toBe(
      join(ROOT, 'prebuilds/linux-x64-musl/pike_mixer.node'),
    );
  });
});

describe('what a loader says is explained', () => {
  it('too old a glibc, as it says it', () => {
    const message = "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.99' not found (required by /a/b.node)";
    const here = onLinux ? glibcVersion() : 'another C library';
    expect(explainLoader(message)).toBe(
      `it needs glibc 2.99 or newer, and this system has ${here} (${message})`,
    );
  });

  it('too old a libstdc++', () => {
    const message = "libstdc++.so.6: version `GLIBCXX_3.4.99' not found (required by /a/b.node)";
    expect(explainLoader(message)).toBe(
      `it needs a newer libstdc++, one with GLIBCXX_3.4.99 (${message})`,
    );
  });

  it('what it does not know, word for word', () => {
    expect(explainLoader('undefined symbol: napi_fly')).toBe('undefined symbol: napi_fly');
  });
});

describe('a binary that does not fit', () => {
  it('is named: another system', () => {
    const as = (magic: number[]) =>
      changed('system.node', (header) => header.set(Uint8Array.from(magic), 0));
    expect(misfit(as([0xcf, 0xfa, 0xed, 0xfe]), linux)).toMatch(/a binary for darwin, and .* for linux/);
    expect(misfit(as([0x4d, 0x5a, 0x90, 0]), linux)).toMatch(/a binary for win32, and .* for linux/);
    expect(misfit(as([0x7f, 0x45, 0x4c, 0x46]), { ...linux, platform: 'darwin' })).toMatch(
      /a binary for linux, and this Node.js is for darwin/,
    );
  });

  it.runIf(onLinux)('is named: another processor, which the loader calls a missing file', () => {
    const path = changed('machine.node', (header) =>
      header.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18),
    );
    const [reason] = loadFirst([path]).reasons;
    const [made, here] = process.arch === 'arm64' ? ['x64', 'arm64'] : ['arm64', 'x64'];
    expect(reason).toBe(`${path}: it is a binary for ${made}, and this Node.js is for ${here}`);
    expect(loadFirst([good()], { ...thisPlatform(), arch: 'riscv64' }).reasons).toEqual([
      `${good()}: it is a binary for ${process.arch}, and this Node.js is for riscv64`,
    ]);
    const unknown = changed('unknown.node', (header) => header.writeUInt16LE(4242, 18));
    expect(misfit(unknown, thisPlatform())).toMatch(/processors of ELF's number 4242/);
  });

  it.runIf(onLinux && thisPlatform().libc === 'glibc')('is named: of glibc on musl, and is not tried', () => {
    const { addon, reasons } = loadFirst([good()], { ...thisPlatform(), libc: 'musl' });
    expect(addon).toBeNull();
    expect(reasons).toEqual([`${good()}: it is a binary for glibc, and this Node.js runs on musl`]);
  });

  it('is no concern of files that are no binaries, or that are cut off', () => {
    for (const [name, text] of [
      ['empty.node', ''],
      ['short.node', '\x7fE'],
      ['cut.node', '\x7fELF'],
      ['text.node', 'exports.x = 1;'.repeat(20)],
    ]) {
      const path = join(folder, name);
      writeFileSync(path, text, 'latin1');
      expect(misfit(path, linux), name).toBeNull();
      const { addon, reasons } = loadFirst([path]);
      expect(addon).toBeNull();
      expect(reasons[0].length).toBeGreaterThan(path.length + 5);
    }
    expect(misfit(join(folder, 'missing.node'), linux)).toBeNull();
    expect(misfit(good(), thisPlatform())).toBeNull();
  });

  it.runIf(onLinux && compiler)('asks for a glibc that is not there: the real loader, the clear reason', () => {
    // A libc.so.6 to link against that has a version of the future.
    const cxx = (...args: string[]) => {
      const { status, stderr } = spawnSync(compiler!, args, { cwd: folder, encoding: 'utf8' });
      expect(status, stderr).toBe(0);
    };
    writeFileSync(join(folder, 'future.cpp'), 'extern "C" int from_the_future() { return 1; }');
    writeFileSync(join(folder, 'future.map'), 'GLIBC_2.99 { from_the_future; };');
    mkdirSync(join(folder, 'future'));
    const script = '-Wl,--version-script=future.map,-soname,libc.so.6';
    cxx('-shared', '-fPIC', '-nostdlib', script, '-o', 'future/libc.so.6', 'future.cpp');
    writeFileSync(
      join(folder, 'needs.cpp'),
      'extern "C" int from_the_future(); extern "C" int call() { return from_the_future(); }',
    );
    cxx('-shared', '-fPIC', '-nostdlib', '-o', 'needs.node', 'needs.cpp', 'future/libc.so.6');
    const path = join(folder, 'needs.node');
    const { addon, reasons } = loadFirst([path]);
    expect(addon).toBeNull();
    expect(reasons[0]).toContain(
      `${path}: it needs glibc 2.99 or newer, and this system has ${glibcVersion()} (`,
    );
  });
});

/** Runs a script with the library in a copy of the package, after something about the process was changed. */
function inPackage(prebuilds: string[], preload: string, script: string) {
  const root = mkdtempSync(join(folder, 'package-'));
  for (const name of prebuilds) {
    mkdirSync(join(root, 'prebuilds', name), { recursive: true });
    copyFileSync(good(), join(root, 'prebuilds', name, 'pike_mixer.node'));
  }
  // dist/ itself: what import.meta.url says of it decides where binaries are looked for.
  spawnSync('cp', ['-r', join(ROOT, 'dist'), join(ROOT, 'package.json'), root]);
  const library = pathToFileURL(join(root, 'dist/index.js')).href;
  const code = `${preload};\nconst { Mixer, statistics } = await import('${library}');\n${script}`;
  const { PIKE_MIXER_ADDON: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr, root };
}

describe.runIf(onLinux)('a package without a fitting binary computes all the same', () => {
  const script = `
    const rows = [[Float32Array.of(1, 2), Float32Array.of(2, 3)]];
    const { normSquared, variance } = await statistics(rows, { samples: [[1, 1]] });
    const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 8 });
    mixer.on('warning', ({ code, message }) => console.log(JSON.stringify({
      code, message, name: mixer.backend.name, reason: mixer.backend.reason,
      values: [normSquared[0], variance[0]] })));`;
  const set = (name: string, value: string) =>
    `Object.defineProperty(process, '${name}', { value: ${JSON.stringify(value)} })`;
  const muslNode = () => {
    const path = join(folder, 'node-musl');
    writeFileSync(path, '\x7fELF'.padEnd(500, '\0') + '/lib/ld-musl-x86_64.so.1\0', 'latin1');
    return path;
  };
  const cases: [string, () => string, string[], string][] = [
    ['macOS', () => set('platform', 'darwin'), ['linux-x64'], 'no binary for darwin-x64 .*only for linux-x64'],
    ['Windows', () => set('platform', 'win32'), ['linux-x64'], 'no binary for win32-x64 .*only for linux-x64'],
    ['arm64', () => set('arch', 'arm64'), ['linux-x64'], 'no binary for linux-arm64 .*only for linux-x64'],
    [
      'musl',
      () => set('execPath', muslNode()),
      ['darwin-arm64', 'linux-x64'],
      'no binary for linux-x64-musl .*only for darwin-arm64, linux-x64',
    ],
    [
      'musl with a binary for glibc in its place',
      () => set('execPath', muslNode()),
      ['linux-x64-musl'],
      'a binary for glibc, and this Node.js runs on musl',
    ],
    ['nothing at all', () => '', [], 'nor a prebuilt binary for any other platform'],
  ];

  it.each(cases)('%s', (_, preload, prebuilds, reason) => {
    const { status, stdout, stderr, root } = inPackage(prebuilds, preload(), script);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ code: 'WARN_BACKEND_FALLBACK', name: 'reference', values: [8, 1] });
    expect(result.message).toMatch(new RegExp(reason));
    expect(result.message).toContain(`\`node ${join(root, 'native/build.mjs')}\` builds one`);
    expect(result.reason).toBe(result.message);
  });

  it('and natively with a fitting one', () => {
    const { stdout, stderr } = inPackage(
      [prebuildFolder(thisPlatform())],
      '',
      `const { backend } = new Mixer({ tasks: ['a', 'b'], batchSize: 8 }); console.log(backend.name);`,
    );
    expect([stdout.trim(), stderr]).toEqual(['cpu', '']);
  });

  it('no advice to build where a file was named', () => {
    expect(buildAdvice({ PIKE_MIXER_ADDON: '/a.node' })).toBeNull();
    expect(buildAdvice({})).toContain(join(ROOT, 'native/build.mjs'));
  });
});
