/**
 * Builds the native addon: `node native/build.mjs [--tool=cmake|gyp] [--cuda=auto|on|off] [--portable=auto|on|off]`, or
 * by the environment PIKE_BUILD_TOOL, PIKE_CUDA and PIKE_PORTABLE (native/portable/portable.cmake; not with node-gyp).
 * A C++20 compiler is needed, and either CMake or Python 3. Says little unless something fails, and then shows all of
 * the log.
 *
 * In an installed package, which comes without cmake-js and node-gyp, CMake alone does it, with the headers in
 * prebuilds/include.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { delimiter, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { noteSources, sourcesDigest } from './sources.mjs';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const BINARY = join('Release', 'pike_mixer.node');
const FOLDERS = { cmake: 'build-cmake', gyp: 'build' };
/** Whether this is a checkout with its development dependencies, and not a package that somebody installed. */
const CMAKE_JS = existsSync(join(ROOT, 'node_modules/cmake-js'));

/** Ends the build with a message for people; anything else that is thrown is a bug here. */
class BuildError extends Error {}

function readOptions() {
  const string = { type: 'string' };
  const { values } = parseArgs({ options: { tool: string, cuda: string, portable: string } });
  const tool = values.tool ?? process.env.PIKE_BUILD_TOOL;
  if (tool && !(tool in FOLDERS)) throw new BuildError(`--tool must be cmake or gyp, but is '${tool}'`);
  const choice = (name, otherwise) => {
    const chosen = (values[name] ?? (otherwise || 'auto')).toLowerCase();
    if (['auto', 'on', 'off'].includes(chosen)) return chosen;
    throw new BuildError(`--${name} must be auto, on or off, but is '${chosen}'`);
  };
  return {
    tool: tool || undefined,
    cuda: choice('cuda', process.env.PIKE_CUDA),
    portable: choice('portable', process.env.PIKE_PORTABLE),
  };
}

function say(text) {
  console.log(`pike-mixer: ${text}`);
}

/** The first line that `command --version` prints, or nothing if it does not work. */
function versionOf(command) {
  const { status, stdout, error } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return error || status !== 0 ? undefined : stdout.split('\n', 1)[0].trim();
}

function findPython() {
  const candidates = [process.env.npm_config_python, process.env.PYTHON, 'python3', 'python'];
  return candidates.find((python) => python && versionOf(python)?.startsWith('Python 3'));
}

function chooseTool(asked) {
  const cmake = versionOf('cmake');
  if (asked === 'cmake' && !cmake) throw new BuildError('--tool=cmake, but no working cmake is on the PATH');
  if (cmake && asked !== 'gyp') return { name: 'cmake', title: `${CMAKE_JS ? 'cmake-js, ' : ''}${cmake}` };
  if (!CMAKE_JS)
    throw new BuildError(
      'no working cmake is on the PATH, and to build an installed pike-mixer CMake 3.22 or newer is needed, beside ' +
        'make or ninja and a C++20 compiler. Install them (for example: apt install cmake g++ make) and try again.',
    );
  const python = findPython();
  if (asked === 'gyp' && !python)
    throw new BuildError('--tool=gyp, but no Python 3 is on the PATH, which node-gyp needs');
  if (python) return { name: 'gyp', title: `node-gyp, ${versionOf(python)}`, python };
  throw new BuildError(
    'neither CMake nor Python 3 works here, and the native addon needs one of them, beside make and a C++20 ' +
      'compiler. Install CMake (for example: apt install cmake g++) and run `npm run build:native` again.',
  );
}

/** Where a command would be found, with a mark that changes when the file does. */
function identityOf(command) {
  if (!command) return null;
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const folders = command.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter);
  const file = folders.map((folder) => join(folder, command + suffix)).find((path) => existsSync(path));
  return file ? `${file} ${statSync(file).mtimeMs}` : null;
}

/** A build folder remembers compilers that it found once. So when any of these changes, it starts anew. */
function prepareFolder(tool, cuda) {
  const folder = join(ROOT, FOLDERS[tool]);
  const stamp = join(folder, 'pike-build.json');
  const compilers = ['nvcc', process.env.CUDACXX, process.env.CXX ?? 'c++', 'cmake', 'ninja'];
  const facts = JSON.stringify(
    {
      cuda,
      architectures: process.env.CUDAARCHS ?? null,
      node: process.version,
      root: ROOT, // CMake refuses a folder that was moved
      compilers: compilers.map(identityOf),
    },
    null,
    1,
  );
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === facts) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(stamp, facts);
}

/** Runs a step quietly; shows what it printed when it fails. */
function run(what, command, args, env = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: ROOT,
    // Build files ask `node` for paths, which need not be on the PATH, or not be the one that runs this.
    env: { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter), ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  if (!error && status === 0) return;
  console.error((stdout ?? '') + (stderr ?? ''));
  throw new BuildError(
    `${what} failed${error ? `: ${error.message}` : `, exit status ${status}`}; the log is above`,
  );
}

function runScript(what, module, args, env) {
  let script;
  try {
    script = createRequire(import.meta.url).resolve(module);
  } catch {
    throw new BuildError(
      `${module} is not installed: run \`npm install\` with development dependencies first`,
    );
  }
  run(what, process.execPath, [script, ...args], env);
}

function buildWithCmake({ cuda, portable }) {
  const definitions = { PIKE_CUDA: cuda.toUpperCase(), PIKE_PORTABLE: portable.toUpperCase() };
  const parallel = ['--parallel', String(availableParallelism())];
  if (!CMAKE_JS) {
    buildWithCmakeAlone(definitions, parallel);
    return;
  }
  const options = ['--out', FOLDERS.cmake];
  for (const [name, value] of Object.entries(definitions)) options.push(`--CD${name}=${value}`);
  // `build` by itself would ignore changed options once a cache exists.
  runScript('configuring', 'cmake-js/bin/cmake-js', ['configure', ...options]);
  say('compiling');
  runScript('compiling', 'cmake-js/bin/cmake-js', ['build', ...options, ...parallel]);
}

/** What cmake-js would do, on Linux and macOS. */
function buildWithCmakeAlone(definitions, parallel) {
  const headers = join(ROOT, 'prebuilds/include');
  if (!existsSync(headers)) throw new BuildError('cmake-js is not installed: run `npm install` first');
  if (process.platform === 'win32')
    throw new BuildError('on Windows it has to be built from a clone of its repository');
  const all = {
    ...definitions,
    CMAKE_BUILD_TYPE: 'Release',
    CMAKE_LIBRARY_OUTPUT_DIRECTORY: join(ROOT, FOLDERS.cmake, 'Release'),
    CMAKE_JS_INC: `${join(headers, 'node-api-headers')};${join(headers, 'node-addon-api')}`,
  };
  const options = Object.entries(all).map(([name, value]) => `-D${name}=${value}`);
  run('configuring', 'cmake', ['-S', ROOT, '-B', join(ROOT, FOLDERS.cmake), ...options]);
  say('compiling');
  run('compiling', 'cmake', ['--build', join(ROOT, FOLDERS.cmake), ...parallel]);
}

function buildWithGyp({ cuda, portable }, python) {
  if (portable === 'on') throw new BuildError('--portable=on needs CMake');
  const prefix = resolve(dirname(process.execPath), '..');
  const args = [`--python=${python}`, `--jobs=${availableParallelism()}`];
  if (existsSync(join(prefix, 'include/node/node_api.h'))) args.push(`--nodedir=${prefix}`);
  else say(`no Node headers beside ${process.execPath}: node-gyp will download them`);
  runScript('configuring', 'node-gyp/bin/node-gyp.js', ['configure', ...args], { PIKE_CUDA: cuda });
  say('compiling');
  runScript('compiling', 'node-gyp/bin/node-gyp.js', ['build', ...args], { PIKE_CUDA: cuda });
}

/** Loads what was built, in a process of its own, and says what it is. */
function verify(file) {
  const script = 'console.log(JSON.stringify(require(process.argv[1]).buildInfo))';
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script, file], { encoding: 'utf8' });
  if (status !== 0) throw new BuildError(`${file} was built but does not load: ${stderr}`);
  const { compiler, instructionSet, cuda } = JSON.parse(stdout);
  return `${compiler}, ${instructionSet}, ${cuda.compiled ? describeCuda(cuda) : 'without CUDA'}`;
}

/** As 'CUDA 13.0 for 80, 90 and PTX of 90'. */
function describeCuda({ runtimeVersion, architectures }) {
  const version = `${Math.floor(runtimeVersion / 1000)}.${Math.floor((runtimeVersion % 1000) / 10)}`;
  const pick = (without) =>
    architectures
      .filter((name) => !name.endsWith(without))
      .map((name) => name.split('-')[0])
      .join(', ');
  const kinds = [pick('-virtual'), pick('-real') && `PTX of ${pick('-real')}`];
  return `CUDA ${version} for ${kinds.filter(Boolean).join(' and ')}`;
}

function main() {
  const began = performance.now();
  const options = readOptions();
  const tool = chooseTool(options.tool);
  say(`building the native addon with ${tool.title}; CUDA ${options.cuda}`);
  prepareFolder(tool.name, options.cuda);
  const sources = sourcesDigest(ROOT);
  if (tool.name === 'cmake') buildWithCmake(options);
  else buildWithGyp(options, tool.python);

  const file = join(ROOT, FOLDERS[tool.name], BINARY);
  const what = verify(file);
  noteSources(file, sources);
  // The other tool's result, from an earlier time, must not be the one that is found.
  rmSync(join(ROOT, FOLDERS[tool.name === 'cmake' ? 'gyp' : 'cmake'], BINARY), { force: true });
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  say(`built ${relative(ROOT, file)} in ${seconds} s (${what})`);
}

try {
  main();
} catch (error) {
  if (!(error instanceof BuildError) && error.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') throw error;
  console.error(`pike-mixer: the native addon was not built: ${error.message}`);
  process.exitCode = 1;
}
