/** A CUDA driver that only fails: a libcuda.so.1 for LD_LIBRARY_PATH. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The C++ compiler on the PATH. */
export const compiler: string | undefined = (process.env.PATH ?? '')
  .split(delimiter)
  .map((path) => join(path, 'c++'))
  .find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** Compiles a small library. */
export function compileLibrary(file: string, source: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'pike-test-'));
  try {
    const from = join(folder, 'library.cpp');
    writeFileSync(from, source);
    const headers = createRequire(import.meta.url)('node-api-headers').include_dir;
    const { status, stderr } = spawnSync(
      compiler!,
      ['-shared', '-fPIC', '-DNAPI_VERSION=9', `-I${headers}`, '-o', file, from],
      { encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(stderr);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return file;
}

/**
 * @param folder where to put it
 * @param driver.init what cuInit and everything after it gives
 * @param driver.version of CUDA that it serves, as 13000
 */
export function compileFakeDriver(
  folder: string,
  { init, version }: { init: number; version: number },
): void {
  compileLibrary(
    join(folder, 'libcuda.so.1'),
    `#include <cstring>
     extern "C" {
       int cuInit(unsigned) { return ${init}; }
       int cuDriverGetVersion(int* version) { *version = ${version}; return 0; }
       int other() { return ${init}; }
       int cuGetProcAddress_v2(const char* name, void** function, int, unsigned long long, int* found) {
         if (${version} < 12000) return 500;  // cudaErrorSymbolNotFound: as if it were not there
         const bool version = std::strcmp(name, "cuDriverGetVersion") == 0;
         const bool self = std::strcmp(name, "cuGetProcAddress") == 0;
         *function = self ? (void*)cuGetProcAddress_v2 : version ? (void*)cuDriverGetVersion : (void*)other;
         if (found) *found = 0;
         return 0;
       }
     }`,
  );
}
