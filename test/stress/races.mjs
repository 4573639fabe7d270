/**
 * native/core and native/cpu under ThreadSanitizer, without Node: `node test/stress/races.mjs [--seconds 15] [--seed 1]`.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { CPU_SOURCES, compileProgram, missingCompiler } from './support/compile.mjs';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '15' }, seed: { type: 'string', default: '1' } },
});
const missing = missingCompiler();
if (missing) {
  console.error(`races: ${missing}`);
  process.exit(1);
}
const program = await compileProgram({
  name: 'tsan',
  sources: ['test/stress/native/tsan.cpp', ...CPU_SOURCES],
  flags: ['-fsanitize=thread', '-fno-omit-frame-pointer'],
});
const { status, signal, stdout, stderr } = spawnSync(program, [values.seconds, values.seed], {
  encoding: 'utf8',
  maxBuffer: 1 << 28,
  env: { ...process.env, TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1' },
});
console.log(
  `races: ${values.seconds} s: ${status === 0 ? stdout.trim() : `FAILED (${signal ?? status})\n${stderr}`}`,
);
process.exitCode = status === 0 ? 0 : 1;
