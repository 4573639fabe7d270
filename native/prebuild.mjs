/**
 * Makes the binary that the package carries: `node native/prebuild.mjs` builds the addon, strips a copy of it, leaves out
 * device code that nobody reads (native/fatbin.mjs), checks that it will load elsewhere, and puts it into
 * prebuilds/<platform>-<arch>/, with the headers that a build in an installed package needs in prebuilds/include/. npm
 * runs it before packing. Other platforms' binaries, made there, may lie beside it.
 *
 * `--no-build` takes what was built last, and fails if its sources have changed since; `--check` only says whether
 * what lies in prebuilds/ is of the current sources.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Elf, newestGlibc } from './elf.mjs';
import { dropCodeOfObjects } from './fatbin.mjs';
import { notedSources, sourcesDigest } from './sources.mjs';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const BUILT = join(ROOT, 'build-cmake/Release/pike_mixer.node');
const PREBUILDS = join(ROOT, 'prebuilds');

/**
 * The newest glibc that a binary may ask for, by `process.arch`: older than what Node.js itself needs since version 18,
 * 2.28. What it asks for today may be older still; let this only fall, and rise for a reason alone.
 */
export const NEWEST_GLIBC = { x64: [2, 17], arm64: [2, 17] };

/** Parts of glibc in every version, and libgcc_s, which Node.js itself needs. */
const LIBRARIES =
  /^(libgcc_s\.so\.1|libc\.so\.6|libpthread\.so\.0|libdl\.so\.2|librt\.so\.1|libm\.so\.6|ld-linux-[\w-]+\.so\.\d)$/;

/** For people; anything else that is thrown is a bug here. */
class PrebuildError extends Error {}

function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (error || status !== 0)
    throw new PrebuildError(
      `${command} ${args[0]} failed: ${error?.message ?? stderr ?? `status ${status}`}`,
    );
  return stdout;
}

function folderName() {
  const { platform, arch, report } = process;
  const musl = platform === 'linux' && !report.getReport().header.glibcVersionRuntime;
  return `${platform}-${arch}${musl ? '-musl' : ''}`;
}

/** What stands against loading this binary on other Linux systems: a list of reasons, empty if it is well. */
export function portabilityFaults(file, arch) {
  const elf = new Elf(file);
  const faults = elf.needed
    .filter((library) => !LIBRARIES.test(library))
    .map((library) => `it needs ${library}`);
  const asked = newestGlibc(elf.neededVersions);
  const [major, minor] = NEWEST_GLIBC[arch] ?? [0, 0];
  if (asked && (asked[0] > major || (asked[0] === major && asked[1] > minor)))
    faults.push(`it needs glibc ${asked.join('.')}, and ${major}.${minor} is the newest that is allowed`);
  const strange = elf.exported.filter(
    (name) => !/^(napi_register_module_v1|node_api_module_get_api)/.test(name),
  );
  if (strange.length > 0) faults.push(`it exports ${strange.join(', ')}`);
  if (elf.sectionNames.includes('.symtab')) faults.push('it is not stripped');
  return faults;
}

/** A stripped copy without device code that nobody reads. */
function slimmed(folder) {
  const copy = join(folder, 'pike_mixer.node');
  run('strip', ['-o', copy, BUILT]);
  const file = readFileSync(copy);
  const elf = new Elf(file);
  const objects = elf.section('__nv_relfatbin');
  if (objects.length > 0) dropCodeOfObjects(elf.section('.nv_fatbin'), objects);
  return file;
}

/** Loads it in a process of its own, and says what it is. */
function buildInfoOf(path) {
  const code = 'console.log(JSON.stringify(require(process.argv[1]).buildInfo))';
  return JSON.parse(run(process.execPath, ['-e', code, path]));
}

function makeBinary(sources) {
  const name = folderName();
  // Not in prebuilds/: what is left of a run that was ended is not to be packed.
  const scratch = mkdtempSync(join(ROOT, 'build-cmake', 'prebuild-'));
  try {
    const linux = process.platform === 'linux';
    const file = linux ? slimmed(scratch) : readFileSync(BUILT);
    const faults = linux ? portabilityFaults(file, process.arch) : [];
    // On musl whoever makes the binary decides what it may need.
    if (faults.length > 0 && !name.endsWith('-musl'))
      throw new PrebuildError(`${relative(ROOT, BUILT)} cannot be shipped: ${faults.join('; ')}`);
    const path = join(scratch, 'pike_mixer.node');
    writeFileSync(path, file, { mode: 0o755 });
    const { cuda, compiler } = buildInfoOf(path);
    const facts = {
      sources,
      sha256: createHash('sha256').update(file).digest('hex'),
      compiler,
      cuda: cuda.compiled ? { runtimeVersion: cuda.runtimeVersion, architectures: cuda.architectures } : null,
      needs: linux ? new Elf(file).neededVersions : null,
    };
    writeFileSync(join(scratch, 'build.json'), `${JSON.stringify(facts, null, 2)}\n`);
    const folder = join(PREBUILDS, name);
    mkdirSync(folder, { recursive: true });
    // One by one, and the binary first: at no moment is there none, or notes of one that is not there yet.
    for (const entry of ['pike_mixer.node', 'build.json'])
      renameSync(join(scratch, entry), join(folder, entry));
    return { folder, size: file.length, facts };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The headers to compile with, and their licences. */
function copyHeaders() {
  const sets = {
    'node-addon-api': { from: 'node_modules/node-addon-api', files: /^(napi.*\.h|LICENSE.*)$/ },
    'node-api-headers': { from: 'node_modules/node-api-headers/include', files: /\.h$/ },
  };
  for (const [name, { from, files }] of Object.entries(sets)) {
    const to = join(PREBUILDS, 'include', name);
    mkdirSync(to, { recursive: true });
    for (const file of readdirSync(join(ROOT, from)))
      if (files.test(file)) cpSync(join(ROOT, from, file), join(to, file));
  }
  const licence = 'node-api-headers/LICENSE';
  cpSync(join(ROOT, 'node_modules', licence), join(PREBUILDS, 'include', licence));
}

/** @throws {PrebuildError} unless every binary in prebuilds/ is of these sources and is what its notes say */
function check(sources) {
  const folders = existsSync(PREBUILDS)
    ? readdirSync(PREBUILDS).filter((name) => name !== 'include' && !name.startsWith('.'))
    : [];
  if (folders.length === 0) throw new PrebuildError('there is nothing in prebuilds/');
  for (const name of folders) {
    const facts = JSON.parse(readFileSync(join(PREBUILDS, name, 'build.json'), 'utf8'));
    const file = readFileSync(join(PREBUILDS, name, 'pike_mixer.node'));
    const digest = createHash('sha256').update(file).digest('hex');
    if (facts.sources !== sources)
      throw new PrebuildError(
        `prebuilds/${name} is of other sources: run \`node native/prebuild.mjs\` there`,
      );
    if (facts.sha256 !== digest) throw new PrebuildError(`prebuilds/${name} is not what its build.json says`);
  }
  return folders;
}

function main() {
  const { values } = parseArgs({ options: { 'no-build': { type: 'boolean' }, check: { type: 'boolean' } } });
  const sources = sourcesDigest(ROOT);
  if (!values.check) {
    if (!values['no-build'])
      run(process.execPath, [join(ROOT, 'native/build.mjs'), '--tool=cmake'], {
        stdio: ['ignore', 'inherit', 'inherit'],
      });
    if (!existsSync(BUILT) || notedSources(BUILT) !== sources)
      throw new PrebuildError('build-cmake/ is not of the current sources: run `npm run build:native` first');
    mkdirSync(PREBUILDS, { recursive: true });
    const { folder, size, facts } = makeBinary(sources);
    copyHeaders();
    const glibc = facts.needs && newestGlibc(facts.needs)?.join('.');
    console.log(
      `pike-mixer: made ${relative(ROOT, folder)}, ${(size / 1e6).toFixed(1)} MB` +
        `${glibc ? `, for glibc ${glibc} or newer` : ''}${facts.cuda ? ', with CUDA' : ', without CUDA'}`,
    );
  }
  console.log(`pike-mixer: prebuilt for ${check(sources).join(', ')}`);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    main();
  } catch (error) {
    if (!(error instanceof PrebuildError)) throw error;
    console.error(`pike-mixer: ${error.message}`);
    process.exitCode = 1;
  }
}
