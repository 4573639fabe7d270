/** Tries where an addon may be, each in a process of its own first: a damaged library can end the process that loads it. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { type AddonFailure, inspectAddonFile } from '../backends/addon-file.js';
import { addonCandidates, loadFile } from '../backends/load-addon.js';

export interface AddonCandidate {
  readonly path: string;
  /** 'not tried': one before it could be loaded. */
  readonly state: 'loaded' | 'failed' | 'not tried';
  /** Why it failed. */
  readonly failure: AddonFailure | null;
}

/** Every candidate in the order in which the library tries them. Never throws. */
export function tryAddons(env: NodeJS.ProcessEnv = process.env): AddonCandidate[] {
  let found = false;
  return addonCandidates(env).map((path) => {
    if (found) return { path, state: 'not tried', failure: null };
    const failure = inspectAddonFile(path) ?? crashOf(path) ?? failureOf(path);
    found = failure === null;
    return { path, state: found ? 'loaded' : 'failed', failure };
  });
}

function failureOf(path: string): AddonFailure | null {
  const loaded = loadFile(path);
  return 'trouble' in loaded ? loaded : null;
}

/** Long enough for a busy machine, and for a file system that is far away. */
const TRIAL_MILLISECONDS = 60_000;

const TRIAL = `
  try { process.dlopen({ exports: {} }, process.argv[1]); } catch {}
  require('node:fs').writeSync(1, 'alive');
`;

/** What becomes of a process that loads it, if that is not well. */
function crashOf(path: string): AddonFailure | null {
  let ended: { status: number | null; signal: string | null; stdout: string; stderr: string; error?: Error };
  try {
    ended = spawnSync(process.execPath, ['--input-type=commonjs', '-e', TRIAL, resolve(path)], {
      encoding: 'utf8',
      timeout: TRIAL_MILLISECONDS,
    });
  } catch {
    // Where no process may be started, it cannot be known beforehand.
    return null;
  }
  const { status, signal, stdout, stderr, error } = ended;
  if (stdout === 'alive' || (status === null && signal === null)) return null;
  if (error)
    return { trouble: 'crash', cause: `a process that loads it does not come back: ${error.message}` };
  const how = signal === null ? `exit status ${status}` : signal;
  const said = stderr.trim().split('\n', 1)[0];
  return {
    trouble: 'crash',
    cause: `it is damaged: a process that loads it ends with ${how}${said ? ` (${said})` : ''}`,
  };
}
