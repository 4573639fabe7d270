/** A small verification under compute-sanitizer, where it is installed. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Check, type PartReport, partReport } from '../report.js';

const TOOLS = ['memcheck', 'racecheck', 'synccheck', 'initcheck'] as const;
/** An exit code that neither Node nor the bench uses. */
const FOUND_ERRORS = 77;
const MOST_MILLISECONDS = 900_000;

/** @param program arguments of Node that run a part of the bench on few numbers */
export function sanitizer(program: readonly string[]): PartReport {
  const tool = findSanitizer();
  if (!tool)
    return partReport({
      notes: [
        'Skipped: no compute-sanitizer on the PATH, in CUDA_HOME or in /usr/local/cuda*; it comes with CUDA.',
      ],
    });
  return partReport({ checks: TOOLS.map((name) => runUnder(tool, name, program)) });
}

function runUnder(tool: string, name: (typeof TOOLS)[number], program: readonly string[]): Check {
  const flags = ['--tool', name, '--error-exitcode', String(FOUND_ERRORS)];
  const { status, signal, stdout, stderr } = spawnSync(tool, [...flags, process.execPath, ...program], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: MOST_MILLISECONDS,
  });
  return verdict(name, status, signal, (stdout ?? '') + (stderr ?? ''));
}

/** What the end of a run under a tool of compute-sanitizer means. */
export function verdict(name: string, status: number | null, signal: string | null, output: string): Check {
  const summary = /ERROR SUMMARY: .*|RACECHECK SUMMARY: .*/.exec(output)?.[0];
  const last = output.trim().split('\n').at(-1) ?? '';
  const ending = signal ? `ended by ${signal}` : status === FOUND_ERRORS ? 'errors' : `exit code ${status}`;
  return {
    what: `compute-sanitizer --tool ${name}`,
    found: status === 0 ? (summary ?? 'no summary') : `${ending}: ${summary ?? last}`,
    promised: 'nothing found',
    // Without a summary it has not looked.
    kept: status === 0 && summary !== undefined,
  };
}

function findSanitizer(): string | undefined {
  const toolkits = [process.env.CUDA_HOME, process.env.CUDA_PATH, ...installedToolkits()].filter(
    (folder) => folder !== undefined,
  );
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    ...toolkits.flatMap((folder) => [join(folder, 'bin'), join(folder, 'compute-sanitizer')]),
  ];
  return folders.map((folder) => join(folder, 'compute-sanitizer')).find(isExecutable);
}

function installedToolkits(): string[] {
  const parent = '/usr/local';
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .filter((name) => /^cuda(-\d|$)/.test(name))
    .sort()
    .map((name) => join(parent, name));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
