/**
 * Bugs planted in the kernels themselves, to prove that the tests would see them: each is an edit of the sources in
 * native/cuda, compiled by itself, and must be found under one of the schedules that all kernels are tested with, by
 * the detector that is meant for it. PIKE_TEST_LONG=1 (npm run test:kernels) plants them all, `npm test` a few.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { mulberry32 } from '../support/gradients.js';
import type { Source } from './compile.js';
import { drawMeasurement, Kernels, largestError, type Run, referenceMoments } from './kernels.js';
import { nativeInput, randomInput, randomLosses, randomOptions } from './update-problems.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const long = Boolean(process.env.PIKE_TEST_LONG);

interface Bug {
  readonly name: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** What is to be reported, beside whatever else is. */
  readonly seen: RegExp;
  /** Also in the short form. */
  readonly short?: boolean;
}

const BUGS: readonly Bug[] = [
  {
    name: 'no barrier before the sums of other warps are read',
    file: 'tail.h',
    find: '  __syncthreads();\n  const std::int64_t begin = PartialsOf(tail, set, virtual_block);',
    replace: '  const std::int64_t begin = PartialsOf(tail, set, virtual_block);',
    seen: /shared (race|uninitialised)/,
    short: true,
  },
  {
    name: 'no barrier before rows are read',
    file: 'tiled_moments.h',
    find: '__syncthreads();  // the rows are there',
    replace: '// the rows are there',
    seen: /shared (race|uninitialised)/,
  },
  {
    name: 'no barrier before means are read',
    file: 'tiled_moments.h',
    find: '__syncthreads();  // the means are there; nobody reads others',
    replace: '// the means are there; nobody reads others',
    seen: /shared (race|uninitialised)/,
  },
  {
    name: 'no barrier before the place of the means is used again',
    file: 'tiled_moments.h',
    find: '__syncthreads();  // nobody reads the means of the tile before any more\n        TakeMeans',
    replace: 'TakeMeans',
    seen: /shared race/,
  },
  {
    name: 'addresses written before the warp has read the last ones',
    file: 'register_moments.h',
    find: '__syncwarp();  // nobody reads the addresses',
    replace: '// nobody reads the addresses',
    seen: /shared race/,
  },
  {
    name: 'roots of the next tile written over those of this one',
    file: 'tiled_moments.h',
    find: 'memory.roots + (parity ^ 1) * shape.columns',
    replace: 'memory.roots + parity * shape.columns',
    seen: /shared race/,
  },
  {
    name: 'addresses of rows read before the warp has met',
    file: 'register_moments.h',
    find: '      __syncwarp();\n      next = StartOf',
    replace: '      next = StartOf',
    seen: /shared (race|uninitialised)/,
  },
  {
    name: 'no barrier before the ticket',
    file: 'tail.h',
    find: '  __syncthreads();\n  if (threadIdx.x == 0) {\n    __threadfence();',
    replace: '  if (threadIdx.x == 0) {\n    __threadfence();',
    seen: /unpublished store|global race/,
  },
  {
    name: 'no fence before the ticket',
    file: 'tail.h',
    find: '    __threadfence();\n    const bool last',
    replace: '    const bool last',
    seen: /unpublished store/,
    short: true,
  },
  {
    name: 'no fence after the ticket',
    file: 'tail.h',
    find: '    __threadfence();\n    if (last)',
    replace: '    if (last)',
    seen: /read without acquire/,
  },
  {
    name: 'a ticket not set back',
    file: 'tail.h',
    find: 'if (last) tickets.Store(ticket, 0u);',
    replace: '',
    seen: /not at rest/,
  },
  {
    name: 'the block that comes last adds itself once more and takes itself off again',
    file: 'tail.h',
    find: 'SumInOrder(tail.partials, begin + slot, tail.slots, size));',
    replace: `0.7 * tail.partials.Load(PartialsOf(tail, set, virtual_block) + slot)
      + SumInOrder(tail.partials, begin + slot, tail.slots, size)
      - 0.7 * tail.partials.Load(PartialsOf(tail, set, virtual_block) + slot));`,
    seen: /bits differ/,
  },
  {
    name: 'sums of one set stored over those of another',
    file: 'tail.h',
    find: 'tail.group_partials.Store(ticket * tail.slots + slot,',
    replace: 'tail.group_partials.Store(group * tail.slots + slot,',
    seen: /global race|wrong/,
  },
  {
    name: 'the index of a warp mistaken for that of a lane',
    file: 'register_moments.h',
    find: 'warp_sums[warp * kLayout.count + slot]',
    replace: 'warp_sums[lane % kWarps * kLayout.count + slot]',
    seen: /shared (race|uninitialised)/,
  },
  {
    name: 'a product of the wrong pair',
    file: 'register_moments.h',
    find: '__fmaf_rn(mean[j], mean[k], sums[pair])',
    replace: '__fmaf_rn(mean[0], mean[k], sums[pair])',
    seen: /wrong/,
  },
  {
    name: 'flags beyond the end of shared memory',
    file: 'register_moments.h',
    find: 'SharedAt<unsigned>(kLayout.flags_at)',
    replace: 'SharedAt<unsigned>(kLayout.flags_at + 4)',
    seen: /shared out of bounds/,
  },
  {
    name: 'a shuffle that one lane does not take part in',
    file: 'register_moments.h',
    find: '    Flush<K, M>(sums, lane, totals);\n\n',
    replace: '    if (lane != 3) Flush<K, M>(sums, lane, totals);\n\n',
    seen: /divergent collective/,
    short: true,
  },
  {
    name: 'a barrier that some threads do not come to',
    file: 'tiled_moments.h',
    find: 'if (!IsLastOfAll(a.tail, set_index, block, memory.flags)) continue;',
    replace: 'if (thread > 99 || !IsLastOfAll(a.tail, set_index, block, memory.flags)) continue;',
    seen: /divergent barrier|barrier after return/,
  },
  {
    name: 'sixteen bytes read beyond the tail',
    file: 'element.h',
    find: 'aligned && column + Element<dtype>::kColumns <= count',
    replace: 'aligned && column < count',
    seen: /global out of bounds/,
  },
  {
    name: 'sixteen bytes read where they are not aligned',
    file: 'element.h',
    find: 'if (aligned && column',
    replace: 'if ((aligned || true) && column',
    seen: /global misaligned/,
  },
  {
    name: 'columns of the mean that two threads update',
    file: 'welford.h',
    find: 'StoreVector(mean_row + column + i,',
    replace: 'StoreVector(mean_row + (thread == 1 ? column - kColumns : column) + i,',
    seen: /global race/,
  },
  {
    name: 'deviations formed before the quantities are there',
    file: 'finish.cu',
    find: '  __syncthreads();\n  // deviation_k',
    replace: '  // deviation_k',
    seen: /global race/,
  },
  {
    name: 'the solver begins before its inputs are there',
    file: 'finish.cu',
    find: '  __syncthreads();\n  if (threadIdx.x >= 32) return;',
    replace: '  if (threadIdx.x >= 32) return;',
    seen: /shared (race|uninitialised)/,
  },
];

/** The kernels with an edit, which must fit exactly once. */
async function plant({ name, file, find, replace }: Bug): Promise<Kernels> {
  const text = readFileSync(join(root, 'native/cuda', file), 'utf8');
  expect(text.split(find).length - 1, `places in ${file} that match '${find}'`).toBe(1);
  const folder = join('build-test/planted', `${name} in ${file}`.replaceAll(/\W+/g, '-'));
  const target = join(folder, 'cuda', file);
  mkdirSync(dirname(join(root, target)), { recursive: true });
  const planted = text.replace(find, () => replace);
  if (readOrNothing(join(root, target)) !== planted) writeFileSync(join(root, target), planted);

  const withEdit = (source: string): Source => ({
    source: source.endsWith(`/${file}`) ? target : source,
    includes: [folder],
  });
  const replaced: Record<string, Source> = {
    'native/cuda/kernels_bfloat16.cu': 'test/native/no_kernels.cpp',
    'native/cuda/kernels_float16.cu': 'test/native/no_kernels.cpp',
    'native/cuda/kernels_float32.cu': withEdit('native/cuda/kernels_float32.cu'),
  };
  if (file === 'finish.cu') replaced['native/cuda/finish.cu'] = withEdit('native/cuda/finish.cu');
  return Kernels.load(replaced);
}

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** All that the tests of the kernels have to say of a build: nothing, where it is right. */
async function findings(kernels: Kernels): Promise<string[]> {
  const found = new Set<string>();
  const few = [8192 * 2 + 5, 7];
  const shapes: [rowsPerTask: number[], inner: boolean, lengths: number[]][] = [
    [[2, 2, 2], true, few],
    [[2, 2, 2], false, few],
    [[2, 2, 2, 2, 2], true, few],
    [[2, 2, 2], false, new Array<number>(700).fill(3)], // several chunks to a block; slow
  ];
  for (const [rowsPerTask, inner, lengths] of shapes) {
    const random = mulberry32(rowsPerTask.length);
    const shift = (row: number) => Number(row === 1);
    const measurement = drawMeasurement({ lengths, rowsPerTask, inner, shift, metric: ['float32'] }, random);
    const expected = await referenceMoments(measurement);
    const options = randomOptions(random, 'pike', rowsPerTask.length);
    const counts = Float64Array.from([
      ...rowsPerTask,
      ...measurement.samples.map((sizes) => sizes.reduce((a, b) => a + b, 0)),
    ]);
    const native = nativeInput(randomInput(random, options), randomLosses(random, rowsPerTask.length));
    const run: Run = { update: { ...native, counts } };
    const slow = lengths.length > 100;
    for (const form of slow ? (['measure'] as const) : (['measure', 'stream'] as const)) {
      let first: object | undefined;
      for (let schedule = 0; schedule < (slow ? 1 : kernels.schedules.short.length); schedule++) {
        try {
          const result = kernels[form](measurement, { ...run, schedule });
          first ??= result;
          if (!isDeepStrictEqual(result, first)) found.add('bits differ');
          if (!result.atRest) found.add('not at rest');
          if (!(largestError(result, expected) < 1e-6)) found.add('wrong result');
        } catch (error) {
          found.add(String((error as { code?: string }).code ?? error));
        }
      }
    }
  }
  kernels.release();
  return [...found];
}

describe('planted bugs', () => {
  it('there are none in the kernels as they are', async () => {
    expect(await findings(await Kernels.load())).toStrictEqual([]);
  }, 240_000);

  it.each(BUGS.filter((bug) => long || bug.short).map((bug) => [bug.name, bug] as const))(
    '%s',
    async (_, bug) => {
      const found = await findings(await plant(bug));
      expect(found.join(', ')).toMatch(bug.seen);
    },
    240_000,
  );
});
