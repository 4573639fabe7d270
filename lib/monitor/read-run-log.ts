/**
 * Reads run logs, also of runs that crashed or are still going on: a line cut off at the end of a file and lines damaged in
 * the middle cost no more than themselves, and stand in the notices. Files are read line by line and only read.
 */
import { open } from 'node:fs/promises';
import { PikeError } from '../errors.js';
import { show } from '../validate.js';
import type { LoggedRun, ReadRunLogOptions } from './logged-run.js';
import { RunLogParser } from './run-log-parser.js';

const CHUNK_BYTES = 1 << 20;

/**
 * The runs in one file or several, in the order in which they begin. Runs in different files are different runs, whatever
 * their names.
 *
 * @throws PikeError `ERR_RUN_LOG` when a file cannot be read, holds no start line that can be used, or was written by a
 *   later release in a format that this one does not know
 */
export async function readRunLogs(
  paths: string | readonly string[],
  options: ReadRunLogOptions = {},
): Promise<LoggedRun[]> {
  const list = typeof paths === 'string' ? [paths] : paths;
  const runs: LoggedRun[] = [];
  let bytes = 0;
  const onRead = (length: number) => {
    bytes += length;
    options.onRead?.(bytes);
  };
  for (const path of list) runs.push(...(await readFile(path, { ...options, onRead })));
  return withLabels(runs);
}

/**
 * The one run of a file, or the one of that name.
 *
 * @throws PikeError as `readRunLogs`; `ERR_INVALID_OPTION` when there is no such run, or more than one and no name
 */
export async function readRunLog(
  path: string,
  options: ReadRunLogOptions & { run?: string } = {},
): Promise<LoggedRun> {
  const { run, ...rest } = options;
  return pickRun(await readRunLogs(path, rest), run);
}

/** @throws PikeError `ERR_INVALID_OPTION` when there is no such run, or more than one and no name */
export function pickRun(runs: readonly LoggedRun[], name: string | undefined): LoggedRun {
  const labels = runs.map(({ label }) => show(label)).join(', ');
  if (name === undefined) {
    if (runs.length === 1) return runs[0];
    throw new PikeError('ERR_INVALID_OPTION', `There are ${runs.length} runs; name one of ${labels}.`);
  }
  const found = runs.find(({ label }) => label === name) ?? runs.filter((run) => run.name === name);
  if (!Array.isArray(found)) return found as LoggedRun;
  if (found.length === 1) return found[0];
  throw new PikeError(
    'ERR_INVALID_OPTION',
    found.length === 0
      ? `There is no run ${show(name)}. The runs are ${labels}.`
      : `There are ${found.length} runs ${show(name)}; name one of ${labels}.`,
  );
}

async function readFile(path: string, options: ReadRunLogOptions): Promise<LoggedRun[]> {
  const parser = new RunLogParser(path, options);
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    throw unreadable(path, cause);
  }
  try {
    const stream = file.createReadStream({ encoding: 'utf8', highWaterMark: CHUNK_BYTES, autoClose: false });
    for await (const chunk of stream) {
      parser.push(chunk as string);
      options.onRead?.(Buffer.byteLength(chunk as string));
    }
  } catch (error) {
    throw error instanceof PikeError ? error : unreadable(path, error);
  } finally {
    await file.close();
  }
  return parser.end();
}

function unreadable(path: string, cause: unknown): PikeError {
  return new PikeError('ERR_RUN_LOG', `The run log ${path} cannot be read: ${(cause as Error).message}`, {
    cause,
  });
}

function withLabels(runs: LoggedRun[]): LoggedRun[] {
  const count = (label: string) => runs.filter((run) => run.label === label).length;
  const labels = runs.map((run) => (count(run.label) > 1 ? `${run.label} (${run.source})` : run.label));
  return runs.map((run, i) => {
    // The same file twice.
    const earlier = labels.slice(0, i).filter((label) => label === labels[i]).length;
    return {
      ...run,
      label: earlier > 0 ? `${labels[i]} again${earlier > 1 ? ` ${earlier}` : ''}` : labels[i],
    };
  });
}
