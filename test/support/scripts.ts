/** Scripts of the documentation, run as they are written there. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { root } from './markdown.js';

export { root };

/** The fenced blocks of one language in a file of the repository. */
export function blocks(file: string, language: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const fenced = new RegExp('```' + language + '\\n([\\s\\S]*?)```', 'g');
  return [...text.matchAll(fenced)].map(([, block]) => block);
}

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function run(script: string, env: Record<string, string> = {}): Ran {
  const folder = scriptFolder();
  try {
    return runIn(folder, script, env);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Inside the package's own folder, so that 'pike-mixer' resolves by its exports, to the built files. */
export function scriptFolder(): string {
  return mkdtempSync(join(root, 'dist', 'documented-'));
}

export function runIn(folder: string, script: string, env: Record<string, string> = {}): Ran {
  const file = join(folder, 'script.mjs');
  writeFileSync(file, script);
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
    encoding: 'utf8',
    cwd: folder,
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}

/**
 * Puts what an example leaves to its reader between its imports and the rest, and `ending`, which prints JSON, behind it;
 * runs that, and returns what was printed last. Nothing may go to stderr.
 */
export function resultOf(
  example: string,
  surroundings: string,
  ending: string,
  env: Record<string, string> = {},
) {
  const lines = example.split('\n');
  const imports = lines.map((line) => line.startsWith('import ')).lastIndexOf(true) + 1;
  const script = [...lines.slice(0, imports), surroundings, ...lines.slice(imports), ending].join('\n');
  const { status, stdout, stderr } = run(script, env);
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
}
