/**
 * A user's TypeScript, compiled against the tarball: strictly, with the declarations of libraries, by every way in which
 * TypeScript looks for modules.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pack, ROOT, run, runWell, temporaryFolder } from '../support/packed.js';

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
/** 'pike-mixer', 'pike-mixer/tfjs' and so on: all that is code. */
const entries = Object.keys(manifest.exports)
  .filter((name) => !name.endsWith('.json'))
  .map((name) => `pike-mixer${name.slice(1)}`);

let folder: string;
let unpacked: string;

beforeAll(() => {
  folder = temporaryFolder();
  unpacked = join(folder, 'unpacked');
  mkdirSync(unpacked);
  runWell('tar', ['-xzf', pack(folder).tarball, '-C', unpacked, '--strip-components=1'], folder);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

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
    const installed = join(place, 'node_modules/pike-mixer');
    for (const part of ['package.json', 'dist'])
      cpSync(join(unpacked, part), join(installed, part), { recursive: true });
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
