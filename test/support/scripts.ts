/** Scripts of the documentation, run as they are written there. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(fileURLToPath(new URL('../..', import.meta.url)));

/** The fenced blocks of one language in a file of the repository. */
export function blocks(file: string, language: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(new RegExp('```' + language + '\\n([\\s\\S]*?)```', 'g'))].map(
    ([, block]) => block,
  );
}

export function run(script: string, env: Record<string, string> = {}) {
  // Inside the package's own folder, so that 'pike-mixer' resolves by its exports, to the built files.
  const folder = mkdtempSync(join(root, 'dist', 'guide-'));
  try {
    writeFileSync(join(folder, 'script.mjs'), script);
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'script.mjs')], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    return { status, stdout, stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
