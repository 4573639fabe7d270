/** `npm run bench -- cpu`: how fast gradients are measured on this machine's CPU, next to its memory and to others. */

import { SIZES } from '../../dist/throughput/size.js';
import { RefusedError } from '../part-process.js';
import { COMMON_FLAGS, checkCommon, parseFlags, runAll, UsageError } from '../run.js';
import type { Environment } from './environment.js';
import { ALL_PARTS, explain, PARTS, runHere, runInChild } from './parts.js';

const usage = `Measures on this machine's CPU how fast gradients are read next to how fast its memory is, next to OpenBLAS,
NumPy, TensorFlow.js and plain JavaScript, and what is left to the event loop meanwhile. Exit code 0 when all that could
be measured reaches its target (bench/cpu/targets.ts), 1 when something misses, 2 without a native addon.
Nothing else should be running.

  --quick         less of everything
  --size NAME     ${SIZES.join(', ')} (default full); tiny only shows that it runs
  --json FILE     where all figures go (default bench/results/cpu-MODEL.json)
  --part NAME     only one part, without a file: ${ALL_PARTS.join(', ')}
  --help          this text`;

/** @returns the exit code */
export async function runCpuBench(args: readonly string[]): Promise<number> {
  try {
    const given = parseFlags(args, COMMON_FLAGS);
    const { size, part } = checkCommon(given, ALL_PARTS);
    if (given.help) {
      console.log(usage);
      return 0;
    }
    if (part !== null) return await runHere(part, size);
    return await runAll({
      name: 'cpu',
      parts: PARTS,
      runPart: (name) => runInChild(name, size),
      nameOf: (environment) => (environment as Environment | null)?.cpu ?? 'unknown',
      size,
      json: given.json ?? null,
      args,
    });
  } catch (error) {
    if (error instanceof RefusedError) {
      console.error(explain(error.message));
      return 2;
    }
    if (!(error instanceof UsageError)) throw error;
    console.error(`bench cpu: ${error.message}`);
    return 1;
  }
}
