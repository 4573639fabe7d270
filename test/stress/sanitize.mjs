/**
 * The addon and the programs of test/native under AddressSanitizer and UndefinedBehaviorSanitizer:
 * `node test/stress/sanitize.mjs [--whole] [TESTS]`. Builds the addon without CUDA in build-sanitize, and runs those tests
 * that call it most, or those named; with `--whole` all of them, and what tests compile is compiled so, too. Any report
 * fails. Leaks are not looked for: Node.js leaves much behind.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { COMPILER, CPU_SOURCES, compileProgram, missingCompiler, ROOT } from './support/compile.mjs';

const { values, positionals } = parseArgs({
  options: { whole: { type: 'boolean', default: false } },
  allowPositionals: true, // test files
});

const BUILD = join(ROOT, 'build-sanitize');
const REPORTS = join(BUILD, 'reports');
const FLAGS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];
const SHORT = [
  'test/backends/native.test.ts',
  'test/backends/native-calls.test.ts',
  'test/backends/native-threads.test.ts',
  'test/backends/gradient-buffer.test.ts',
  'test/backends/sliced-copy.test.ts',
  'test/mixer/mixer.test.ts',
];

const missing = missingCompiler();
if (missing) {
  console.error(`sanitize: ${missing}`);
  process.exit(1);
}

let failed = false;
const require = createRequire(import.meta.url);

function run(what, command, args, env = {}) {
  const begun = performance.now();
  const { status, signal, stdout, stderr } = spawnSync(command, args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, ...env },
  });
  const seconds = ((performance.now() - begun) / 1000).toFixed(0);
  console.log(`sanitize: ${what}: ${status === 0 ? 'good' : `FAILED (${signal ?? status})`}, ${seconds} s`);
  if (status === 0) return true;
  console.log((stdout + stderr).split('\n').slice(-150).join('\n'));
  failed = true;
  return false;
}

function buildAddon() {
  const cmakeJs = require.resolve('cmake-js/bin/cmake-js');
  const options = ['--out', 'build-sanitize', '--CDPIKE_CUDA=OFF', '--CDPIKE_SANITIZE=address,undefined'];
  const env = { CXX: COMPILER, CC: COMPILER.replace('++', '') };
  const parallel = ['--parallel', String(availableParallelism())];
  return (
    run('configuring', process.execPath, [cmakeJs, 'configure', ...options], env) &&
    run('compiling the addon', process.execPath, [cmakeJs, 'build', ...options, ...parallel], env)
  );
}

/** What node is to be preloaded with, since the addon cannot bring it along. */
function runtime() {
  const { stdout } = spawnSync(COMPILER, ['-print-file-name=libclang_rt.asan-x86_64.so'], {
    encoding: 'utf8',
  });
  const file = stdout.trim();
  if (existsSync(file)) return file;
  throw new Error(`sanitize: ${COMPILER} has no shared runtime of AddressSanitizer`);
}

/** Of any process that was started, also where nobody looked at how it ended. */
function tellReports() {
  for (const name of readdirSync(REPORTS)) {
    // Memory that cannot be had is asked for on purpose, and null is what the allocator then gives.
    const lines = readFileSync(join(REPORTS, name), 'utf8')
      .split('\n')
      .filter((line) => line.trim() && !line.includes('WARNING: AddressSanitizer failed to allocate'));
    if (lines.length === 0) continue;
    failed = true;
    console.log(`sanitize: ${name}\n${lines.slice(0, 60).join('\n')}`);
  }
}

rmSync(REPORTS, { recursive: true, force: true });
mkdirSync(REPORTS, { recursive: true });

// As the fuzz targets are compiled, so that they share their objects.
const kernels = await compileProgram({
  name: 'cpu_kernels',
  sources: ['test/native/cpu_kernels.cpp', ...CPU_SOURCES],
  flags: ['-fsanitize=address', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'],
  extra: ['-fsanitize=fuzzer-no-link,undefined'],
});
for (const set of ['avx512', 'avx2', 'portable']) {
  const { stdout } = spawnSync(kernels, ['0'], {
    encoding: 'utf8',
    env: { ...process.env, PIKE_MIXER_INSTRUCTION_SET: set },
  });
  if (!stdout.startsWith(set)) console.log(`sanitize: the kernels for ${set}: not on this machine`);
  else
    run(`the kernels for ${set}`, kernels, [values.whole ? '300' : '45', '1'], {
      PIKE_MIXER_INSTRUCTION_SET: set,
    });
}

if (buildAddon()) {
  const checks = {
    LD_PRELOAD: runtime(),
    ASAN_OPTIONS: `detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=16:log_path=${join(REPORTS, 'asan')}`,
    UBSAN_OPTIONS: `print_stacktrace=1:log_path=${join(REPORTS, 'ubsan')}`,
    PIKE_MIXER_ADDON: join(BUILD, 'Release/pike_mixer.node'),
    ...(values.whole
      ? { CXX: COMPILER, PIKE_TEST_FLAGS: [...FLAGS, '-shared-libasan', '-g1'].join(' ') }
      : {}),
  };
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const files = positionals.length > 0 || values.whole ? positionals : SHORT;
  const runs = values.whole ? '5000' : '300';
  run('the tests', process.execPath, [vitest, 'run', '--test-timeout=300000', ...files], checks);
  run('hostile arguments', process.execPath, ['test/stress/fuzz-arguments.mjs', '--runs', runs], checks);
  run(
    'worker threads',
    process.execPath,
    ['test/stress/workers.mjs', '--workers', values.whole ? '60' : '12'],
    {
      ...checks,
      PIKE_STRESS_NO_GROWTH: '1', // what is freed stays in quarantine
    },
  );
}
tellReports();
process.exitCode = failed ? 1 : 0;
