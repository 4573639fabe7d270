/**
 * Builds the addon of this example: `node examples/cuda-native/build.mjs [--out FOLDER]`. Exit code 2 where nvcc or
 * CMake is missing, 1 where building fails.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));

function works(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Runs CMake quietly; shows what it printed when it fails. */
function cmake(...args) {
  const { status, stdout, stderr } = spawnSync('cmake', args, { cwd: here, encoding: 'utf8' });
  if (status === 0) return true;
  console.error(stdout + stderr);
  console.error('cuda-native: the addon was not built; the log is above');
  process.exitCode = 1;
  return false;
}

const { values } = parseArgs({ options: { out: { type: 'string' } } });
const out = resolve(values.out ?? join(here, 'build'));
const nvcc = process.env.CUDACXX || 'nvcc';
const missing = [
  [nvcc, 'install the CUDA toolkit, or name its nvcc in CUDACXX'],
  ['cmake', 'install CMake'],
].find(([command]) => !works(command));
if (missing) {
  console.error(`cuda-native: no working ${missing[0]} was found; ${missing[1]}`);
  process.exitCode = 2;
} else if (cmake('-S', here, '-B', out) && cmake('--build', out, '--config', 'Release', '--parallel', '2')) {
  console.log(`cuda-native: built ${relative(process.cwd(), join(out, 'cuda_native.node'))}`);
}
