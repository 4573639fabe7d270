/**
 * Static gates: what the CUDA compiler says of every kernel, held against what it must not and what it used to say.
 * A kernel that spills registers still gives the right results, only slowly; no other test would notice.
 *
 * In short for one architecture, in the long form (`npm run test:kernels`) for all that the builds compile for, and
 * linked. `PIKE_TEST_CEILINGS=write npm run test:kernels` writes register-ceilings.json anew.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  compileKernels,
  defaultArchitectures,
  findNvcc,
  type KernelResources,
  kernelSources,
  parseResources,
  RESOURCE_FLAGS,
  readableName,
} from './kernel-resources.js';

const here = dirname(fileURLToPath(import.meta.url));
const ceilingsFile = join(here, 'register-ceilings.json');

/** Registers that a kernel may take, by architecture and kernel. */
type Ceilings = Record<string, Record<string, number>>;
const ceilings: Ceilings = JSON.parse(readFileSync(ceilingsFile, 'utf8'));

const THREADS = 256; // kThreads in native/cuda/tables.h
const REGISTERS = 65536; // of a multiprocessor, of every architecture here
const STEP = 8; // a thread gets its registers in portions of this size

const roundUp = (registers: number) => Math.ceil(registers / STEP) * STEP;

/**
 * One block of it runs, once, and not in a loop over gradients: what it spills to memory, by itself or in functions
 * that it calls, costs microseconds, and nothing runs beside it. No other kernel is of that kind.
 */
const RUNS_ONCE = new Set(['SolveMoments']);

/** All that is wrong with kernels, in words. */
function violations(kernels: KernelResources, ceiling: Record<string, number>): string[] {
  const found: string[] = [];
  for (const [name, { registers, stack, spillStores, spillLoads }] of kernels) {
    if (!RUNS_ONCE.has(name)) {
      if (spillStores + spillLoads > 0)
        found.push(`${name} spills: stores ${spillStores} B, loads ${spillLoads} B`);
      else if (stack > 0) found.push(`${name} has a stack frame of ${stack} B`);
    }
    if (!(name in ceiling)) found.push(`${name} has no ceiling`);
    else if (registers > ceiling[name])
      found.push(`${name} takes ${registers} registers, not ${ceiling[name]}`);
  }
  for (const name of Object.keys(ceiling)) if (!kernels.has(name)) found.push(`${name} is missing`);
  return found.sort();
}

/** Blocks that a multiprocessor must have room for at once, so that enough loads are in flight. */
function intendedBlocks(kernel: string, architecture: number): number {
  const [, tasks, rows] = /^RegisterMoments<\w+, (\d+), (\d+)>$/.exec(kernel) ?? [];
  if (tasks) {
    const all = Number(tasks) * Number(rows);
    const tight = architecture < 90;
    return all <= 2 ? (tight ? 2 : 3) : all <= (tight ? 6 : 8) ? 2 : 1;
  }
  if (kernel.startsWith('TiledMoments')) return architecture === 90 ? 2 : 1;
  return kernel.startsWith('AccumulateMoments') ? 2 : 1;
}

describe('reading the compiler', () => {
  const log = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_ZN4pike4cuda15RegisterMomentsILNS_5DtypeE0ELi4ELi2EEEvNS0_16MomentsArgumentsE' for 'sm_80'
ptxas info    : Function properties for _ZN4pike4cuda15RegisterMomentsILNS_5DtypeE0ELi4ELi2EEEvNS0_16MomentsArgumentsE
    56 bytes stack frame, 68 bytes spill stores, 72 bytes spill loads
ptxas info    : Used 128 registers, used 1 barriers, 56 bytes cumulative stack size
ptxas info    : Compiling entry function '_ZN4pike4cuda12TiledMomentsILNS_5DtypeE2EEEvNS0_16MomentsArgumentsE' for 'sm_80'
ptxas info    : Function properties for _ZN4pike4cuda12TiledMomentsILNS_5DtypeE2EEEvNS0_16MomentsArgumentsE
    16 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 90 registers, used 1 barriers
ptxas info    : Function properties for _ZN4pike4cuda13FinishMomentsEPKNS0_6FinishENS0_6GlobalIdEEii
    376 bytes stack frame, 754 bytes spill stores, 2048 bytes spill loads
`;
  const kernels = parseResources(log);

  it('finds kernels and what they need', () => {
    expect(Object.fromEntries(kernels)).toEqual({
      'RegisterMoments<float32, 4, 2>': { registers: 128, stack: 56, spillStores: 68, spillLoads: 72 },
      'TiledMoments<bfloat16>': { registers: 90, stack: 16, spillStores: 0, spillLoads: 0 },
    });
    const solve = '12SolveMomentsENS0_14SolveArgumentsE';
    expect(
      [
        `_ZN4pike4cuda${solve}`,
        `__nv_static_30__553a475d_9_finish_cu_fa0e6e1b__ZN4pike4cuda41_GLOBAL__N__553a475d_9_finish_cu_fa0e6e1b${solve}`,
        '_ZN4pike4cuda17AccumulateMomentsILNS_5DtypeE3EEEvNS0_16WelfordArgumentsE',
        '_Z3ToyPfi',
      ].map(readableName),
    ).toEqual(['SolveMoments', 'SolveMoments', 'AccumulateMoments<float16>', 'Toy']);
  });

  it('sees spills, stack frames, too many registers, kernels that are new or gone', () => {
    expect(violations(kernels, { 'RegisterMoments<float32, 4, 2>': 120, Gone: 1 })).toEqual([
      'Gone is missing',
      'RegisterMoments<float32, 4, 2> spills: stores 68 B, loads 72 B',
      'RegisterMoments<float32, 4, 2> takes 128 registers, not 120',
      'TiledMoments<bfloat16> has a stack frame of 16 B',
      'TiledMoments<bfloat16> has no ceiling',
    ]);
  });

  it('asks with the flags of both builds', () => {
    for (const file of ['CMakeLists.txt', 'binding.gyp'])
      expect(readFileSync(join(here, '../..', file), 'utf8'), file).toContain(RESOURCE_FLAGS.at(-1));
  });
});

describe('the ceilings', () => {
  it.each(Object.keys(ceilings))('of %s leave room for the intended blocks', (architecture) => {
    for (const [kernel, registers] of Object.entries(ceilings[architecture])) {
      const blocks = Math.floor(REGISTERS / (roundUp(registers) * THREADS));
      expect(blocks, kernel).toBeGreaterThanOrEqual(intendedBlocks(kernel, Number(architecture)));
    }
  });
});

const found = findNvcc();
const nvcc = 'nvcc' in found ? found.nvcc : '';
const skipped = 'reason' in found ? ` (skipped: ${found.reason})` : '';
const long = Boolean(process.env.PIKE_TEST_LONG);

describe.skipIf(skipped !== '')(`kernels as compiled${skipped}`, () => {
  it('a kernel that spills and one with a stack frame are noticed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pike-gates-'));
    try {
      const source = join(folder, 'toy.cu');
      writeFileSync(
        source,
        `__global__ void __launch_bounds__(1024, 2) Spills(const float* in, float* out, int steps) {
           float sums[64] = {};
           for (int step = 0; step < steps; ++step) {
         #pragma unroll
             for (int i = 0; i < 64; ++i) sums[i] += in[step] * in[i];
           }
         #pragma unroll
           for (int i = 0; i < 64; ++i) out[i] = sums[i];
         }
         __global__ void Indexes(float* out, int at) {
           float values[64];
           for (int i = 0; i < 64; ++i) values[i * at % 64] = out[i];
           for (int i = 0; i < 64; ++i) out[i] = values[(i + at) % 64];
         }
         __global__ void Harmless(float* out) { *out = 1; }`,
      );
      const { alone } = await compileKernels(nvcc, '90', [source]);
      expect(violations(alone, { Spills: 255, Indexes: 255, Harmless: 255 })).toEqual([
        expect.stringMatching(/^Indexes has a stack frame of \d+ B$/),
        expect.stringMatching(/^Spills spills: stores \d+ B, loads \d+ B$/),
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  // In short without the file that takes as long as all others together; its one kernel is exempt from most anyway.
  it.skipIf(long)('for 90: no spills, no stack, no more registers than before', async () => {
    const sources = kernelSources().filter((file) => !file.endsWith('/finish.cu'));
    const { SolveMoments: _, ...others } = ceilings['90'];
    const { alone } = await compileKernels(nvcc, '90', sources);
    expect(violations(alone, others)).toEqual([]);
  });

  const architectures = skipped === '' ? defaultArchitectures() : [];
  it.runIf(long).each(architectures)(
    'for %s: no spills, no stack, no more registers than before, nor by linking',
    async (architecture) => {
      const { alone, linked } = await compileKernels(nvcc, architecture, kernelSources(), { link: true });
      if (process.env.PIKE_TEST_CEILINGS === 'write') writeCeilings(architecture, alone);
      const found = violations(alone, ceilings[architecture] ?? {});
      for (const [name, { registers }] of linked) {
        const before = alone.get(name)?.registers ?? 0;
        if (registers > before && !RUNS_ONCE.has(name))
          found.push(`linking takes ${name} from ${before} to ${registers} registers`);
      }
      expect(linked.size).toBe(alone.size);
      expect(found).toEqual([]);
    },
  );
});

function writeCeilings(architecture: string, kernels: KernelResources): void {
  const entries = [...kernels].map(([name, { registers }]) => [name, roundUp(registers)] as const);
  const compare = new Intl.Collator('en', { numeric: true }).compare;
  entries.sort(([a], [b]) => compare(a, b));
  ceilings[architecture] = Object.fromEntries(entries);
  writeFileSync(ceilingsFile, `${JSON.stringify(ceilings, null, 2)}\n`);
}
