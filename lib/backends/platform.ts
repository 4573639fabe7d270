/**
 * What kind of system this is, as far as a native binary has to fit it.
 */
import { closeSync, openSync, readSync } from 'node:fs';

export interface Platform {
  /** As `process.platform`. */
  readonly platform: string;
  /** As `process.arch`. */
  readonly arch: string;
  /** The C library of this Node.js; null where that makes no difference, or nobody knows. */
  readonly libc: 'glibc' | 'musl' | null;
}

/** Never throws. */
export function thisPlatform(): Platform {
  const { platform, arch } = process;
  return { platform, arch, libc: platform === 'linux' ? libcOf(process.execPath) : null };
}

/** The folder of a prebuilt binary in prebuilds/, such as 'linux-x64' or 'linux-x64-musl'. */
export function prebuildFolder({ platform, arch, libc }: Platform): string {
  return `${platform}-${arch}${libc === 'musl' ? '-musl' : ''}`;
}

/**
 * By the program that loads an executable's libraries, which stands in its first page. (`process.report` also knows, but
 * takes 20 ms, in every worker thread anew.)
 */
function libcOf(executable: string): Platform['libc'] {
  const head = readHead(executable, 4096).toString('latin1');
  if (head.includes('/ld-musl-')) return 'musl';
  return head.includes('/ld-linux') || head.includes('/ld64.so') ? 'glibc' : null;
}

/** The first bytes of a file, fewer if it is shorter, none if it cannot be read. Never throws. */
export function readHead(file: string, bytes: number): Buffer {
  try {
    const descriptor = openSync(file, 'r');
    try {
      const buffer = Buffer.alloc(bytes);
      return buffer.subarray(0, readSync(descriptor, buffer, 0, bytes, 0));
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return Buffer.alloc(0);
  }
}
