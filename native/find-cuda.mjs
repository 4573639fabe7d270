/**
 * Prints where CUDA is (the folder with include/ and lib64/), or nothing. For binding.gyp, which has no way of its own
 * to find out; CMake has one. Present is not enough: an nvcc counts when a program compiles and links with it.
 *
 * PIKE_CUDA=auto|on|off: 'off' does not look, 'on' fails when there is none. CUDACXX names an nvcc. `--nvcc` prints
 * only the command that is meant, and does not try it.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const PROBE = `
#include <cuda_runtime_api.h>
__global__ void kernel(int* out) { *out = 1; }
int main() {
  int version;
  return cudaRuntimeGetVersion(&version) == cudaSuccess ? 0 : 1;
}
`;

function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  return error ? { ok: false, output: error.message } : { ok: status === 0, output: stdout + stderr };
}

/** The nvcc on the PATH is often a script that starts the real one elsewhere; only nvcc itself knows where it lives. */
function homeOf(nvcc) {
  const top = /^#\$ TOP=(.*)$/m.exec(run(nvcc, ['--dryrun', 'probe.cu']).output)?.[1].trim();
  return top ? resolve(top) : undefined;
}

function compiles(nvcc) {
  const folder = mkdtempSync(join(tmpdir(), 'pike-cuda-'));
  try {
    const source = join(folder, 'probe.cu');
    writeFileSync(source, PROBE);
    return run(nvcc, ['-cudart', 'static', '-o', join(folder, 'probe'), source]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function findCuda() {
  const home = homeOf(nvcc);
  if (!home) return { reason: `${nvcc} is missing or does not run` };
  const probe = compiles(nvcc);
  if (!probe.ok) return { reason: `${nvcc} does not compile: ${probe.output.trim()}` };
  return { home };
}

const nvcc = process.env.CUDACXX || 'nvcc';
const mode = (process.env.PIKE_CUDA || 'auto').toLowerCase();
if (process.argv.includes('--nvcc')) {
  process.stdout.write(nvcc);
} else {
  const { home, reason } = mode === 'off' ? {} : findCuda();
  if (mode === 'on' && !home) {
    console.error(`PIKE_CUDA is on, but ${reason}. Put a working nvcc on the PATH or name it in CUDACXX.`);
    process.exitCode = 1;
  }
  process.stdout.write(home ?? '');
}
