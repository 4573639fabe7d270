/** Packages from npm that tests run programs of, such as whole binaries of Node.js; nothing depends on them. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The path of a package, installed unless it is there and works. It comes to its folder only when it is whole: an
 * installation that was interrupted is never taken for one.
 *
 * @param {string} folder of this package alone
 * @param {string} name
 * @param {string} version
 * @param {(place: string) => string[]} command what must run with `--version` where the package lies at `place`
 * @throws Error when it cannot be installed or does not run
 */
export function fetchedPackage(folder, name, version, command) {
  const placeIn = (prefix) => join(prefix, 'node_modules', name);
  if (runs(command(placeIn(folder)))) return placeIn(folder);
  const part = `${folder}.part-${process.pid}`;
  try {
    install(part, `${name}@${version}`);
    if (!runs(command(placeIn(part)))) throw new Error(`${name}@${version} does not run here`);
    replace(folder, part, () => runs(command(placeIn(folder))));
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return placeIn(folder);
}

/** Another process may be as quick: then its folder serves. */
function replace(folder, part, works) {
  if (works()) return;
  try {
    rmSync(folder, { recursive: true, force: true });
    renameSync(part, folder);
  } catch (error) {
    if (!works()) throw error;
  }
}

function install(prefix, wanted) {
  rmSync(prefix, { recursive: true, force: true });
  mkdirSync(prefix, { recursive: true });
  writeFileSync(join(prefix, 'package.json'), '{"private":true}');
  const options = ['--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status } = spawnSync('npm', ['install', '--prefix', prefix, ...options, wanted], {
    cwd: prefix,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error(`${wanted} could not be installed`);
}

function runs([program, ...args]) {
  return existsSync(program) && spawnSync(program, [...args, '--version']).status === 0;
}
