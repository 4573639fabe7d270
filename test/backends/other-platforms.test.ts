/**
 * Systems that are not at hand, described to the code: the binary that is looked for there, those that do not fit, and
 * what a package without a fitting one does. Broken files are in addon-file.test.ts.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { inspectAddonFile, libc as libcReported } from '../../lib/backends/addon-file.js';
import { addonCandidates, buildAdvice, loadAddon, loadFirst } from '../../lib/backends/load-addon.js';
import { type Platform, prebuildFolder, thisPlatform } from '../../lib/backends/platform.js';
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
    // What Node.js itself reports, which takes too long for every start.
    expect(libc).toBe(libcReported().name);
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

describe.runIf(onLinux)('a binary for another', () => {
  const cause = (path: string, platform: Platform) => inspectAddonFile(path, platform)?.cause;

  it('system', () => {
    const as = (magic: number[]) => changed('system.node', (header) => header.set(Uint8Array.from(magic), 0));
    expect(cause(as([0xcf, 0xfa, 0xed, 0xfe]), linux)).toBe(
      'it was built for macOS, but this Node.js runs on Linux',
    );
    expect(cause(as([0x4d, 0x5a, 0x90, 0]), linux)).toBe(
      'it was built for Windows, but this Node.js runs on Linux',
    );
    expect(cause(good(), { platform: 'darwin', arch: 'arm64', libc: null })).toBe(
      'it was built for Linux, but this Node.js runs on macOS',
    );
    expect(cause(good(), { platform: 'freebsd', arch: 'x64', libc: null })).toBe(
      'it was built for Linux, but this Node.js runs on freebsd',
    );
  });

  it('processor', () => {
    const path = changed('machine.node', (header) =>
      header.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18),
    );
    const [made, here] = process.arch === 'arm64' ? ['x64', 'arm64'] : ['arm64', 'x64'];
    expect(loadFirst([path]).reasons).toEqual([
      `${path}: it was built for ${made}, but this Node.js runs on ${here}`,
    ]);
    expect(cause(good(), { ...thisPlatform(), arch: 'riscv64' })).toBe(
      `it was built for ${process.arch}, but this Node.js runs on riscv64`,
    );
  });

  it.runIf(thisPlatform().libc === 'glibc')('C library, and it is not even tried', () => {
    const { addon, reasons } = loadFirst([good()], { ...thisPlatform(), libc: 'musl' });
    expect(addon).toBeNull();
    expect(reasons).toEqual([`${good()}: it was built for glibc, but this Node.js runs on musl`]);
    expect(inspectAddonFile(good(), thisPlatform())).toBeNull();
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
    [
      'macOS',
      () => set('platform', 'darwin'),
      ['linux-x64'],
      'no binary for darwin-x64, only for linux-x64',
    ],
    [
      'Windows',
      () => set('platform', 'win32'),
      ['linux-x64'],
      'no binary for win32-x64, only for linux-x64',
    ],
    ['arm64', () => set('arch', 'arm64'), ['linux-x64'], 'no binary for linux-arm64, only for linux-x64'],
    [
      'musl',
      () => set('execPath', muslNode()),
      ['darwin-arm64', 'linux-x64'],
      'no binary for linux-x64-musl, only for darwin-arm64, linux-x64',
    ],
    [
      'musl with a binary for glibc in its place',
      () => set('execPath', muslNode()),
      ['linux-x64-musl'],
      'it was built for glibc, but this Node.js runs on musl',
    ],
    ['nothing at all', () => '', [], 'no prebuilt binary came with this package'],
  ];

  it.each(cases)('%s', (_, preload, prebuilds, reason) => {
    const { status, stdout, stderr, root } = inPackage(prebuilds, preload(), script);
    // Of `statistics`, for which nobody can listen.
    expect(stderr).toMatch(/^\(node:\d+\) \[WARN_BACKEND_FALLBACK\]/);
    expect(status).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ code: 'WARN_BACKEND_FALLBACK', name: 'reference', values: [8, 1] });
    expect(result.message).toMatch(new RegExp(reason));
    expect(result.message).toContain(`\`npm run build:native\` in ${root} builds one`);
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
    expect(buildAdvice({})).toContain(` in ${ROOT} builds one`);
  });
});
