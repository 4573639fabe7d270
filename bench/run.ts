/** What the benches have in common: their command line, and running all parts into one file. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { SIZES, type Size } from '../dist/throughput/size.js';
import { broken, formatReport, type PartReport } from './report.js';

/** The root of the package, from bench/ as from dist-bench/. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What the user got wrong; told without a stack. */
export class UsageError extends Error {}

/** Flags that every bench has. */
export const COMMON_FLAGS = {
  quick: { type: 'boolean' },
  size: { type: 'string' },
  json: { type: 'string' },
  part: { type: 'string' },
  help: { type: 'boolean' },
} as const;

/** @throws UsageError */
export function parseFlags<T extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<{ args: string[]; options: T }>>['values'] {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(/\.\s|\n/)[0]}; see --help`);
  }
}

/** @throws UsageError for a size or a part that there is not */
export function checkCommon(
  { size = '', quick = false, part }: { size?: string; quick?: boolean; part?: string },
  parts: readonly string[],
): { size: Size; part: string | null } {
  const chosen = size || (quick ? 'quick' : 'full');
  if (!SIZES.includes(chosen as Size))
    throw new UsageError(`--size must be one of ${SIZES.join(', ')}, but is '${chosen}'`);
  if (part !== undefined && !parts.includes(part))
    throw new UsageError(`--part must be one of ${parts.join(', ')}, but is '${part}'`);
  return { size: chosen as Size, part: part ?? null };
}

export interface Run {
  /** Of the bench. */
  readonly name: string;
  readonly parts: readonly string[];
  /** Runs a part, or 'environment'. */
  readonly runPart: (part: string) => Promise<PartReport>;
  /** What was measured on, for the name of the file: of the data of the part 'environment', null without. */
  readonly nameOf: (environment: unknown) => string;
  readonly size: Size;
  /** Where all figures go, if not where they belong. */
  readonly json: string | null;
  readonly args: readonly string[];
}

/** Runs all parts, prints what they found and writes it into a file. Returns the exit code. */
export async function runAll({ name, parts, runPart, nameOf, size, json, args }: Run): Promise<number> {
  const started = performance.now();
  const environment = await runPart('environment');
  console.log(formatReport('environment', environment));
  const reports: Record<string, PartReport> = {};
  // Without an environment there is no use in asking further.
  for (const part of environment.data === null ? [] : parts) {
    console.error(`bench ${name}: ${part} …`);
    reports[part] = await runPart(part);
    console.log(formatReport(part, reports[part]));
  }
  const failures = [environment, ...Object.values(reports)].flatMap(broken).length;
  const file = resolve(
    json ?? join(ROOT, 'bench/results', `${name}-${fileName(nameOf(environment.data))}.json`),
  );
  const result = {
    bench: name,
    date: new Date().toISOString(),
    command: ['bench', name, ...args].join(' '),
    size,
    seconds: Math.round((performance.now() - started) / 1000),
    passed: failures === 0,
    environment: environment.data,
    parts: reports,
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 1)}\n`);
  const verdict = failures === 0 ? 'All promises are kept' : `${failures} promises are BROKEN`;
  console.log(`${verdict}. All figures: ${relative(process.cwd(), file)}`);
  return failures === 0 ? 0 : 1;
}

const fileName = (machine: string) =>
  machine
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
