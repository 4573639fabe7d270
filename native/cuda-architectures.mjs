/**
 * What GPUs the kernels are compiled for, for binding.gyp: CMake knows by itself, and CMakeLists.txt has the same list.
 * Prints it as CMake writes it ('80-real' is machine code, '80-virtual' is PTX, '80' both), with commas between; with
 * `--flags` as flags of nvcc, one per line, and how to compress what they give; with `--headers` what kernels may
 * include, one per line.
 *
 * CUDAARCHS, as for CMake, names other architectures, with semicolons between: CUDAARCHS=90 for a fast build.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** As a number to compare with: 1208 for 12.8. 0 if it does not say. */
function nvccVersion() {
  const { stdout } = spawnSync(process.env.CUDACXX || 'nvcc', ['--version'], { encoding: 'utf8' });
  const [, major, minor] = /release (\d+)\.(\d+)/.exec(stdout ?? '') ?? [0, 0, 0];
  return Number(major) * 100 + Number(minor);
}

/**
 * Machine code of 80 also runs on 86 and 89, whose own would be nearly the same, of 100 on 103, of 120 on 121. PTX,
 * which a driver compiles when it first meets it, is for what is newer or in between: that of 100 also does for 110.
 */
function architectures(version) {
  if (process.env.CUDAARCHS) return process.env.CUDAARCHS.split(';').filter(Boolean);
  if (version < 1208) return ['75-real', '80-real', '90']; // knows no newer ones
  return ['75-real', '80-real', '90-real', '100', '120-real'];
}

function flagsOf(architecture) {
  if (['all', 'all-major', 'native'].includes(architecture)) return [`-arch=${architecture}`];
  const [, number, kind] = /^(\d+[af]?)(?:-(real|virtual))?$/.exec(architecture) ?? [];
  if (!number)
    throw new Error(`CUDAARCHS: '${architecture}' is no architecture such as 90, 90-real, 90-virtual`);
  const codes = { real: [`sm_${number}`], virtual: [`compute_${number}`] };
  const code = codes[kind] ?? [...codes.real, ...codes.virtual];
  return code.map((name) => `-gencode=arch=compute_${number},code=${name}`);
}

function headers() {
  const native = dirname(fileURLToPath(import.meta.url));
  return readdirSync(native, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => /^(core|cuda|math)\/.*\.h$/.test(file))
    .sort()
    .map((file) => `native/${file}`);
}

if (process.argv.includes('--headers')) {
  console.log(headers().join('\n'));
} else {
  const version = nvccVersion();
  const chosen = architectures(version);
  if (process.argv.includes('--flags')) {
    const compression = ['-Xfatbin=-compress-all', ...(version >= 1208 ? ['--compress-mode=size'] : [])];
    console.log([...chosen.flatMap(flagsOf), ...compression].join('\n'));
  } else {
    process.stdout.write(chosen.join(','));
  }
}
