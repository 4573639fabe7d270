/**
 * A state in a file that is whole at every moment: written beside the old one, brought to the disk, then put in its place
 * in one step. Whoever loads it gets the last state saved or the one before, never a part of either, also after a
 * crash of the process or the machine.
 */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { chmod, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { threadId } from 'node:worker_threads';
import { PikeError } from '../errors.js';
import { show } from '../validate.js';

const format = 'pike-mixer state file';
const version = 1;

/** Saves under way, by path: those to one path follow each other. */
const saving = new Map<string, Promise<void>>();

/**
 * Saves a state, atomically and durably: to a file beside `path`, fsync, rename over `path`, fsync of the folder. The
 * permissions of a file that was there stay.
 *
 * @param state plain JSON, e.g. what `state()` of a `MixedSource` or `Mixer` returned, alone or beside your model's
 *   weights as plain arrays. It is written as it is at the moment of the call.
 * @throws PikeError `ERR_INVALID_OPTION` for what JSON would change, such as NaN or a typed array; `ERR_STATE`
 *   when the file cannot be written. The state that was in the file is still there then.
 */
export async function saveState(path: string | URL, state: unknown): Promise<void> {
  const file = pathOf('saveState', path);
  const text = encode(state);
  const target = targetOf(file);
  const before = saving.get(target) ?? Promise.resolve();
  const save = before.then(() => replace(target, text));
  const settled = save.catch(() => {});
  saving.set(target, settled);
  try {
    await save;
  } catch (cause) {
    throw new PikeError('ERR_STATE', `The state cannot be saved in ${file}: ${(cause as Error).message}`, {
      cause,
    });
  } finally {
    if (saving.get(target) === settled) saving.delete(target);
  }
}

/**
 * The state that `saveState` put there.
 *
 * @throws PikeError `ERR_STATE` when there is no such file (its `cause.code` is 'ENOENT' then), or it is damaged or
 *   of another version
 */
export async function loadState<State = unknown>(path: string | URL): Promise<State> {
  const file = pathOf('loadState', path);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new PikeError('ERR_STATE', `The state in ${file} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
  let saved: { format?: unknown; version?: unknown; sha256?: unknown; state?: unknown };
  try {
    saved = Object(JSON.parse(text));
  } catch (cause) {
    throw new PikeError(
      'ERR_STATE',
      `${file} is no state file or a damaged one: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
  if (saved.format !== format)
    throw new PikeError('ERR_STATE', `${file} is no state file: its format is ${show(saved.format)}.`);
  if (saved.version !== version)
    throw new PikeError(
      'ERR_STATE',
      `${file} is of version ${show(saved.version)}, but this release reads version ${version}.`,
    );
  if (saved.state === undefined || saved.sha256 !== digest(JSON.stringify(saved.state)))
    throw new PikeError('ERR_STATE', `The state in ${file} is damaged: it does not fit its checksum.`);
  return saved.state as State;
}

async function replace(target: string, text: string): Promise<void> {
  const folder = dirname(target);
  const beside = join(folder, `.${basename(target)}.${process.pid}-${threadId}.tmp`);
  await removeLeftovers(folder, basename(target));
  const mode = await permissionsOf(target);
  try {
    // A file of this name, of a process before with the same number, has permissions of its own.
    await rm(beside, { force: true });
    const file = await open(beside, 'w', mode);
    try {
      // The umask may have taken some away.
      if (mode !== undefined && (await permissionsOf(beside)) !== mode) await chmod(beside, mode);
      await file.writeFile(
        `{"format":"${format}","version":${version},"sha256":"${digest(text)}","state":${text}}\n`,
      );
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** Whoever may not read the old state may not read the new one either. Undefined when there is none. */
async function permissionsOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).mode & 0o777;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The rename is on the disk when the folder is. Windows opens no folders, and needs none of this. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const opened = await open(folder, 'r');
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

/** A process that was killed while it saved has left its file beside. */
async function removeLeftovers(folder: string, name: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (!entry.startsWith(`.${name}.`)) continue;
    const owner = /^(\d+)-\d+\.tmp$/.exec(entry.slice(name.length + 2));
    if (owner && !isRunning(Number(owner[1]))) await rm(join(folder, entry), { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/**
 * The file that a link names, under the same name before there is one as after: saves to it follow each other by that.
 * At once, because a wait here would let a later save overtake.
 */
function targetOf(file: string): string {
  const path = resolve(file);
  try {
    return realpathSync(path);
  } catch {
    // Not there yet; its folder may be, through a link.
  }
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

function pathOf(what: string, path: unknown): string {
  if (path instanceof URL && path.protocol === 'file:') return fileURLToPath(path);
  if (typeof path === 'string' && path !== '') return path;
  throw new PikeError('ERR_INVALID_OPTION', `${what} takes the path of a file, not ${show(path)}.`);
}

/** @throws PikeError `ERR_INVALID_OPTION` for what would come back from the file changed */
function encode(state: unknown): string {
  let text: string | undefined;
  let changed: Changed | null;
  try {
    text = JSON.stringify(state);
    changed = whatJsonChanges(state);
  } catch (cause) {
    // Circles, what toJSON throws, and nesting beyond any stack.
    throw new PikeError('ERR_INVALID_OPTION', `The state must be plain JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (!changed && text !== undefined) return text;
  const { path, value } = changed ?? { path: '', value: state };
  const hint = ArrayBuffer.isView(value) ? '; Array.from makes a plain array of it' : '';
  throw new PikeError('ERR_INVALID_OPTION', `state${path} must be plain JSON, but is ${show(value)}${hint}.`);
}

interface Changed {
  path: string;
  value: unknown;
}

function whatJsonChanges(value: unknown): Changed | null {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value))
    return null;
  if (typeof value !== 'object' || !(Array.isArray(value) || isPlain(value))) return { path: '', value };
  const inList = Array.isArray(value);
  // Indices, not keys: the holes of a list count.
  for (const key of inList ? value.keys() : Object.keys(value)) {
    const inside = (value as Record<string, unknown>)[key];
    // A property that is undefined reads as one that is not there.
    if (inside === undefined && !inList) continue;
    const changed = whatJsonChanges(inside);
    if (changed) return { ...changed, path: `${inList ? `[${key}]` : `.${key}`}${changed.path}` };
  }
  return null;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && !('toJSON' in value);
}
