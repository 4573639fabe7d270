/** The rules in native/math, by a program that is compiled for the purpose; the addon runs them on GPUs only. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SolvedRule } from '../../dist/backends/backend.js';
import { encodeWeightUpdate, SOLVED_RULES } from '../../dist/backends/weight-update.js';
import { describeUpdate } from '../../dist/mixer/solving.js';
import { computeUpdate } from '../../dist/mixer/update.js';
import { weightsOf } from '../../dist/rules/simplex.js';
import type { Size } from '../../dist/throughput/size.js';
import { timing } from '../../dist/throughput/timing.js';
import { ROOT } from '../run.js';
import type { Case } from './problems.js';
import type { Timed } from './typescript.js';

const UPDATES: Readonly<Record<Size, number>> = { full: 2000, quick: 400, tiny: 10 };

export interface TimedNative extends Timed {
  readonly name: string;
  /** Largest difference of a weight from the TypeScript's. */
  readonly difference: number;
}

/** Whether native/math has the rule of a case. It knows no standard errors. */
export const isNative = ({ rule, input }: Case): boolean =>
  SOLVED_RULES.includes(rule.name as SolvedRule) && input.options.significance === 0;

/** @returns what was timed, or why nothing could be */
export function timeNative(
  cases: readonly Case[],
  size: Size,
  compiler = process.env.CXX || 'c++',
): TimedNative[] | string {
  if (cases.length === 0) return [];
  const folder = mkdtempSync(join(tmpdir(), 'pike-bench-rules-'));
  try {
    const program = join(folder, 'rules');
    const source = join(ROOT, 'bench/rules/native.cpp');
    const flags = ['-std=c++20', '-O3', '-ffp-contract=off', `-I${join(ROOT, 'native')}`];
    const compiled = spawnSync(compiler, [...flags, source, '-o', program], { encoding: 'utf8' });
    if (compiled.error)
      return `native/math was not timed: ${compiler} cannot be run (${compiled.error.message}).`;
    if (compiled.status !== 0) throw new Error(`${source} does not compile:\n${compiled.stderr}`);
    const input = Float64Array.from([UPDATES[size], cases.length, ...cases.flatMap(encode)]);
    const { status, stdout, error } = spawnSync(program, {
      input: Buffer.from(input.buffer),
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    if (status !== 0) throw new Error('The program that times native/math has failed.', { cause: error });
    return stdout
      .trimEnd()
      .split('\n')
      .map((line, i) => decode(line, cases[i]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Options in the order that encodeWeightUpdate has them, moments, inputs. */
function encode({ rule, input, moments, losses }: Case): number[] {
  const { options, inputs } = encodeWeightUpdate(
    describeUpdate(rule.name as SolvedRule, input, losses, undefined),
  );
  const { microBatches, samples, deviation, meanNormSquared } = moments;
  return [
    microBatches.length,
    ...Object.values(options),
    ...microBatches,
    ...samples,
    ...deviation,
    ...meanNormSquared,
    ...inputs,
  ];
}

function decode(line: string, { name, input, moments, losses }: Case): TimedNative {
  const [seconds, logWeights] = line.split(';').map((part) => part.trim().split(' ').map(Number));
  const milliseconds = seconds.map((x) => 1000 * x).sort((a, b) => a - b);
  const expected = computeUpdate(input, moments, losses, undefined).report.weights;
  const difference = weightsOf(logWeights).reduce(
    (most, w, k) => Math.max(most, Math.abs(w - expected[k])),
    0,
  );
  return {
    name,
    median: timing(milliseconds).median,
    p99: milliseconds[Math.ceil(0.99 * milliseconds.length) - 1],
    difference,
  };
}
