/** `npm run bench -- gpu`: everything that is claimed of the CUDA kernels, put to the test on this machine's GPU. */
import { resolve } from 'node:path';
import { SIZES } from '../../dist/throughput/size.js';
import { RefusedError } from '../part-process.js';
import { COMMON_FLAGS, checkCommon, parseFlags, ROOT, runAll, UsageError } from '../run.js';
import { writeBundle } from './bundle.js';
import type { Environment } from './environment.js';
import { ALL_PARTS, PARTS, runHere, runInChild } from './parts.js';

const usage = `Tests on this machine's GPU what is promised of the CUDA kernels: the same sums as the reference, the same
bits as in the emulator, no errors under compute-sanitizer, speed next to a copy and next to PyTorch. Exit code 0 when
all promises are kept, 1 when one is broken, 2 when there is no GPU.

  --quick         less of everything
  --size NAME     ${SIZES.join(', ')} (default full); tiny is for an emulated GPU
  --json FILE     where all figures go (default bench/results/gpu-DEVICE.json)
  --part NAME     only one part, without a file: ${ALL_PARTS.join(', ')}
  --bundle FILE   run nothing, but pack what a machine without npm needs into one .tar.xz
  --with-node     with this Node in it, too
  --help          this text`;

const FLAGS = {
  ...COMMON_FLAGS,
  bundle: { type: 'string' },
  'with-node': { type: 'boolean' },
} as const;

/** @returns the exit code */
export async function runGpuBench(args: readonly string[]): Promise<number> {
  try {
    const given = parseFlags(args, FLAGS);
    const { size, part } = checkCommon(given, ALL_PARTS);
    const { bundle, 'with-node': withNode = false } = given;
    if (withNode && bundle === undefined) throw new UsageError('--with-node goes with --bundle FILE');
    if (given.help) {
      console.log(usage);
      return 0;
    }
    if (bundle !== undefined) {
      console.log(await writeBundle(ROOT, resolve(bundle), withNode));
      return 0;
    }
    if (part !== null) return await runHere(part, size);
    return await runAll({
      name: 'gpu',
      parts: PARTS,
      runPart: (name) => runInChild(name, size),
      nameOf: (environment) => (environment as Environment | null)?.device ?? 'unknown',
      size,
      json: given.json ?? null,
      args,
    });
  } catch (error) {
    if (error instanceof RefusedError) {
      console.error(`bench gpu: no GPU can be used: ${error.message}`);
      return 2;
    }
    if (!(error instanceof UsageError)) throw error;
    console.error(`bench gpu: ${error.message}`);
    return 1;
  }
}
