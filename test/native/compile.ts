/**
 * Compiles C++ of the tests: addons that run parts of native/ on the host. What was compiled stays in build-test/
 * until one of its sources, headers or flags changes.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const require = createRequire(import.meta.url);

/** A source file, relative to the root of the project. */
export type Source = string | { readonly source: string; readonly includes: readonly string[] };

export interface AddonSources {
  /** Name of the file that results, without its ending. */
  readonly name: string;
  /** Those with `includes` find headers there first. */
  readonly sources: readonly Source[];
  /** Further flags. */
  readonly flags?: readonly string[];
}

/** Compiles and links an addon, unless it is there and up to date, and loads it. */
export async function loadTestAddon<T>(addon: AddonSources): Promise<T> {
  return require(await compileTestAddon(addon)) as T;
}

/** Compiles and links an addon, unless it is there and up to date. Returns its path. */
export async function compileTestAddon({ name, sources, flags = [] }: AddonSources): Promise<string> {
  const compiler = process.env.CXX || 'c++';
  const objects = await compileObjects(compiler, [...compilerFlags(), ...flags], sources);
  return link(compiler, ['-shared', ...linkerFlags()], objects, name, '.node');
}

/** The same of a program, with a compiler of any target. */
export async function compileTestProgram(
  compiler: string,
  { name, sources, flags = [] }: AddonSources,
): Promise<string> {
  const all = ['-std=c++20', '-O1', '-Wall', '-Wextra', ...flags];
  return link(compiler, [...flags, '-pthread'], await compileObjects(compiler, all, sources), name, '');
}

async function compileObjects(
  compiler: string,
  flags: readonly string[],
  sources: readonly Source[],
): Promise<string[]> {
  mkdirSync(join(folder, 'objects'), { recursive: true });
  const objects: string[] = [];
  const stale: (() => Promise<void>)[] = [];
  for (const given of sources) {
    const { source, includes } = typeof given === 'string' ? { source: given, includes: [] } : given;
    const first = includes.map((path) => `-I${join(root, path)}`);
    // To a compiler of the host, CUDA sources are C++ like any other.
    const language = source.endsWith('.cu') ? ['-x', 'c++'] : [];
    const all = [...flags, ...first, ...INCLUDES, ...language];
    const object = join(folder, 'objects', `${basename(source)}-${hash([compiler, all, source])}.o`);
    objects.push(object);
    if (!isFresh(object))
      stale.push(() =>
        exclusively(object, async () => {
          if (!isFresh(object)) await compile(compiler, all, join(root, source), object);
        }),
      );
  }
  // Two at a time: that is what small machines have.
  const work = async () => {
    for (let next = stale.pop(); next; next = stale.pop()) await next();
  };
  await Promise.all([work(), work()]);
  return objects;
}

async function link(
  compiler: string,
  flags: readonly string[],
  objects: readonly string[],
  name: string,
  ending: string,
): Promise<string> {
  const file = join(folder, `${name}-${hash([objects, flags])}${ending}`);
  const made = existsSync(file) ? statSync(file).mtimeMs : 0;
  if (objects.some((object) => statSync(object).mtimeMs > made)) {
    await replace(file, (out) => run(compiler, [...flags, ...objects, '-o', out]));
  }
  return file;
}

const folder = join(root, 'build-test');

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 12);
}

/** Makes a file under another name first: other processes may want, or have loaded, the one that is there. */
async function replace(file: string, make: (out: string) => Promise<void>): Promise<void> {
  const temporary = `${file}.${process.pid}`;
  await make(temporary);
  renameSync(temporary, file);
}

/** Lets only one process at a time do this for a file: test files that need the same objects start together. */
async function exclusively(file: string, work: () => Promise<void>): Promise<void> {
  const lock = `${file}.lock`;
  while (!take(lock)) await new Promise((resolve) => setTimeout(resolve, 50));
  try {
    await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Whether the lock is ours now. One whose process has ended without giving it back is taken away. */
function take(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (!isHeld(lock)) rmSync(lock, { force: true });
    return false;
  }
}

function isHeld(lock: string): boolean {
  const longest = 10 * 60_000; // milliseconds that nothing here takes to compile
  try {
    if (Date.now() - statSync(lock).mtimeMs > longest) return false;
    const holder = Number(readFileSync(lock, 'utf8'));
    // Empty: about to be written. Signal 0 only asks whether there is such a process.
    return holder === 0 || process.kill(holder, 0);
  } catch {
    return false;
  }
}

async function compile(compiler: string, flags: readonly string[], source: string, object: string) {
  await replace(object, (out) =>
    run(compiler, [...flags, '-MMD', '-MF', dependencyFile(object), '-c', source, '-o', out]),
  );
}

const dependencyFile = (object: string) => object.replace(/\.o$/, '.d');

const INCLUDES = [
  `-I${join(root, 'native')}`,
  `-I${join(root, 'test/native')}`,
  `-isystem${dirname(require.resolve('node-addon-api/package.json'))}`,
  `-isystem${join(dirname(require.resolve('node-api-headers/package.json')), 'include')}`,
];

function compilerFlags(): string[] {
  return [
    ...['-std=c++20', '-O2', '-fPIC', '-fvisibility=hidden', '-Wall', '-Wextra', '-Wno-unknown-pragmas'],
    ...['-DNAPI_VERSION=9', '-DNAPI_CPP_EXCEPTIONS', '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
    // A fused multiply-add where the kernel asks for one and nowhere else, as on the GPU.
    '-ffp-contract=off',
    ...(hasFusedMultiplyAdd() ? ['-mfma'] : []),
    ...moreFlags(),
  ];
}

/** Sanitizers, as test/stress/sanitize.mjs sets them. */
function moreFlags(): string[] {
  return process.env.PIKE_TEST_FLAGS?.split(' ').filter(Boolean) ?? [];
}

function linkerFlags(): string[] {
  if (platform() === 'darwin') return ['-undefined', 'dynamic_lookup'];
  // Node 20 unmaps an addon when the last worker that uses it ends, while threads may still be leaving it.
  return ['-pthread', '-Wl,-z,nodelete', ...moreFlags()];
}

/** Without the instruction, the C library computes the same bits slowly. */
function hasFusedMultiplyAdd(): boolean {
  if (arch() !== 'x64' || !existsSync('/proc/cpuinfo')) return false;
  return /^flags\s*:.*\bfma\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
}

/** Whether an object file is newer than everything that it was made of. */
function isFresh(object: string): boolean {
  const list = dependencyFile(object);
  if (!existsSync(object) || !existsSync(list)) return false;
  const made = statSync(object).mtimeMs;
  const files = readFileSync(list, 'utf8')
    .replaceAll('\\\n', ' ')
    .split(/(?<!\\)\s+/)
    .slice(1)
    .filter((file) => file !== '');
  return files.every((file) => existsSync(file) && statSync(file).mtimeMs <= made);
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  const code = await new Promise<number | null>((done, fail) => {
    child.on('error', fail);
    child.on('close', done);
  });
  if (code !== 0) throw new Error(`${command} failed:\n${errors}`);
  if (errors !== '') writeFileSync(2, errors);
}
