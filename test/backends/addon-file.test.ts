/** Files that are no addon for this machine: the true cause is given, and the process lives. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { explainLoadError, inspectAddonFile, libc } from '../../lib/backends/addon-file.js';
import { readElf } from '../../lib/backends/elf.js';
import { loadAddon, loadFile, loadFirst } from '../../lib/backends/load-addon.js';
import * as broken from '../support/broken-addons.js';
import { compiler } from '../support/fake-driver.js';

const folder = mkdtempSync(join(tmpdir(), 'pike-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, `${name}.node`);
const addon = loadAddon();
// Tests of native code must fail, not be skipped, where it is not built.
if (!addon.addon) throw new Error(`run \`npm run build:native\` first: ${addon.reasons.join('; ')}`);

describe.runIf(process.platform === 'linux')('a file that is no addon for this machine', () => {
  const other = process.arch === 'arm64' ? 'x64' : 'arm64';
  const cases: [string, (file: string) => string, string, RegExp][] = [
    ['missing', (file) => file, 'missing', /^there is no such file$/],
    ['below a file', () => join(addon.path!, 'x.node'), 'missing', /^there is no such file$/],
    ['a folder', (file) => mkdirSync(file, { recursive: true })!, 'unreadable', /^it is not a file$/],
    ['empty', broken.empty, 'damaged', /^the file is empty$/],
    [
      'truncated',
      broken.truncated,
      'damaged',
      /^the file is cut off: it has \d+ bytes, but .* at least \d+$/,
    ],
    ['text', broken.text, 'damaged', /^the file is no library \(ELF\):/],
    ['noise', broken.noise, 'damaged', /^the file is no library \(ELF\):/],
    [
      'of another machine',
      broken.ofAnotherMachine,
      'architecture',
      new RegExp(`built for ${other}, but .* on ${process.arch}`),
    ],
  ];
  it.each(cases)('%s', (name, make, trouble, cause) => {
    const path = make(file(name));
    expect(loadFile(path)).toEqual({ trouble, cause: expect.stringMatching(cause) });
    const { reasons } = loadFirst([path]);
    expect(reasons).toHaveLength(1);
    expect(reasons[0].startsWith(`${path}: `)).toBe(true);
    expect(reasons[0].slice(path.length + 2)).toMatch(cause);
  });

  it.runIf(libc().name === 'glibc' && process.arch === 'x64')('of a newer glibc', () => {
    const failure = loadFile(broken.ofNewerGlibc(file('glibc')));
    expect(failure).toMatchObject({ trouble: 'system' });
    expect(failure).toHaveProperty(
      'cause',
      expect.stringMatching(/^it needs glibc 9\.99, but this system has 2\.\d+ \(/),
    );
  });

  it.runIf(compiler)('of another interface', () => {
    const failure = loadFile(broken.ofAnotherInterface(file('interface')));
    expect(failure).toEqual({
      trouble: 'interface',
      cause: expect.stringMatching(/version 999, \d+ was expected/),
    });
  });

  it.runIf(compiler)("of somebody else's", () => {
    const failure = loadFile(broken.ofSomebodyElse(file('other')));
    expect(failure).toEqual({ trouble: 'interface', cause: 'it is an addon, but not of pike-mixer' });
  });

  it('sees nothing wrong with the addon itself', () => {
    expect(inspectAddonFile(addon.path!)).toBeNull();
    const { machine, bytes, bytesNeeded } = readElf(addon.path!);
    expect(machine).toBe(process.arch);
    expect(bytesNeeded).toBe(bytes);
    expect(loadFile(broken.whole(file('whole')))).toHaveProperty('apiVersion');
  });
});

describe('the header of a library', () => {
  /** As much of one as is looked at, of another kind than what this machine runs on. */
  function header(name: string, change: (bytes: Buffer) => void): string {
    const bytes = Buffer.alloc(4096);
    bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
    bytes.writeUInt16LE(62, 18);
    bytes.writeUInt16LE(56, 54);
    change(bytes);
    writeFileSync(file(name), bytes);
    return file(name);
  }
  const cause = (path: string, arch: string) =>
    inspectAddonFile(path, { platform: 'linux', arch, libc: 'glibc' });

  it('may be of 32 bits, big-endian, or of a processor without a name here', () => {
    const arm = header('arm', (bytes) => {
      bytes.set([1, 1], 4);
      bytes.writeUInt16LE(40, 18);
    });
    expect(cause(arm, 'arm')).toBeNull();
    expect(cause(arm, 'x64')).toMatchObject({ trouble: 'architecture' });
    const s390x = header('s390x', (bytes) => {
      bytes.set([2, 2], 4);
      bytes.writeUInt16BE(22, 18);
    });
    expect(cause(s390x, 's390x')).toBeNull();
    expect(cause(s390x, 'x64')).toMatchObject({
      cause: 'it was built for s390x, but this Node.js runs on x64',
    });
    const mips = header('mips', (bytes) => {
      bytes.set([1, 1], 4);
      bytes.writeUInt16LE(8, 18);
    });
    expect(cause(mips, 'mipsel')).toBeNull();
    expect(cause(mips, 'x64')).toMatchObject({ trouble: 'architecture' });
  });

  it('may contradict itself', () => {
    expect(
      cause(
        header('whole', () => {}),
        'x64',
      ),
    ).toBeNull();
    for (const size of [0, 8, 0xffff])
      expect(
        cause(
          header(`segments-${size}`, (bytes) => bytes.fill(255, 56, 58).writeUInt16LE(size, 54)),
          'x64',
        ),
      ).toMatchObject({ trouble: 'damaged' });
    const far = header('far', (bytes) => bytes.fill(255, 32, 40).fill(255, 56, 58));
    expect(cause(far, 'x64')).toMatchObject({ trouble: 'damaged' });
  });
});

describe('what the loader of the system says', () => {
  const cases: [string, Error, string, RegExp][] = [
    [
      'libstdc++',
      new Error("/lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by /a.node)"),
      'system',
      /needs a newer libstdc\+\+, with GLIBCXX_3\.4\.30/,
    ],
    [
      'no addons',
      Object.assign(new Error('Cannot load native addon because loading addons is disabled.'), {
        code: 'ERR_DLOPEN_DISABLED',
      }),
      'forbidden',
      /disabled/,
    ],
    ['macOS', new Error('dlopen(/a.node, 0x0001): tried: (not a mach-o file)'), 'damaged', /mach-o/],
    ['anything else', new Error('libfoo.so: cannot open shared object file'), 'refused', /libfoo/],
  ];
  it.each(cases)('%s', (_, error, trouble, cause) => {
    expect(explainLoadError(error)).toEqual({ trouble, cause: expect.stringMatching(cause) });
  });

  it('finds the C library', () => {
    const { name, version } = libc();
    if (process.platform === 'linux') expect(name).toMatch(/^(glibc|musl)$/);
    if (name === 'glibc') expect(version).toMatch(/^\d+\.\d+/);
  });
});
