/**
 * Runs clang-format over the native sources and those of their tests, with the arguments that it is given: `-i` to
 * rewrite them, `--dry-run --Werror` to check them.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const native = dirname(fileURLToPath(import.meta.url));
// A package that npm has installed has no tests, examples or benches.
const folders = [
  native,
  ...['../test/native', '../test/stress/native', '../examples/cuda-native/native', '../bench'].map((folder) =>
    join(native, folder),
  ),
].filter((folder) => existsSync(folder));
const sources = folders.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(cc|cpp|h|cu|cuh)$/.test(file))
    .sort()
    .map((file) => join(folder, file)),
);

const clangFormat = createRequire(import.meta.url)('clang-format').getNativeBinary();
const { status, error } = spawnSync(clangFormat, [...process.argv.slice(2), ...sources], {
  stdio: 'inherit',
});
if (error) console.error(`clang-format could not be run: ${error.message}`);
process.exitCode = status ?? 1;
