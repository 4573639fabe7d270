/** `npm run bench -- gpu`: everything that is claimed of the CUDA kernels, put to the test on this machine's GPU. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { RefusedError } from '../part-process.js';
import { broken, formatReport, type PartReport } from '../report.js';
import { SIZES, type Size } from '../size.js';
import { writeBundle } from './bundle.js';
import type { Environment } from './environment.js';
import { ALL_PARTS, PARTS, runHere, runInChild } from './parts.js';

/** The root of the package, from bench/gpu/ as from dist-bench/gpu/. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

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

/** What the user got wrong; told without a stack. */
class UsageError extends Error {}

/** @returns the exit code */
export async function runGpuBench(args: readonly string[]): Promise<number> {
  try {
    const given = readArguments(args);
    if (given.help) {
      console.log(usage);
      return 0;
    }
    if (given.bundle !== null) {
      console.log(await writeBundle(ROOT, resolve(given.bundle), given.withNode));
      return 0;
    }
    if (given.part !== null) return await runHere(given.part, given.size);
    return await runAll(given.size, given.json, args);
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

async function runAll(size: Size, json: string | null, args: readonly string[]): Promise<number> {
  const started = performance.now();
  const environment = await runInChild('environment', size);
  console.log(formatReport('environment', environment));
  const reports: Record<string, PartReport> = {};
  // Without an environment there is no use in asking further.
  for (const part of environment.data === null ? [] : PARTS) {
    console.error(`bench gpu: ${part} …`);
    reports[part] = await runInChild(part, size);
    console.log(formatReport(part, reports[part]));
  }
  const failures = [environment, ...Object.values(reports)].flatMap(broken).length;
  const about = environment.data as Environment | null;
  const file = resolve(
    json ?? join(ROOT, 'bench/results', `gpu-${fileName(about?.device ?? 'unknown')}.json`),
  );
  const result = {
    bench: 'gpu',
    date: new Date().toISOString(),
    command: ['bench', 'gpu', ...args].join(' '),
    size,
    seconds: Math.round((performance.now() - started) / 1000),
    passed: failures === 0,
    environment: about,
    parts: reports,
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 1)}\n`);
  const verdict = failures === 0 ? 'All promises are kept' : `${failures} promises are BROKEN`;
  console.log(`${verdict}. All figures: ${relative(process.cwd(), file)}`);
  return failures === 0 ? 0 : 1;
}

const fileName = (device: string) =>
  device
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');

function readArguments(args: readonly string[]) {
  const { values } = parse(args);
  const size = values.size ?? (values.quick ? 'quick' : 'full');
  if (!SIZES.includes(size as Size))
    throw new UsageError(`--size must be one of ${SIZES.join(', ')}, but is '${size}'`);
  if (values.part !== undefined && !ALL_PARTS.includes(values.part))
    throw new UsageError(`--part must be one of ${ALL_PARTS.join(', ')}, but is '${values.part}'`);
  if (values['with-node'] && values.bundle === undefined)
    throw new UsageError('--with-node goes with --bundle FILE');
  return {
    help: values.help ?? false,
    size: size as Size,
    json: values.json ?? null,
    part: values.part ?? null,
    bundle: values.bundle ?? null,
    withNode: values['with-node'] ?? false,
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: flag,
        size: text,
        json: text,
        part: text,
        bundle: text,
        'with-node': flag,
        help: flag,
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(/\.\s|\n/)[0]}; see --help`);
  }
}
