/** The version of this package, as package.json has it. */
import { readFileSync } from 'node:fs';

// This file is one folder below the package, in lib/ as well as in dist/.
export const MANIFEST = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly peerDependencies: Readonly<Record<string, string>>;
};

export const VERSION: string = MANIFEST.version;
