/** Copies of the addon with something wrong. Each function writes `file` and gives its path back. */
import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { loadAddon } from '../../lib/backends/load-addon.js';
import { compileLibrary } from './fake-driver.js';

const good = () => readFileSync(loadAddon().path!);

function write(file: string, content: string | Uint8Array): string {
  writeFileSync(file, content);
  return file;
}

/** Cut off in its code: whoever loads it gets SIGBUS. */
export const truncated = (file: string) => write(file, good().subarray(0, good().length >> 1));

export const empty = (file: string) => write(file, '');
export const text = (file: string) => write(file, 'module.exports = { apiVersion: 3 };\n'.repeat(100));
export const noise = (file: string) => write(file, randomBytes(100_000));

/** The header is whole, and all behind it is noise. */
export function overwritten(file: string): string {
  const bytes = good();
  // The program headers stay, too: they end before this.
  randomBytes(bytes.length - 4096).copy(bytes, 4096);
  return write(file, bytes);
}

/** By its header it was built for arm64, or for x64 where that is ours. */
export function ofAnotherMachine(file: string): string {
  const bytes = good();
  bytes.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18);
  return write(file, bytes);
}

/** Says that it needs glibc 9.99. */
export function ofNewerGlibc(file: string): string {
  const bytes = good();
  // Whichever it needs: it depends on the compiler and on native/portable.
  const old = /GLIBC_2\.\d\d(?=\0)/.exec(bytes.toString('latin1'))?.[0];
  if (old === undefined) throw new Error('the addon needs no version of glibc');
  const name = 'GLIBC_9.99';
  // The name, and its hash wherever a table of needed versions has it.
  bytes.write(name, bytes.indexOf(`${old}\0`));
  const hash = Buffer.alloc(4);
  hash.writeUInt32LE(elfHash(old));
  for (let i = bytes.indexOf(hash); i >= 0; i = bytes.indexOf(hash, i + 4))
    bytes.writeUInt32LE(elfHash(name), i);
  return write(file, bytes);
}

/** System V's hash of symbol names. */
function elfHash(name: string): number {
  let hash = 0;
  for (const byte of Buffer.from(name)) {
    hash = ((hash << 4) + byte) >>> 0;
    const high = hash & 0xf0000000;
    if (high !== 0) hash ^= high >>> 24;
    hash = (hash & ~high) >>> 0;
  }
  return hash;
}

/** An addon, but of another version of the package. Needs a compiler. */
export function ofAnotherInterface(file: string, version = 999): string {
  return compileLibrary(
    file,
    `#include <node_api.h>
     extern "C" napi_value napi_register_module_v1(napi_env env, napi_value exports) {
       napi_value version;
       napi_create_int32(env, ${version}, &version);
       napi_set_named_property(env, exports, "apiVersion", version);
       return exports;
     }`,
  );
}

/** One of somebody else's, which exports null. */
export function ofSomebodyElse(file: string): string {
  return compileLibrary(
    file,
    `#include <node_api.h>
     extern "C" napi_value napi_register_module_v1(napi_env env, napi_value) {
       napi_value nothing;
       napi_get_null(env, &nothing);
       return nothing;
     }`,
  );
}

/** The addon, as it is. */
export function whole(file: string): string {
  copyFileSync(loadAddon().path!, file);
  return file;
}
