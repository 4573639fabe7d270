/**
 * The emulator in which kernels are tested: what is right gives the same bits under every schedule; what is wrong in
 * one way is seen under a standard schedule, and for what it is.
 */
import { describe, expect, it } from 'vitest';
import { loadTestAddon } from './compile.js';
import { EMULATOR_SOURCES } from './emulator/sources.js';

interface Defect {
  kind: string;
  message: string;
}

type Switches = Record<string, boolean | number>;

interface Addon {
  run(kernel: string, bug: string, schedule: number, switches: Switches): Float64Array | Defect;
  schedules(thorough: boolean): string[];
  refusal(blocks: number, threads: number, shared: number): string;
}

const addon = await loadTestAddon<Addon>({
  name: 'emulator-selftest',
  sources: ['test/native/emulator/selftest.cpp', ...EMULATOR_SOURCES],
});
const SHORT = addon.schedules(false);
const THOROUGH = addon.schedules(true);
const KERNELS = ['reduce', 'reduceOnce', 'warps', 'transpose', 'places'];

/** Enough for every toy kernel; what goes on for ever is seen at once. */
const STEPS = { stepBudget: 1_000_000 };

const isDefect = (outcome: Float64Array | Defect): outcome is Defect => 'kind' in outcome;

function run(kernel: string, bug: string, schedule: number, switches: Switches = {}): Float64Array | Defect {
  return addon.run(kernel, bug, schedule, { ...STEPS, ...switches });
}

/** What a bug shows under each of the short schedules: a kind, "wrong" results, or nothing: "right". */
function outcomes(kernel: string, bug: string, switches: Switches = {}): string[] {
  const right = run(kernel, 'none', 0);
  return SHORT.map((_, schedule) => {
    const outcome = run(kernel, bug, schedule, switches);
    if (isDefect(outcome)) return outcome.kind;
    return Buffer.from(outcome.buffer).equals(Buffer.from((right as Float64Array).buffer))
      ? 'right'
      : 'wrong';
  });
}

const off = (detectors: readonly string[]): Switches =>
  Object.fromEntries(detectors.map((name) => [name, false]));

describe('right kernels', () => {
  it.each(KERNELS)('%s: the same bits under every schedule', (kernel) => {
    const first = run(kernel, 'none', 0);
    expect(first).toBeInstanceOf(Float64Array);
    for (const [schedule, name] of THOROUGH.entries())
      expect(run(kernel, 'none', schedule), name).toStrictEqual(first);
  });

  it('compute what they say', () => {
    const values = Float32Array.from({ length: 4096 }, (_, i) => Math.fround((((i * 37) % 101) - 11) * 0.1));
    const transposed = run('transpose', 'none', 0) as Float64Array;
    for (const [row, column] of [
      [0, 0],
      [3, 17],
      [31, 30],
    ])
      expect(transposed[row * 32 + column]).toBeCloseTo(2 * values[column * 32 + row], 5);

    const sums = run('reduce', 'none', 0) as Float64Array;
    for (const block of [0, 6]) {
      const own = values.subarray(block * 512, Math.min((block + 1) * 512, 7 * 512 - 5));
      expect(sums[block]).toBeCloseTo(
        own.reduce((a, b) => a + b, 0),
        2,
      );
    }

    const columns = run('reduceOnce', 'none', 0) as Float64Array;
    let column = 94; // the least number that the blocks bring
    for (let block = 0; block < 7; ++block) column += values[block * 64 + 9];
    expect(columns[9]).toBeCloseTo(column, 4);
    expect(columns[64 + 9]).toBe(columns[9]);

    const numbers = [200.5, 201.5, 202.5, 210.5, 211.5, 212.5];
    const packed = numbers.flatMap((number) => [Math.floor(number), 0, Math.floor(number), 32]);
    expect([...(run('places', 'none', 0) as Float64Array)]).toStrictEqual([...numbers, 200.5, ...packed]);

    // Lane 0 of the first warp: two sums of its 32 values, the votes, and the values of lanes 8 and 31.
    const warp = values.subarray(0, 32);
    const sum = warp.reduce((a, b) => a + b, 0);
    let votes = 0;
    for (const [lane, value] of warp.entries()) if (value > 0) votes += 2 ** lane;
    const results = run('warps', 'none', 0) as Float64Array;
    expect(results[0]).toBeCloseTo(2 * sum + votes + 1 + values[8] + values[31], 2);
  });

  it('lists short schedules first', () => {
    expect(THOROUGH.slice(0, SHORT.length)).toStrictEqual(SHORT);
    expect(new Set(THOROUGH).size).toBe(THOROUGH.length);
  });
});

interface Case {
  kernel: string;
  bug: string;
  /** What it is seen as. */
  kinds: string[];
  /** Without these detectors nothing is reported, and results are what they are: right or wrong by schedule. */
  without?: string[];
  /** Few of the short schedules show it (default: all do). */
  rare?: boolean;
}

const NOT_YET_WRITTEN = ['shared race', 'shared uninitialised'];
const NO_ORDER_IN_BLOCK = ['sharedRaces', 'sharedInitialised'];

const CASES: Case[] = [
  { kernel: 'reduce', bug: 'no barrier before read', kinds: NOT_YET_WRITTEN, without: NO_ORDER_IN_BLOCK },
  { kernel: 'reduce', bug: 'no barrier before reuse', kinds: ['shared race'], without: ['sharedRaces'] },
  { kernel: 'reduce', bug: 'shared index outside', kinds: ['shared out of bounds'] },
  { kernel: 'reduce', bug: 'shared index of other', kinds: NOT_YET_WRITTEN, without: NO_ORDER_IN_BLOCK },
  {
    kernel: 'reduce',
    bug: 'reads unwritten',
    kinds: ['shared uninitialised'],
    without: ['sharedInitialised'],
  },
  { kernel: 'reduce', bug: 'writes what others read', kinds: ['shared race'], without: ['sharedRaces'] },
  { kernel: 'reduce', bug: 'same value twice', kinds: ['shared race'], without: ['sharedRaces'] },
  {
    kernel: 'reduce',
    bug: 'barriers in branches',
    kinds: ['divergent barrier'],
    without: ['strictBarriers'],
  },
  { kernel: 'reduce', bug: 'returns before barrier', kinds: ['barrier after return'] },
  { kernel: 'reduce', bug: 'reads beyond tail', kinds: ['global out of bounds'], without: ['globalBounds'] },
  { kernel: 'reduce', bug: 'misaligned stream', kinds: ['global misaligned'], without: ['globalBounds'] },
  { kernel: 'reduce', bug: 'waits forever', kinds: ['runaway'] },
  { kernel: 'reduce', bug: 'barriers forever', kinds: ['runaway'] },

  {
    kernel: 'reduceOnce',
    bug: 'no barrier before ticket',
    kinds: ['unpublished store'],
    without: ['globalOrdering'],
  },
  {
    kernel: 'reduceOnce',
    bug: 'no fence before ticket',
    kinds: ['unpublished store'],
    without: ['globalOrdering'],
  },
  {
    kernel: 'reduceOnce',
    bug: 'no fence after ticket',
    kinds: ['read without acquire'],
    without: ['globalOrdering'],
  },
  { kernel: 'reduceOnce', bug: 'partial of other', kinds: ['global race'], without: ['globalOrdering'] },
  {
    kernel: 'reduceOnce',
    bug: 'atomic after ticket',
    kinds: ['read without acquire'],
    without: ['globalOrdering'],
    rare: true,
  },
  { kernel: 'reduceOnce', bug: 'ticket not reset', kinds: ['wrong'] },

  { kernel: 'warps', bug: 'shuffle in branch', kinds: ['divergent collective'] },
  { kernel: 'warps', bug: 'lane returned', kinds: ['divergent collective'] },
  { kernel: 'warps', bug: 'lane not in mask', kinds: ['divergent collective'] },
  { kernel: 'warps', bug: 'source not in mask', kinds: ['divergent collective'] },
  { kernel: 'warps', bug: 'different shuffles', kinds: ['divergent collective'] },
  { kernel: 'warps', bug: 'no syncwarp', kinds: NOT_YET_WRITTEN, without: NO_ORDER_IN_BLOCK },
  { kernel: 'warps', bug: 'shuffle for syncwarp', kinds: ['shared race'], without: ['sharedRaces'] },

  { kernel: 'transpose', bug: 'no barrier in tile', kinds: NOT_YET_WRITTEN, without: NO_ORDER_IN_BLOCK },
  { kernel: 'transpose', bug: 'misaligned tile', kinds: ['shared misaligned'] },
  { kernel: 'transpose', bug: 'writes input', kinds: ['write to read-only'], without: ['globalBounds'] },
  { kernel: 'transpose', bug: 'vector of other', kinds: ['global race'], without: ['globalOrdering'] },
  { kernel: 'transpose', bug: 'reads own output', kinds: ['global race'], without: ['globalOrdering'] },

  { kernel: 'places', bug: 'reads stored', kinds: ['global race'], without: ['globalOrdering'] },
  { kernel: 'places', bug: 'beyond row', kinds: ['global out of bounds'] },
];

describe('planted bugs', () => {
  it.each(CASES)('$kernel, $bug', ({ kernel, bug, kinds, without, rare }) => {
    const seen = outcomes(kernel, bug);
    if (!rare) for (const outcome of seen) expect(kinds).toContain(outcome);
    expect(seen.filter((outcome) => kinds.includes(outcome))).not.toHaveLength(0);
    expect(seen.filter((outcome) => ![...kinds, 'right'].includes(outcome))).toHaveLength(0);

    if (!without) return;
    const blind = outcomes(kernel, bug, off(without));
    expect(blind.filter((outcome) => outcome !== 'right' && outcome !== 'wrong')).toHaveLength(0);
  });

  it('gives wrong results without a fence, by weak memory alone', () => {
    const outcome = outcomes('reduceOnce', 'no fence before ticket', off(['globalOrdering']));
    expect(outcome).toContain('wrong');
    const strong = outcomes('reduceOnce', 'no fence before ticket', off(['globalOrdering', 'weakGlobal']));
    expect(new Set(strong)).toStrictEqual(new Set(['right']));
  });

  it('shuffles order memory where they are told to', () => {
    const granted = outcomes('warps', 'shuffle for syncwarp', { collectivesOrderMemory: true });
    expect(new Set(granted)).toStrictEqual(new Set(['right']));
  });

  it('names the threads and the place', () => {
    const message = (kernel: string, bug: string, schedule: number) =>
      (run(kernel, bug, schedule) as Defect).message;
    expect(message('reduce', 'reads beyond tail', 0)).toBe(
      'global out of bounds: block 6, thread 62 reads 4 bytes at byte 14316 of "values" (14316 bytes)',
    );
    expect(message('reduce', 'shared index of other', 0)).toBe(
      'shared race: block 0, thread 34 writes byte 272 of shared memory, which thread 33 wrote with no barrier in between',
    );
    expect(message('reduceOnce', 'no fence after ticket', 0)).toMatch(
      /^read without acquire: block 6, thread 0 loads what block 0, thread 0 stored, with no fence here/,
    );
    expect(message('warps', 'shuffle in branch', 0)).toMatch(
      /block 0: 16 threads at __shfl_xor_sync \(toy_kernels\.h:\d+\) in warp 0; 16 threads at __shfl_down_sync/,
    );
  });
});

describe('a launch', () => {
  it('is refused where CUDA would refuse it', () => {
    expect(addon.refusal(0, 64, 256)).toMatch(/grid of 0/);
    expect(addon.refusal(1, 1025, 256)).toMatch(/1025 threads/);
    expect(addon.refusal(1, 64, 256 * 1024)).toMatch(/262144 bytes of shared memory/);
  });

  it('that fails leaves nothing behind', () => {
    const fail = (times: number) => {
      for (let i = 0; i < times; ++i) run('reduce', 'no barrier before read', i % THOROUGH.length);
    };
    fail(100);
    const before = process.memoryUsage().rss;
    fail(1000);
    expect(process.memoryUsage().rss - before).toBeLessThan(16 << 20);
    expect(run('reduce', 'none', 1)).toStrictEqual(run('reduce', 'none', 0));
  });
});
