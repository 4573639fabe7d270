/**
 * The package as `npm pack` makes it from what is built, and folders to install it in.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

export interface Packed {
  /** The tarball's path. */
  readonly tarball: string;
  /** Its bytes. */
  readonly size: number;
  /** What is in it, by path. */
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** npm's own script, so that any Node.js can run it. */
export function npmScript(): string {
  if (process.env.npm_execpath?.endsWith('npm-cli.js')) return process.env.npm_execpath;
  const found = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'npm'))
    .find((path) => existsSync(path));
  if (!found) throw new Error('there is no npm on the PATH');
  return realpathSync(found);
}

/** A temporary folder; whoever asks removes it. */
export function temporaryFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'pike-packed-')));
}

export function run(command: string, args: readonly string[], cwd: string, env = process.env): Result {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  if (error) throw error;
  return { status, stdout, stderr };
}

/** As `run`, and what it printed. @throws {Error} unless it ends well */
export function runWell(command: string, args: readonly string[], cwd: string, env = process.env): string {
  const { status, stdout, stderr } = run(command, args, cwd, env);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: status ${status}\n${stdout}\n${stderr}`);
  return stdout;
}

/** Packs into a folder. The binary is made of what was built last, and refused if that is not of the current sources. */
export function pack(folder: string): Packed {
  runWell(process.execPath, [join(ROOT, 'native/prebuild.mjs'), '--no-build'], ROOT);
  // From a copy: other tests have folders of their own in dist/, for a moment.
  const copy = join(folder, 'copy');
  mkdirSync(copy);
  for (const entry of readdirSync(ROOT)) {
    if (/^(\..*|node_modules|test|bench|examples|coverage|lib|build.*|dist-.*)$/.test(entry)) continue;
    const filter = (path: string) => !/^dist[\\/][a-z]+-\w{6}$/.test(relative(ROOT, path));
    cpSync(join(ROOT, entry), join(copy, entry), { recursive: true, filter });
  }
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const [{ filename, size, files }] = JSON.parse(runWell(process.execPath, [npmScript(), ...args], copy));
  rmSync(copy, { recursive: true });
  return { tarball: join(folder, filename), size, files };
}

/** An environment with this Node.js on the PATH and nothing else: no compiler, no make, no Python. */
export function bareEnvironment(folder: string, node = process.execPath): NodeJS.ProcessEnv {
  const path = join(folder, 'bin');
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  symlinkSync(node, join(path, 'node'));
  // The registry and the cache are those that this machine is set up for; nothing else of its settings.
  const kept = Object.entries(process.env).filter(([name]) =>
    /^(HOME|npm_config_(registry|cache|userconfig)|.*_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE)$/i.test(name),
  );
  return { ...Object.fromEntries(kept), PATH: path };
}

/** Installs the tarball as a user without a compiler does, in a new folder within `folder`. Its path. */
export function installPacked(
  { tarball }: Packed,
  folder: string,
  options: { node?: string; npm?: string; scripts?: boolean } = {},
): string {
  const { node = process.execPath, npm = npmScript(), scripts = false } = options;
  const consumer = mkdtempSync(join(folder, 'consumer-'));
  writeFileSync(
    join(consumer, 'package.json'),
    '{ "name": "consumer", "version": "1.0.0", "private": true }',
  );
  const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--omit=peer', tarball];
  if (!scripts) args.push('--ignore-scripts');
  runWell(node, [npm, ...args], consumer, bareEnvironment(consumer, node));
  return consumer;
}
