// Bundles the report's page: dist/report/page.js, page.css and the licences of what is in it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../../..');
const out = join(root, 'dist/report');

const options = {
  entryPoints: [join(here, 'main.ts')],
  absWorkingDir: root,
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  charset: 'utf8',
  tsconfig: join(here, 'tsconfig.json'),
  outfile: join(out, 'page.js'),
};
const { metafile } = await build({ ...options, metafile: true, write: false });
const notices = thirdPartyNotices(packagesIn(metafile));
await build({ ...options, banner: { js: `/*!\n${notices.replaceAll('*/', '* /')}*/` } });
await build({
  entryPoints: [join(here, 'page.css')],
  bundle: true,
  minify: true,
  charset: 'utf8',
  outfile: join(out, 'page.css'),
});
writeFileSync(join(out, 'THIRD_PARTY_NOTICES.txt'), notices);

function packagesIn({ outputs }) {
  const files = Object.entries(Object.values(outputs)[0].inputs).filter(
    ([, { bytesInOutput }]) => bytesInOutput > 0,
  );
  const folders = files
    .map(([file]) => file.match(/^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0])
    .filter((folder) => folder !== undefined);
  return [...new Set(folders)].sort();
}

/** A licence's text once, with the copyright lines of all packages that are under it. */
function thirdPartyNotices(folders) {
  const licences = new Map();
  for (const folder of folders) {
    const { name, version } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} has no licence file, so it cannot be bundled`);
    const lines = readFileSync(join(root, folder, file), 'utf8')
      .trim()
      .split(/\r?\n/);
    const copyrights = lines.filter((line) => /^copyright [(©\d]/i.test(line));
    const text = lines
      .filter((line) => !copyrights.includes(line))
      .join('\n')
      .replace(/\n{3,}/g, '\n\n')
      .trim();
    const entry = `${name} ${version}\n${copyrights.map((line) => `  ${line}\n`).join('')}`;
    licences.set(text, (licences.get(text) ?? '') + entry);
  }
  const parts = [...licences].map(([text, packages]) => `${packages}\n${text}\n`);
  return `This page contains code of the following packages.\n\n${parts.join(`\n${'-'.repeat(72)}\n\n`)}`;
}
