/** Which training stacks a program would find that lies in a folder, and whether the adapters know them. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { MANIFEST } from '../version.js';

export interface InstalledPackage {
  readonly name: string;
  /** null: not installed. */
  readonly version: string | null;
  /** Versions that the adapters are made for, as package.json has it; null where any will do. */
  readonly supported: string | null;
  /** Whether `version` is one of them. */
  readonly fits: boolean;
}

const PACKAGES = [
  '@tensorflow/tfjs',
  '@tensorflow/tfjs-node',
  '@tensorflow/tfjs-backend-wasm',
  '@jax-js/jax',
] as const;

/** @param from a folder. Never throws. */
export function installedStacks(from: string): InstalledPackage[] {
  return PACKAGES.map((name) => {
    const version = versionOf(name, from);
    const supported = MANIFEST.peerDependencies[name] ?? null;
    return {
      name,
      version,
      supported,
      fits: version === null || supported === null || within(version, supported),
    };
  });
}

/** Not by `require`: a package need not export its package.json. */
function versionOf(name: string, from: string): string | null {
  for (const folder of createRequire(join(from, 'x.js')).resolve.paths(name) ?? []) {
    try {
      return (JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8')) as { version: string })
        .version;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** Whether a version satisfies a range of comparators, such as '>=0.1.25 <0.2'. */
export function within(version: string, range: string): boolean {
  return range.split(/\s+/).every((comparator) => {
    const [, operator, bound] = /^(>=|<=|>|<|=)?(.*)$/.exec(comparator)!;
    const order = compare(version, bound);
    if (operator === '>=') return order >= 0;
    if (operator === '<=') return order <= 0;
    if (operator === '>') return order > 0;
    if (operator === '<') return order < 0;
    return order === 0;
  });
}

/** By major, minor and patch; what is not named counts as 0, and marks of pre-releases do not count. */
function compare(a: string, b: string): number {
  const numbers = (text: string) => text.split(/[-+]/, 1)[0].split('.').map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
