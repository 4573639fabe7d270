/**
 * Which sources an addon was built from: a digest of them, which native/build.mjs leaves beside what it built, and
 * native/prebuild.mjs compares, so that no binary is packed that is older than its sources.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** SHA-256 over the names and contents of everything that is compiled, and of how. */
export function sourcesDigest(root) {
  const files = readdirSync(join(root, 'native'), { recursive: true, encoding: 'utf8' })
    .map((file) => `native/${file.replaceAll('\\', '/')}`)
    .filter((file) => /\.(cpp|h|cu|cmake|map)$/.test(file));
  const hash = createHash('sha256');
  const rest = ['CMakeLists.txt', 'binding.gyp'].filter((file) => existsSync(join(root, file)));
  for (const file of [...files, ...rest].sort())
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  return hash.digest('hex');
}

const stampOf = (binary) => binary.replace(/\.node$/, '.sources');

/** Notes beside a binary what it was built from. */
export function noteSources(binary, digest) {
  writeFileSync(stampOf(binary), `${digest}\n`);
}

/** What a binary was built from, or undefined where nobody noted it. */
export function notedSources(binary) {
  const stamp = stampOf(binary);
  return existsSync(stamp) ? readFileSync(stamp, 'utf8').trim() : undefined;
}
