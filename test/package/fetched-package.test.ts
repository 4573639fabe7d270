import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fetchedPackage } from '../support/fetched-package.mjs';

/** Instead of npm: writes the program of a package in two steps, and counts its calls; $STOPS ends it in between. */
const NPM = `#!/bin/sh
echo called >> "$CALLS"
mkdir -p "$3/node_modules/tool/bin"
printf '#!/bin/sh\\n' > "$3/node_modules/tool/bin/tool"
chmod +x "$3/node_modules/tool/bin/tool"
printf 'exit 3 # half of it is here\\n' >> "$3/node_modules/tool/bin/tool"
[ -z "$STOPS" ] || kill -9 $$
printf '#!/bin/sh\\n[ "$1" = --version ] && echo v1\\n' > "$3/node_modules/tool/bin/tool"
`;

describe.runIf(process.platform !== 'win32')('a package that tests run a program of', () => {
  let root: string;
  /** How often npm was called. */
  const calls = () => readFileSync(join(root, 'calls'), 'utf8').split('\n').length - 1;
  const fetched = () =>
    fetchedPackage(join(root, 'tool-1'), 'tool', '1', (place) => [join(place, 'bin/tool')]);

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'pike-test-'));
    mkdirSync(join(root, 'bin'));
    writeFileSync(join(root, 'bin/npm'), NPM);
    chmodSync(join(root, 'bin/npm'), 0o755);
    vi.stubEnv('PATH', `${join(root, 'bin')}${delimiter}${process.env.PATH}`);
    vi.stubEnv('CALLS', join(root, 'calls'));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(root, { recursive: true, force: true });
  });

  it('is installed once', () => {
    const place = fetched();
    expect(place).toBe(join(root, 'tool-1/node_modules/tool'));
    expect(fetched()).toBe(place);
    expect(calls()).toBe(1);
  });

  it('is not there when its installation was interrupted, and comes with the next', () => {
    vi.stubEnv('STOPS', '1');
    expect(fetched).toThrow('tool@1 could not be installed');
    expect(readdirSync(root).sort()).toEqual(['bin', 'calls']);
    vi.stubEnv('STOPS', '');
    expect(existsSync(fetched())).toBe(true);
  });

  it('takes the place of half of one', () => {
    const half = join(root, 'tool-1/node_modules/tool/bin');
    mkdirSync(half, { recursive: true });
    writeFileSync(join(half, 'tool'), '#!/bin/sh\nexit 3\n');
    chmodSync(join(half, 'tool'), 0o755);
    for (let i = 0; i < 2; i++) fetched();
    expect(calls()).toBe(1);
  });
});
