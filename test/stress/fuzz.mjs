/**
 * Fuzzes native/core, native/cpu and native/math without Node, with AddressSanitizer and UndefinedBehaviorSanitizer:
 * `node test/stress/fuzz.mjs [--seconds 15] [--targets update,moments]`, seconds for each target. What a target found
 * worth keeping is taken up again the next time (build-test/stress/corpus); inputs that once failed are in
 * test/stress/native/inputs, and are run first.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { COMPILER, CPU_SOURCES, compileProgram, FOLDER, missingCompiler, ROOT } from './support/compile.mjs';

const TARGETS = {
  update: [],
  layout: ['native/core/layout.cpp'],
  moments: CPU_SOURCES,
  stream: CPU_SOURCES,
};

/** The kernels are fuzzed without coverage and for addresses only: all of it takes a compiler ten times as long. */
const FLAGS = ['-fsanitize=address', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];
const EXTRA = ['-fsanitize=fuzzer-no-link,undefined'];

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '15' }, targets: { type: 'string' } },
});
const targets = values.targets?.split(',') ?? Object.keys(TARGETS);
const unknown = targets.find((name) => !(name in TARGETS));
if (unknown !== undefined || !(Number(values.seconds) >= 1)) {
  console.error(`usage: fuzz.mjs [--seconds N] [--targets ${Object.keys(TARGETS).join(',')}]`);
  process.exit(2);
}
const missing = missingCompiler();
if (missing) {
  console.error(`fuzz: ${missing}`);
  process.exit(1);
}

let failed = false;

/** An input that takes longer hangs; by the clock on the wall, which goes on where a machine stands still. */
const timeout = `-timeout=${Math.max(60, 2 * Number(values.seconds))}`;

function run(what, program, args, cwd) {
  const { status, signal, stderr, stdout } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, UBSAN_OPTIONS: 'print_stacktrace=1', ASAN_OPTIONS: 'detect_leaks=1' },
  });
  const lines = (stdout + stderr)
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('***'));
  console.log(`fuzz: ${what}: ${status === 0 ? lines.at(-1) : `FAILED (${signal ?? status})`}`);
  if (status === 0) return;
  console.log(lines.slice(-60).join('\n'));
  failed = true;
}

const half = await compileProgram({
  name: 'half',
  sources: ['test/stress/native/half.cpp'],
  flags: [...FLAGS, '-fsanitize=undefined'],
});
run('half', half, [], FOLDER);

for (const name of targets) {
  const program = await compileProgram({
    name: `fuzz_${name}`,
    sources: [`test/stress/native/fuzz_${name}.cpp`, ...TARGETS[name]],
    flags: FLAGS,
    extra: EXTRA,
    linker: ['-fsanitize=fuzzer'],
  });
  const corpus = join(FOLDER, 'corpus', name);
  mkdirSync(corpus, { recursive: true });
  const known = join(ROOT, 'test/stress/native/inputs', name);
  if (existsSync(known))
    for (const file of readdirSync(known)) run(`${name}, ${file}`, program, [join(known, file)], FOLDER);
  run(
    `${name}, ${values.seconds} s by ${COMPILER}`,
    program,
    [`-max_total_time=${values.seconds}`, timeout, '-rss_limit_mb=4096', '-print_final_stats=0', corpus],
    FOLDER,
  );
}
process.exitCode = failed ? 1 : 0;
