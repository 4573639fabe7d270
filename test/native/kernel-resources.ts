/**
 * What the CUDA compiler says that kernels need: registers, stack, spills. No GPU is needed to ask it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** The flags of the builds (CMakeLists.txt, binding.gyp) that bear on registers. */
export const RESOURCE_FLAGS = ['-std=c++20', '-O3', '-Xptxas=--device-function-maxrregcount=48'];

export interface Resources {
  registers: number;
  /** In bytes. */
  stack: number;
  spillStores: number;
  spillLoads: number;
}

/** By kernel, as in `RegisterMoments<float32, 2, 4>`. */
export type KernelResources = Map<string, Resources>;

/** The nvcc to use, or why there is none. */
export function findNvcc(): { nvcc: string } | { reason: string } {
  const nvcc = process.env.CUDACXX || 'nvcc';
  const home = script('find-cuda.mjs', { PIKE_CUDA: 'auto' });
  return home === '' ? { reason: `no ${nvcc} that works was found` } : { nvcc };
}

/** What the builds compile for, as numbers; `CUDAARCHS` does not count here. */
export function defaultArchitectures(): string[] {
  return script('cuda-architectures.mjs', { CUDAARCHS: '' })
    .split(',')
    .map((name) => name.split('-')[0]);
}

export function kernelSources(): string[] {
  return readdirSync(join(root, 'native/cuda'))
    .filter((file) => file.endsWith('.cu'))
    .sort()
    .map((file) => `native/cuda/${file}`);
}

function script(name: string, env: Record<string, string>): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'native', name)], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`native/${name} failed: ${stderr}`);
  return stdout.trim();
}

const FUNCTION = /(?:Compiling entry function '(\S+)'|Function properties for '?([^'\s]+))/;
const STACK = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/;
const REGISTERS = /[Uu]sed (\d+) registers/;

/**
 * Reads what `ptxas -v` or `nvlink -v` printed for one architecture. Device functions are left out: ptxas states no
 * registers for them.
 */
export function parseResources(log: string): KernelResources {
  const kernels: KernelResources = new Map();
  let name = '';
  let memory = [0, 0, 0];
  for (const line of log.split('\n')) {
    const [, entry, other] = FUNCTION.exec(line) ?? [];
    if (entry ?? other) {
      name = readableName(entry ?? other);
      memory = [0, 0, 0];
    }
    const bytes = STACK.exec(line);
    if (bytes) memory = bytes.slice(1).map(Number);
    const registers = REGISTERS.exec(line)?.[1];
    if (registers === undefined || name === '') continue;
    const [stack, spillStores, spillLoads] = memory;
    kernels.set(name, { registers: Number(registers), stack, spillStores, spillLoads });
    name = '';
  }
  return kernels;
}

/** native/core/dtype.h */
const DTYPES = ['float32', 'float64', 'bfloat16', 'float16'];

/** The last name of a mangled one, with its template arguments: numbers and dtypes are all that kernels here have. */
export function readableName(mangled: string): string {
  let rest = mangled.replace(/^.*?_ZN?/, '');
  let name = mangled;
  for (let length = /^\d+/.exec(rest)?.[0]; length; length = /^\d+/.exec(rest)?.[0]) {
    name = rest.slice(length.length, length.length + Number(length));
    rest = rest.slice(length.length + Number(length));
  }
  const list = /^I((?:L\w+?E\d+E|L[ijlm]\d+E)+)E/.exec(rest)?.[1];
  if (list === undefined) return name;
  const values = [...list.matchAll(/L(?:(\w+?E)(\d+)|[ijlm](\d+))E/g)].map(([, type, value, number]) =>
    type?.endsWith('DtypeE') ? DTYPES[Number(value)] : (value ?? number),
  );
  return `${name}<${values.join(', ')}>`;
}

export interface Compiled {
  /** Of each kernel by itself. */
  alone: KernelResources;
  /** With the device functions of other files that it calls. */
  linked: KernelResources;
}

/**
 * Compiles sources for one architecture, and links them if `link`. What was printed stays in build-test/ until
 * a source, a header, nvcc or a flag changes.
 */
export async function compileKernels(
  nvcc: string,
  architecture: string,
  sources: readonly string[],
  { link = false, flags = RESOURCE_FLAGS }: { link?: boolean; flags?: readonly string[] } = {},
): Promise<Compiled> {
  const folder = mkdtempSync(join(tmpdir(), 'pike-gates-'));
  try {
    const all = [...flags, `-arch=sm_${architecture}`, `-I${join(root, 'native')}`];
    const jobs = sources.map((source, i) => async () => {
      const cubin = join(folder, `${i}.cubin`);
      const args = [...all, '-rdc=true', '-Xptxas=-v', '-cubin', resolve(root, source), '-o', cubin];
      return await run(nvcc, args);
    });
    const key = digest([versionOf(nvcc), String(link), ...all, ...sources, ...contents(sources)]);
    const kept = join(root, 'build-test', 'ptxas', `${architecture}-${key}.json`);
    if (!existsSync(kept)) {
      const alone = (await pairwise(jobs)).join('');
      const cubins = sources.map((_, i) => join(folder, `${i}.cubin`));
      const linkArgs = [`-arch=sm_${architecture}`, '-dlink', '-cubin', '-Xnvlink=-v', ...cubins, '-o'];
      const linked = link ? await run(nvcc, [...linkArgs, join(folder, 'linked.cubin')]) : '';
      mkdirSync(dirname(kept), { recursive: true });
      writeFileSync(kept, JSON.stringify({ alone, linked }));
    }
    const { alone, linked } = JSON.parse(readFileSync(kept, 'utf8')) as { alone: string; linked: string };
    return { alone: parseResources(alone), linked: parseResources(linked) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs jobs two at a time: that is what small machines have. Results in the order of the jobs. */
async function pairwise<T>(jobs: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const work = async () => {
    while (next < jobs.length) {
      const mine = next++;
      results[mine] = await jobs[mine]();
    }
  };
  await Promise.all([work(), work()]);
  return results;
}

const digest = (parts: readonly string[]) =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);

const versionOf = (nvcc: string) => spawnSync(nvcc, ['--version'], { encoding: 'utf8' }).stdout;

/** Of the sources and of every header that they might include. */
function contents(sources: readonly string[]): string[] {
  const headers = ['core', 'cuda', 'math'].flatMap((folder) =>
    readdirSync(join(root, 'native', folder))
      .filter((file) => file.endsWith('.h'))
      .sort()
      .map((file) => `native/${folder}/${file}`),
  );
  return [...sources, ...headers].map((file) => readFileSync(resolve(root, file), 'utf8'));
}

/** What a command printed. */
async function run(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const take = (text: Buffer) => {
    output += text;
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const code = await new Promise<number | null>((done, fail) => {
    child.on('error', fail);
    child.on('close', done);
  });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${output}`);
  return output;
}
