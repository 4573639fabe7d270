/** The version of this package, as package.json has it. */
import { readFileSync } from 'node:fs';

// This file is one folder below the package, in lib/ as well as in dist/.
const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

export const VERSION: string = manifest.version;
