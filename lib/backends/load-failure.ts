/**
 * Why a native addon cannot be loaded here, in words that say what to change. What the system's loader says is about
 * symbols and ELF headers, and of a binary for another processor some say that the file does not exist.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { glibcVersion, type Platform, readHead } from './platform.js';

const HEAD = 64;

/** Processors by `e_machine` of ELF, named as `process.arch` names them. */
const MACHINES: Readonly<Record<number, string>> = {
  3: 'ia32',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
};

/**
 * Why a file is not even to be tried, or null: a binary for another system or processor, or for another C library, which
 * may load where a layer imitates that one, and then crash.
 */
export function misfit(path: string, { platform, arch, libc }: Platform): string | null {
  const head = readHead(path, HEAD);
  const system = systemOf(head);
  if (system === null) return null; // no binary at all: the loader says so
  if (system !== platform) return `it is a binary for ${system}, and this Node.js is for ${platform}`;
  if (platform !== 'linux' || head.length < HEAD) return null;
  const machine = head[5] === 2 ? head.readUInt16BE(18) : head.readUInt16LE(18);
  const made = MACHINES[machine] ?? `processors of ELF's number ${machine}`;
  if (made !== arch) return `it is a binary for ${made}, and this Node.js is for ${arch}`;
  if (libc === 'musl' && readFileSync(path).includes('libc.so.6\0'))
    return 'it is a binary for glibc, and this Node.js runs on musl';
  return null;
}

/** As `process.platform` names it; null if it is no binary of these kinds. */
function systemOf(head: Buffer): string | null {
  if (head.length < 4) return null;
  const magic = head.readUInt32BE(0);
  if (magic === 0x7f454c46) return 'linux';
  if ([0xcffaedfe, 0xcefaedfe, 0xcafebabe].includes(magic)) return 'darwin';
  return magic >>> 16 === 0x4d5a ? 'win32' : null;
}

/** What a loader's message means, followed by the message itself where it adds something. */
export function explainLoader(message: string): string {
  const [, library, version] = /version [`'](GLIBC|GLIBCXX|CXXABI)_([\d.]+)' not found/.exec(message) ?? [];
  if (library === 'GLIBC') {
    const here = glibcVersion();
    return `it needs glibc ${version} or newer, and this system has ${here ?? 'another C library'} (${message})`;
  }
  if (library !== undefined) return `it needs a newer libstdc++, one with ${library}_${version} (${message})`;
  return message;
}

/** Why there is no file, of one of `addonCandidates`. */
export function explainMissing(path: string): string {
  const folder = dirname(path);
  if (basename(dirname(folder)) !== 'prebuilds') return 'there is no such file';
  const others = binariesIn(dirname(folder));
  const wanted = basename(folder);
  if (others.length === 0) return 'there is no such file, nor a prebuilt binary for any other platform';
  return `there is no such file: no binary for ${wanted} comes with this package, only for ${others.join(', ')}`;
}

function binariesIn(prebuilds: string): string[] {
  try {
    return readdirSync(prebuilds, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'include')
      .map(({ name }) => name)
      .sort();
  } catch {
    return [];
  }
}
