/**
 * Why a file cannot be loaded as the addon: looked for in the file before the system's loader gets it, and read out of
 * what that says otherwise.
 */
import { readdirSync, readFileSync, type Stats, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { isKnownMachine, readElf } from './elf.js';
import { type Platform, readHead, thisPlatform } from './platform.js';

export type AddonTrouble =
  /** There is no such file. */
  | 'missing'
  /** It may not be read, or is no file. */
  | 'unreadable'
  /** It is cut off, overwritten, or something else altogether. */
  | 'damaged'
  /** It was built for another processor. */
  | 'architecture'
  /** It needs a newer or another C or C++ library than this system has. */
  | 'system'
  /** It belongs to another version of this package. */
  | 'interface'
  /** Node.js was told to load no addons. */
  | 'forbidden'
  /** The loader of the system refuses it for another reason. */
  | 'refused'
  /** To load it ends the process; only who loads it in a process of its own finds out. */
  | 'crash';

export interface AddonFailure {
  readonly trouble: AddonTrouble;
  /** For people, without the path. */
  readonly cause: string;
}

/** Why this file cannot be the addon, as far as can be seen without loading it; null if nothing is seen. Never throws. */
export function inspectAddonFile(path: string, platform: Platform = thisPlatform()): AddonFailure | null {
  let stats: Stats;
  try {
    stats = statSync(path);
    if (!stats.isFile()) return { trouble: 'unreadable', cause: 'it is not a file' };
    if (stats.size === 0) return { trouble: 'damaged', cause: 'the file is empty' };
    return (
      inspectSystem(path, platform) ?? (platform.platform === 'linux' ? inspectElf(path, platform) : null)
    );
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return { trouble: 'missing', cause: `there is no such file${otherPrebuilds(path)}` };
    return { trouble: 'unreadable', cause: message };
  }
}

/** Systems by how their libraries begin. */
const SYSTEMS: readonly [platform: string, name: string, magic: RegExp][] = [
  ['linux', 'Linux', /^7f454c46/],
  ['darwin', 'macOS', /^(cffaedfe|cefaedfe|cafebabe)/],
  ['win32', 'Windows', /^4d5a/],
];

function inspectSystem(path: string, { platform }: Platform): AddonFailure | null {
  const magic = readHead(path, 4).toString('hex');
  const made = SYSTEMS.find(([, , begins]) => begins.test(magic));
  if (!made || made[0] === platform) return null;
  const here = SYSTEMS.find(([name]) => name === platform)?.[1] ?? platform;
  return { trouble: 'system', cause: `it was built for ${made[1]}, but this Node.js runs on ${here}` };
}

/** Where a binary that came with the package would lie: for which other systems there are some. */
function otherPrebuilds(path: string): string {
  const folder = dirname(path);
  if (basename(dirname(folder)) !== 'prebuilds') return '';
  let others: string[] = [];
  try {
    others = readdirSync(dirname(folder)).filter((name) => /^\w+-\w+/.test(name));
  } catch {
    // There is no such folder.
  }
  if (others.length === 0) return '; no prebuilt binary came with this package';
  return `: this package has no binary for ${basename(folder)}, only for ${others.sort().join(', ')}`;
}

function inspectElf(path: string, { arch, libc }: Platform): AddonFailure | null {
  const { machine, bytes, bytesNeeded } = readElf(path);
  if (bytes < bytesNeeded)
    return {
      trouble: 'damaged',
      cause: `the file is cut off: it has ${bytes} bytes, but by its header at least ${bytesNeeded}`,
    };
  if (machine === null)
    return {
      trouble: 'damaged',
      cause: 'the file is no library (ELF): damaged, or something else',
    };
  if (machine !== arch && isKnownMachine(arch))
    return {
      trouble: 'architecture',
      cause: `it was built for ${machine}, but this Node.js runs on ${arch}`,
    };
  // A layer on musl that imitates glibc may load it, and it then crash.
  if (libc === 'musl' && readFileSync(path).includes('\0libc.so.6\0'))
    return { trouble: 'system', cause: 'it was built for glibc, but this Node.js runs on musl' };
  return null;
}

/** What an error of `process.dlopen` means. */
export function explainLoadError(error: unknown): AddonFailure {
  const message = error instanceof Error ? error.message : String(error);
  if ((error as NodeJS.ErrnoException)?.code === 'ERR_DLOPEN_DISABLED' || /permission model/i.test(message))
    return { trouble: 'forbidden', cause: message };
  const version = /version `(GLIBC|GLIBCXX|CXXABI)_([\d.]+)' not found/.exec(message);
  if (version) {
    const [, kind, needed] = version;
    if (kind === 'GLIBC') {
      const here = libc().version ?? 'an older one';
      return {
        trouble: 'system',
        cause: `it needs glibc ${needed}, but this system has ${here} (${message})`,
      };
    }
    return { trouble: 'system', cause: `it needs a newer libstdc++, with ${kind}_${needed} (${message})` };
  }
  // What is built for glibc asks musl for names and libraries that it does not have.
  if (/symbol not found|ld-linux|No such file/.test(message) && libc().name === 'musl')
    return { trouble: 'system', cause: `it was built for glibc, but this system has musl (${message})` };
  if (/invalid ELF header|file too short|cannot read file data|ELF load command|not a mach-o/i.test(message))
    return { trouble: 'damaged', cause: message };
  return { trouble: 'refused', cause: message };
}

export interface Libc {
  /** null where there is neither, as on macOS and Windows. */
  readonly name: 'glibc' | 'musl' | null;
  /** Of glibc. */
  readonly version: string | null;
}

/** The C library that this Node.js runs on. */
export function libc(): Libc {
  if (process.platform !== 'linux') return { name: null, version: null };
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  const version = header.glibcVersionRuntime ?? null;
  return { name: version === null ? 'musl' : 'glibc', version };
}
