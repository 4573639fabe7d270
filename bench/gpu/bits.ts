/** The same bits in every run, wherever the rows lie, and those that the emulator gets. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Size } from '../../dist/throughput/size.js';
import { differentBits, flatten } from '../../dist/verification/compare.js';
import { drawInputs, type Problem } from '../../dist/verification/inputs.js';
import { type Check, type PartReport, partReport } from '../report.js';
import { Gpu } from './device.js';
import { bitProblems, randomProblems } from './problems.js';

/** Numbers of every problem of `bitProblems` as the emulator computes them, in the order of `flatten`. */
export type EmulatedBits = Readonly<Record<string, readonly number[]>>;

/** The same place from bench/gpu/ and from dist-bench/gpu/. */
const EMULATED_BITS = new URL('../../bench/gpu/emulated-bits.json', import.meta.url);

export function readEmulatedBits(): EmulatedBits {
  const lines: Record<string, string> = JSON.parse(readFileSync(EMULATED_BITS, 'utf8'));
  return Object.fromEntries(
    Object.entries(lines).map(([name, numbers]) => [name, numbers.split(' ').map(Number)]),
  );
}

/** A problem per line, its numbers with all their digits. */
export function writeEmulatedBits(bits: EmulatedBits): void {
  const lines = Object.entries(bits).map(([name, numbers]) => [name, numbers.join(' ')]);
  writeFileSync(EMULATED_BITS, `${JSON.stringify(Object.fromEntries(lines), null, 2)}\n`);
}

export async function bits(size: Size): Promise<PartReport> {
  const gpu = new Gpu();
  const expected = readEmulatedBits();
  const emulated: Check[] = [];
  for (const problem of bitProblems()) {
    const [numbers] = await repeated(gpu, problem, 1);
    emulated.push(
      sameBits(`as in the emulator: ${problem.name}`, differentBits(numbers, expected[problem.name] ?? [])),
    );
  }
  const runs = size === 'tiny' ? 2 : size === 'quick' ? 5 : 20;
  const again: Check[] = [];
  for (const problem of randomProblems(size).filter((_, i) => i % 4 === 0)) {
    const [first, ...others] = await repeated(gpu, problem, runs);
    const different = Math.max(...others.map((numbers) => differentBits(numbers, first)));
    again.push(sameBits(`over ${runs} runs: ${problem.name}`, different));
  }
  return partReport({
    checks: [...emulated, ...again],
    notes: [
      `${emulated.length} problems against the emulator; ${again.length} in ${runs} runs each, elsewhere in memory each time.`,
    ],
  });
}

export function sameBits(what: string, different: number): Check {
  return { what, found: `${different} numbers differ`, promised: 'the same bits', kept: different === 0 };
}

/** Results of several runs, the rows a few elements further on in memory in each. */
async function repeated(gpu: Gpu, problem: Problem, runs: number): Promise<number[][]> {
  const inputs = drawInputs(problem);
  const results: number[][] = [];
  for (let run = 0; run < runs; run++) {
    const moved = { ...problem, shift: problem.shift + run };
    results.push(flatten(await gpu.measure(moved, gpu.request(moved, inputs))));
    gpu.release();
  }
  return results;
}
