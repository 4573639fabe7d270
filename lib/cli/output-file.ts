/** Files that commands write: never over what was not meant, and never half of one. */
import { existsSync, readlinkSync, realpathSync } from 'node:fs';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CommandFailure, EXIT } from './exit-codes.js';
import type { Io } from './io.js';

/** What stands for the standard output where a file is to be named; a file of that name is './-'. */
export const STANDARD_OUTPUT = '-';

export interface OutputRules {
  /** Files that the command reads, which its output must not replace. */
  readonly inputs: readonly string[];
  /** What the output is, such as 'HTML page'. */
  readonly what: string;
  /** Whether a file that begins like this is one too, and may be replaced. */
  readonly isOne: (head: string) => boolean;
  readonly force: boolean;
}

/** Bytes that tell what a file is. */
const HEAD = 512;

/** A slip of the hand, such as the log's name behind -o, must not cost a run; nor a folder that is not there a long reading. */
export async function refuseToHarm(
  output: string,
  { inputs, what, isOne, force }: OutputRules,
): Promise<void> {
  if (output === STANDARD_OUTPUT) return;
  if (output === '')
    throw new CommandFailure(EXIT.usage, `the ${what} needs a file to go to, or - for the standard output`);
  if (inputs.some((input) => isSame(input, output)))
    throw new CommandFailure(EXIT.usage, `${output} is a log to be read: the ${what} would replace it`);
  const head = await firstBytes(output, HEAD);
  const folder = dirname(targetOf(output));
  if (head === null && !existsSync(folder))
    throw new CommandFailure(EXIT.file, `cannot write ${output}: there is no folder ${folder}`);
  if (head === null || force || isOne(head)) return;
  if (head.trim() === '' && head.length < HEAD) return;
  throw new CommandFailure(
    EXIT.usage,
    `${output} is there already and is no ${what}; choose another name, or --force`,
  );
}

export function isPage(head: string): boolean {
  return /^\s*(<!doctype html|<html)/i.test(head);
}

/** Whether two paths lead to the same file, also one that is not there yet. */
export function isSame(a: string, b: string): boolean {
  return targetOf(a) === targetOf(b);
}

/** null when there is no such file. */
async function firstBytes(path: string, length: number): Promise<string | null> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    if (!(await file.stat()).isFile()) throw new CommandFailure(EXIT.file, `${path} is no file`);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** To a file, or to the standard output. */
export async function writeOutput(io: Io, output: string, text: string): Promise<void> {
  if (output === STANDARD_OUTPUT) io.out(text);
  else await replaceFile(output, text);
}

/** Written beside it and renamed, so that whoever has the page open never loads half of one. */
async function replaceFile(path: string, text: string): Promise<void> {
  const target = targetOf(path);
  const beside = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`);
  try {
    await writeFile(beside, text);
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {});
    // Node's words up to the name of the file beside, which nobody gave.
    const why = (error as Error).message.replace(/, \w+( '.*)?$/s, '');
    throw new CommandFailure(EXIT.file, `cannot write ${path}: ${why}`, { cause: error });
  }
}

/** As many links in a row as Linux follows. */
const MOST_LINKS = 40;

/** Where a path leads, links followed: what is written there leaves the links as they are. */
function targetOf(path: string, links = MOST_LINKS): string {
  try {
    return realpathSync(path);
  } catch (error) {
    const absolute = resolve(path);
    const folder = dirname(absolute);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || folder === absolute) return absolute;
    const link = linkAt(absolute);
    // The file is not there yet, or its link leads to one that is not.
    if (link === null) return join(targetOf(folder, links), basename(absolute));
    // One that leads to itself in a roundabout way leads nowhere.
    return links === 0 ? absolute : targetOf(resolve(targetOf(folder, links), link), links - 1);
  }
}

/** null when it is none. */
function linkAt(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
