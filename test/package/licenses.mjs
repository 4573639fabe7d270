/**
 * THIRD_PARTY_LICENSES.md: what of others is in the package, or installed with it. `node test/package/licenses.mjs` prints
 * it, `--write` puts it in its place; test/package/supply-chain.test.ts says when it is no longer right.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(fileURLToPath(new URL('../..', import.meta.url)));

/** Terms under which anybody may use and pass on what is installed or bundled. */
export const PERMISSIVE = [
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
];

/** Development dependencies that are compiled into the binary, or whose headers come with the package. */
const COMPILED_IN = ['node-addon-api', 'node-api-headers'];

/** Names what is bundled into the report's page, with its licences: lib/report/page/bundle.mjs writes it. */
export const BUNDLE_NOTICES = 'dist/report/THIRD_PARTY_NOTICES.txt';

const lock = () => JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;

/** Names of what is installed at a user's with the package: dependencies of dependencies too. */
export function installedWithIt(packages = lock()) {
  return reachable(packages, Object.keys(packages[''].dependencies ?? {}));
}

/** Those packages and all that they depend on, by name, sorted. @throws {Error} if one is missing in the lockfile */
function reachable(packages, names) {
  const found = new Set();
  const visit = (name, from) => {
    // As Node.js looks for it: in the folder of whoever asks, then outside.
    let place = from;
    while (place !== '' && !packages[`${place}/node_modules/${name}`])
      place = place.includes('/node_modules/') ? place.slice(0, place.lastIndexOf('/node_modules/')) : '';
    const key = `${place && `${place}/`}node_modules/${name}`;
    const entry = packages[key];
    if (!entry) throw new Error(`package-lock.json has no ${name}`);
    if (found.has(key)) return;
    found.add(key);
    for (const other of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies }))
      visit(other, key);
  };
  for (const name of names) visit(name, '');
  return [...found].sort();
}

function licenceText(folder) {
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  if (!file) throw new Error(`${folder} has no licence`);
  return readFileSync(join(folder, file), 'utf8').trim();
}

/** { name, version, licence, text } of a package in the lockfile, by its key there. */
export function licenceOf(key, packages = lock()) {
  const folder = join(ROOT, key);
  const { version, license } = packages[key];
  const text = existsSync(folder) ? licenceText(folder) : undefined; // an optional one may be left out
  return { name: key.split('node_modules/').at(-1), version, licence: license, text };
}

function section(title, introduction, keys) {
  const parts = keys.map((key) => {
    const { name, version, licence, text } = licenceOf(key);
    return `### ${name} ${version} (${licence})\n\n\`\`\`text\n${text}\n\`\`\`\n`;
  });
  return `## ${title}\n\n${introduction}\n\n${parts.join('\n')}`;
}

/** All of THIRD_PARTY_LICENSES.md. */
export function thirdPartyLicences() {
  const packages = lock();
  const sections = [
    `# Third-party licences

pike-mixer is under the MIT licence (LICENSE). This file names what comes from others: installed as a dependency,
copied into the package, or linked into its binary. It is made from the lockfile by \`node test/package/licenses.mjs
--write\`, and a test says when it is out of date.
`,
    section(
      'Installed with it',
      'Runtime dependencies, and theirs. npm may install later versions within the ranges of package.json.',
      installedWithIt(packages),
    ),
    section(
      'Compiled in',
      'Headers that are compiled into the binary, and come with the package in prebuilds/include for a build of your own.',
      reachable(packages, COMPILED_IN),
    ),
    `## Bundled into the report's page

What draws the figures of \`pike-mixer report\`, Observable Plot and parts of D3 above all (ISC, BSD-3-Clause), is part of
the page that it writes. ${BUNDLE_NOTICES} and the page itself have the names, versions and licences.
`,
    `## Linked into the binary of Linux

- **libstdc++ and libgcc** (GCC): GPL-3.0-or-later with the GCC Runtime Library Exception 3.1, which permits to pass on
  a program that GCC compiled, with these libraries in it, under terms of one's choice
  (<https://www.gnu.org/licenses/gcc-exception-3.1.html>).
- **CUDA Runtime** (NVIDIA), \`libcudart_static.a\`, where the binary was built with CUDA (its build.json says so): under
  the End User License Agreement of the CUDA Toolkit (<https://docs.nvidia.com/cuda/eula/>), whose Attachment A lists it
  among what may be distributed as part of an application. It is not under the MIT licence.

glibc is used as the system has it, and is not linked in. A binary built with \`--cuda=off\` has nothing of CUDA in it.
`,
  ];
  return sections.join('\n');
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write'))
    writeFileSync(join(ROOT, 'THIRD_PARTY_LICENSES.md'), thirdPartyLicences());
  else console.log(thirdPartyLicences());
}
