/**
 * The proof: a run that is killed with SIGKILL and started again does exactly what a run does that nobody disturbs. Both
 * are processes of their own that print what happens in each step.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Trace } from './train.js';

export interface CheckOptions {
  readonly trials: number;
  readonly steps: number;
  readonly saveEvery: number;
  readonly seed: number;
}

export interface Checked {
  /** Trials in which the process was killed before it was done. */
  readonly killed: number;
  /** Of these: with a state to go on from, and in the middle of a save. */
  readonly resumed: number;
  readonly saving: number;
  /** Steps that were compared. */
  readonly compared: number;
  /** The first difference of each trial that had one. */
  readonly differences: readonly string[];
}

export async function check({ trials, steps, saveEvery, seed }: CheckOptions): Promise<Checked> {
  const parent = mkdtempSync(join(tmpdir(), 'pike-mixer-resume-'));
  try {
    // Without a save: saving is to change nothing either.
    const reference = await start(join(parent, 'whole'), steps, 0);
    if (reference.length !== steps) throw new Error(`the run ended after ${reference.length} steps`);
    const random = randomNumbers(seed);
    let [killed, resumed, saving, compared] = [0, 0, 0, 0];
    const differences: string[] = [];
    for (let trial = 0; trial < trials; trial++) {
      const folder = join(parent, String(trial));
      const kill = { step: Math.floor(random() * (steps - 1)), delay: 4 * random() };
      const before = await start(folder, steps, saveEvery, kill);
      if (before.length < steps) killed++;
      if (before.length < steps && existsSync(join(folder, 'state.json'))) resumed++;
      if (readdirSync(folder).some((name) => name.endsWith('.tmp'))) saving++;
      const after = await start(folder, steps, saveEvery);
      compared += before.length + after.length;
      const difference = firstDifference(reference, before, after);
      if (difference) differences.push(`trial ${trial}, killed at step ${before.length}: ${difference}`);
      rmSync(folder, { recursive: true });
    }
    return { killed, resumed, saving, compared, differences };
  } finally {
    rmSync(parent, { recursive: true });
  }
}

/**
 * The run in a process of its own, killed `delay` milliseconds after it has told of `step`. Returns what it told; a line
 * that the kill cut short is none.
 */
async function start(
  folder: string,
  steps: number,
  saveEvery: number,
  kill?: { step: number; delay: number },
): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const program = fileURLToPath(new URL('main.js', import.meta.url));
  const flags = { '--folder': folder, '--steps': steps, '--save-every': saveEvery };
  const child = spawn(
    process.execPath,
    [program, '--trace', ...Object.entries(flags).map(([flag, value]) => `${flag}=${value}`)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    if (kill && lines.length === kill.step + 1) setTimeout(() => child.kill('SIGKILL'), kill.delay);
  });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.once('close', (...end) => resolve(end)),
  );
  if (code !== 0 && !(kill && signal === 'SIGKILL'))
    throw new Error(`the run in ${folder} ended with code ${code}, signal ${signal}`);
  if (signal && lines.length > 0 && !isWhole(lines.at(-1)!)) lines.pop();
  return lines;
}

function isWhole(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

/**
 * What distinguishes a run that was killed and resumed from the reference, as lines of JSON: every step it did, before the
 * kill and after, must be the reference's to the last bit, and from where it went on none may be missing.
 */
export function firstDifference(
  reference: readonly string[],
  before: readonly string[],
  after: readonly string[],
): string | null {
  const from = after.length > 0 ? (JSON.parse(after[0]!) as Trace).step : reference.length;
  if (from > before.length) return `it went on at step ${from}, after ${before.length} steps`;
  if (from + after.length !== reference.length)
    return `it went on at step ${from} and did ${after.length} steps, not ${reference.length - from}`;
  for (const [start, lines] of [
    [0, before],
    [from, after],
  ] as const)
    for (const [i, line] of lines.entries())
      if (line !== reference[start + i])
        return `step ${start + i} is ${line}, but was ${reference[start + i]}`;
  return null;
}

/** A linear congruential generator (Numerical Recipes): uniform on [0, 1). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
