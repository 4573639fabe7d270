import { readFileSync } from 'node:fs';

/** Reads a file of expected values. They come from exact or arbitrary-precision programs, not from this project. */
// biome-ignore lint/suspicious/noExplicitAny: each file has a shape of its own, which its test knows
export function golden(name: string): any {
  return JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url), 'utf8'));
}
