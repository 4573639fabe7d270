/** Packs what a machine with a GPU needs to run the bench, and nothing that has to be installed there. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadAddon } from '../../dist/backends/load-addon.js';

const MOST_BYTES = 40e6;
const FOLDER = 'pike-mixer-bench';

const RUN = `#!/bin/sh
# Runs the bench on this machine's GPU: sh run.sh [--quick] [--json FILE]
here=$(cd "$(dirname "$0")" && pwd) || exit 1
node=$here/bin/node
[ -x "$node" ] || node=node
exec "$node" "$here/dist-bench/main.js" gpu "$@"
`;

/**
 * @param root of the package
 * @param file the archive to write
 * @returns a line about it
 * @throws Error when there is no addon, tar or xz fails, or the archive is too large
 */
export async function writeBundle(root: string, file: string, withNode: boolean): Promise<string> {
  const { path, reasons } = loadAddon();
  if (path === null) throw new Error(`there is no addon to pack: ${reasons.join('; ')}`);
  const parent = mkdtempSync(join(tmpdir(), 'pike-bundle-'));
  try {
    const to = join(parent, FOLDER);
    for (const folder of ['dist', 'dist-bench'])
      cpSync(join(root, folder), join(to, folder), {
        recursive: true,
        filter: (from) => !/\.(map|d\.ts)$/.test(from),
      });
    copyFileSync(join(root, 'package.json'), join(to, 'package.json'));
    for (const name of readdirSync(join(root, 'bench/gpu')).filter((each) => /\.(py|json)$/.test(each)))
      copyInto(join(root, 'bench/gpu', name), join(to, 'bench/gpu', name));
    // Where the library looks for it.
    copyStripped(path, join(to, 'build-cmake/Release/pike_mixer.node'));
    if (withNode) {
      copyStripped(process.execPath, join(to, 'bin/node'));
      chmodSync(join(to, 'bin/node'), 0o755);
    }
    writeFileSync(join(to, 'run.sh'), RUN, { mode: 0o755 });

    const { status, stderr, error } = spawnSync('tar', ['-cJf', file, '-C', parent, FOLDER], {
      encoding: 'utf8',
      env: { ...process.env, XZ_OPT: '-6 -T0' },
    });
    if (error || status !== 0) throw new Error(`tar with xz failed: ${error?.message ?? stderr.trim()}`);
    const { size } = statSync(file);
    if (size > MOST_BYTES) {
      rmSync(file);
      throw new Error(`the archive would have ${size} bytes, more than ${MOST_BYTES}`);
    }
    return `${file}: ${(size / 1e6).toFixed(1)} MB; unpack it with tar -xJf and run ${FOLDER}/run.sh`;
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

function copyInto(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

/** Without symbols, where there is a strip that can do it. */
function copyStripped(from: string, to: string): void {
  copyInto(from, to);
  if (spawnSync('strip', [to], { stdio: 'ignore' }).status !== 0) copyInto(from, to);
}
