/**
 * Compiles programs of native/ with a sanitizer, without Node: their objects stay in build-test/stress until a source, a
 * header or a flag changes.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
export const FOLDER = join(ROOT, 'build-test/stress');

/** libFuzzer and the flags below are of Clang. */
export const COMPILER = process.env.CLANGXX ?? 'clang++';

/** Why there is nothing to compile with; null if there is. */
export function missingCompiler() {
  const { status } = spawnSync(COMPILER, ['--version']);
  return status === 0
    ? null
    : `${COMPILER} is not installed; on Debian: apt-get install clang libclang-rt-14-dev`;
}

/** The sources of the CPU path that need no Node. */
export const CPU_SOURCES = [
  'native/core/control_groups.cpp',
  'native/core/layout.cpp',
  'native/core/memory.cpp',
  ...readdirSync(join(ROOT, 'native/cpu'))
    .filter((name) => name.endsWith('.cpp'))
    .sort()
    .map((name) => `native/cpu/${name}`),
];

/** The unrolled kernels, which take a compiler minutes with what other files can have. */
const isKernels = (source) => /kernels_\w+\.cpp$/.test(source);

/**
 * @param name of the program
 * @param sources relative to the root
 * @param flags for all of them, and for linking
 * @param extra flags for those that are not unrolled kernels
 * @param linker flags for linking alone
 * @returns the path of the program
 */
export async function compileProgram({ name, sources, flags, extra = [], linker = [] }) {
  mkdirSync(join(FOLDER, 'objects'), { recursive: true });
  const common = ['-std=c++20', '-O1', '-g1', '-Wall', '-Wextra', '-ffp-contract=off', '-fno-math-errno'];
  const includes = ['native', 'test/native', 'test/stress/native'].map((folder) => `-I${join(ROOT, folder)}`);
  const objects = sources.map((source) => {
    const all = [...common, ...includes, ...flags, ...(isKernels(source) ? [] : extra)];
    const key = createHash('sha256')
      .update(JSON.stringify([COMPILER, all, source]))
      .digest('hex');
    const object = join(FOLDER, 'objects', `${basename(source)}-${key.slice(0, 12)}.o`);
    return { object, fresh: isFresh(object), all, source: join(ROOT, source) };
  });
  // The longest first.
  const stale = objects
    .filter(({ fresh }) => !fresh)
    .sort((a, b) => statSync(a.source).size - statSync(b.source).size)
    .sort((a, b) => Number(isKernels(a.source)) - Number(isKernels(b.source)));
  const work = async () => {
    for (let next = stale.pop(); next; next = stale.pop()) {
      const { object, all, source } = next;
      await run(COMPILER, [...all, '-MMD', '-MF', `${object}.d`, '-c', source, '-o', `${object}.part`]);
      renameSync(`${object}.part`, object);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  const program = join(FOLDER, name);
  await run(COMPILER, [
    ...flags,
    ...extra,
    ...linker,
    '-pthread',
    ...objects.map(({ object }) => object),
    '-o',
    program,
  ]);
  return program;
}

function isFresh(object) {
  if (!existsSync(object) || !existsSync(`${object}.d`)) return false;
  const made = statSync(object).mtimeMs;
  const files = readFileSync(`${object}.d`, 'utf8')
    .replaceAll('\\\n', ' ')
    .split(/\s+/)
    .slice(1)
    .filter(Boolean);
  return files.every((file) => existsSync(file) && statSync(file).mtimeMs <= made);
}

async function run(command, args) {
  const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit' });
  const code = await new Promise((done, fail) => child.on('error', fail).on('close', done));
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} failed`);
}
