/**
 * What comes from others: nothing that is fetched or run when it is installed, one registry, licences that are named.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { npmScript, ROOT, run } from '../support/packed.js';
import { BUNDLE_NOTICES, installedWithIt, licenceOf, PERMISSIVE, thirdPartyLicences } from './licenses.mjs';

interface Locked {
  readonly version: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}

const json = (file: string) => JSON.parse(readFileSync(join(ROOT, file), 'utf8'));
const manifest = json('package.json');
const packages: Record<string, Locked> = json('package-lock.json').packages;
const others = Object.entries(packages).filter(([key]) => key !== '');

describe('the lockfile', () => {
  it('is of this package and pins every byte', () => {
    expect(packages['']).toMatchObject({ name: 'pike-mixer', version: manifest.version });
    expect(others.length).toBeGreaterThan(100);
    expect(
      others.filter(([, { integrity }]) => !integrity?.startsWith('sha512-')).map(([key]) => key),
    ).toEqual([]);
  });

  it('names no host but the public registry', () => {
    const strange = others.filter(
      ([, { resolved, link }]) => link || (resolved && !resolved.startsWith('https://registry.npmjs.org/')),
    );
    expect(strange).toEqual([]);
    for (const kind of ['dependencies', 'devDependencies', 'peerDependencies'])
      for (const [name, range] of Object.entries<string>(manifest[kind]))
        expect(range, `${name} comes from elsewhere`).toMatch(/^[\^~<>=\d. ]+$/);
  });

  it('agrees with what is installed', () => {
    const { status, stdout } = run(process.execPath, [npmScript(), 'ls', '--all', '--json'], ROOT);
    expect(JSON.parse(stdout).problems ?? []).toEqual([]);
    expect(status).toBe(0);
  });
});

describe('what is installed with the package', () => {
  const keys: string[] = installedWithIt();

  it('runs nothing when it is installed', () => {
    expect(keys.length).toBeGreaterThanOrEqual(Object.keys(manifest.dependencies).length);
    for (const key of keys) {
      expect(packages[key].hasInstallScript ?? false, key).toBe(false);
      expect(readdirSync(join(ROOT, key)), key).not.toContain('binding.gyp');
    }
    expect(Object.keys(manifest.scripts).filter((name) => /install/.test(name))).toEqual([]);
  });

  it('is under licences that let anybody use it', () => {
    for (const key of keys) expect(PERMISSIVE, key).toContain(licenceOf(key).licence);
  });

  it('and so is what is bundled into the page of the report', () => {
    const notices = readFileSync(join(ROOT, BUNDLE_NOTICES), 'utf8');
    const bundled = [...notices.matchAll(/^((?:@[\w-]+\/)?[\w-]+) (\d+\.\d+\.\d+)$/gm)];
    expect(bundled.map(([, name]) => name)).toContain('@observablehq/plot');
    for (const [, name, version] of bundled) {
      const locked = licenceOf(`node_modules/${name}`);
      expect([name, locked.version]).toEqual([name, version]);
      expect(PERMISSIVE, name).toContain(locked.licence);
    }
  });

  it('is what THIRD_PARTY_LICENSES.md says', () => {
    // `node test/package/licenses.mjs --write` mends it.
    expect(readFileSync(join(ROOT, 'THIRD_PARTY_LICENSES.md'), 'utf8')).toBe(thirdPartyLicences());
    for (const key of keys) expect(licenceOf(key).text?.length, key).toBeGreaterThan(200);
  });
});

describe('the library', () => {
  it('never fetches anything', () => {
    const sources = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => ({ file, text: readFileSync(join(ROOT, 'lib', file), 'utf8') }));
    const network = /\bfetch\(|from 'node:(http|https|net|tls|dns|dgram|http2)'|WebSocket|XMLHttpRequest/;
    expect(sources.filter(({ text }) => network.test(text)).map(({ file }) => file)).toEqual([]);
    const tools = readdirSync(join(ROOT, 'native')).filter((file) => file.endsWith('.mjs'));
    for (const file of tools)
      expect(readFileSync(join(ROOT, 'native', file), 'utf8'), file).not.toMatch(
        /fetch\(|node:https?'|curl|wget/,
      );
  });
});
