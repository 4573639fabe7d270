/**
 * The package at a user's: installed from the tarball without scripts and without a compiler, imported, required, and
 * compiled against.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bareEnvironment, installPacked, pack, ROOT, run, temporaryFolder } from '../support/packed.js';

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
/** 'pike-mixer', 'pike-mixer/tfjs' and so on: all that is code. */
const entries = Object.keys(manifest.exports)
  .filter((name) => !name.endsWith('.json'))
  .map((name) => `pike-mixer${name.slice(1)}`);

let folder: string;
let consumer: string;

beforeAll(() => {
  folder = temporaryFolder();
  consumer = installPacked(pack(folder), folder);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a script there, with nothing but Node.js on the PATH. */
function script(name: string, text: string) {
  writeFileSync(join(consumer, name), text);
  return run(process.execPath, [name], consumer, bareEnvironment(consumer));
}

describe('an installed package', () => {
  it('measures natively: a script of five lines', () => {
    const { status, stdout, stderr } = script(
      'measure.mjs',
      `import { Mixer, statistics } from 'pike-mixer';
       const rows = [[Float32Array.of(1, 2), Float32Array.of(2, 3)]];
       const { normSquared, variance } = await statistics(rows, { samples: [[1, 1]], backend: 'cpu' });
       const { backend } = new Mixer({ tasks: ['a', 'b'], batchSize: 8 });
       console.log(backend.name, normSquared[0], variance[0], backend.reason);`,
    );
    expect([status, stderr]).toEqual([0, '']);
    // The mean is (1.5, 2.5), both deviate from it by ½ in either place: σ² = 1, N = 8.5 − ½.
    expect(stdout).toMatch(/^cpu 8 1 native kernels .*node_modules.pike-mixer.prebuilds/);
  });

  it('is imported and required, by every name', () => {
    const imports = script(
      'imports.mjs',
      `const names = ${JSON.stringify(entries)};
       for (const name of names) console.log(name, Object.keys(await import(name)).length > 0);`,
    );
    const requires = script(
      'requires.cjs',
      `const names = ${JSON.stringify(entries)};
       for (const name of names) console.log(name, Object.keys(require(name)).length > 0);`,
    );
    const expected = { status: 0, stdout: entries.map((name) => `${name} true\n`).join(''), stderr: '' };
    expect(imports).toEqual(expected);
    expect(requires).toEqual(expected);
  });

  it('works in worker threads', () => {
    const result = script(
      'threads.mjs',
      `import { Worker } from 'node:worker_threads';
       const code = \`
         const { parentPort } = require('node:worker_threads');
         const { statistics, Mixer } = require('pike-mixer');
         const rows = [[Float32Array.of(1, 2), Float32Array.of(2, 3)]];
         statistics(rows, { samples: [[1, 1]] }).then(({ normSquared }) =>
           parentPort.postMessage([new Mixer({ tasks: ['a', 'b'], batchSize: 8 }).backend.name, normSquared[0]]));\`;
       const answers = await Promise.all(Array.from({ length: 4 }, () => new Promise((resolve, reject) =>
         new Worker(code, { eval: true }).on('message', resolve).on('error', reject))));
       console.log(JSON.stringify(answers));`,
    );
    const answer = ['cpu', 8];
    expect(result).toEqual({
      status: 0,
      stdout: `${JSON.stringify([answer, answer, answer, answer])}\n`,
      stderr: '',
    });
  });

  it('says what is needed to build where that is missing', () => {
    const { status, stderr } = run(
      process.execPath,
      [join(consumer, 'node_modules/pike-mixer/native/build.mjs')],
      consumer,
      bareEnvironment(consumer),
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/no working cmake is on the PATH.*CMake 3\.22 .* C\+\+20 compiler/);
  });
});

describe('TypeScript', () => {
  /** Compiles strictly, the declarations of libraries included. The errors, line by line. */
  function compile(place: string, compilerOptions: Record<string, unknown>, file: string, text: string) {
    const project = mkdtempSync(join(place, 'project-'));
    writeFileSync(join(project, file), text);
    const options = {
      target: 'es2022',
      lib: ['es2022', 'esnext.disposable', 'dom'],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
      types: ['node'],
      ...compilerOptions,
    };
    const configuration = JSON.stringify({ compilerOptions: options, files: [file] });
    writeFileSync(join(project, 'tsconfig.json'), configuration);
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { status, stdout } = run(process.execPath, [tsc, '-p', project, '--pretty', 'false'], project);
    const errors = stdout.split('\n').filter((line) => /^\S.*error TS/.test(line));
    expect(status === 0, stdout).toBe(errors.length === 0);
    return errors;
  }

  /** A place with the package, and links to packages of ours beside it. */
  function placeWith(...others: string[]): string {
    const place = mkdtempSync(join(folder, 'typed-'));
    cpSync(join(consumer, 'node_modules/pike-mixer'), join(place, 'node_modules/pike-mixer'), {
      recursive: true,
    });
    for (const name of ['@types', 'undici-types', ...others])
      symlinkSync(join(ROOT, 'node_modules', name), join(place, 'node_modules', name));
    return place;
  }

  /** A use of these entry points. */
  const program = (names: readonly string[], ending = 'export default') => `
    ${names.map((name, i) => `import * as entry${i} from '${name}';`).join('\n')}
    import { Mixer, type Statistics, statistics } from 'pike-mixer';
    const mixer: Mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 8 });
    const counts: Int32Array = mixer.next();
    const measured: Promise<Statistics> = statistics([[new Float32Array(2)]], { samples: [[1]] });
    // @ts-expect-error: a misspelt option is found
    new Mixer({ tasks: ['a', 'b'], batchsize: 8 });
    ${ending} [counts, measured, ${names.map((_, i) => `entry${i}`).join(', ')}];`;

  const resolutions: [string, Record<string, unknown>, string][] = [
    ['node16', { module: 'node16', moduleResolution: 'node16' }, 'index.mts'],
    ['nodenext', { module: 'nodenext', moduleResolution: 'nodenext' }, 'index.mts'],
    ['nodenext in CommonJS', { module: 'nodenext', moduleResolution: 'nodenext' }, 'index.cts'],
    ['bundler', { module: 'esnext', moduleResolution: 'bundler' }, 'index.ts'],
  ];
  const endingOf = (file: string) => (file.endsWith('cts') ? 'export =' : 'export default');
  const ofStacks = ['pike-mixer/tfjs', 'pike-mixer/jax'];

  it.each(resolutions)('%s, without a training stack', (_, options, file) => {
    const alone = entries.filter((entry) => !ofStacks.includes(entry));
    expect(compile(placeWith(), options, file, program(alone, endingOf(file)))).toEqual([]);
  });

  it.each(resolutions.filter(([name]) => /^(nodenext|bundler)$/.test(name)))(
    '%s, with both',
    (_, options, file) => {
      const place = placeWith('@tensorflow', '@jax-js', '@webgpu');
      const errors = compile(place, options, file, program(entries, endingOf(file)));
      // The declarations of others may not be in order.
      expect(errors.filter((line) => !/node_modules\/(?!pike-mixer)/.test(line))).toEqual([]);
    },
  );

  it('finds a wrong use: these compilations can fail', () => {
    const text =
      "import { Mixer } from 'pike-mixer'; export const n: string = new Mixer({ tasks: ['a'], batchSize: 8 }).next();";
    expect(compile(placeWith(), { module: 'nodenext' }, 'index.mts', text)).toEqual([
      expect.stringMatching(/^index\.mts.*Int32Array.* is not assignable to type 'string'/),
    ]);
  });
});
