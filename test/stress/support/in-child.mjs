/**
 * Runs cases one after the other in a child process, so that a crash or a hang is told with the seed of its case. A
 * script calls `runCases(import.meta.url, run)`; its parent process starts it again for the child.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/**
 * @param run does the case of a seed; throws when a promise was broken
 * @param runs how many cases by default
 */
export async function runCases(url, run, { runs, longest = 30_000 }) {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      runs: { type: 'string', default: String(runs) },
      progress: { type: 'string' },
    },
  });
  const first = Number(values.seed);
  const count = Number(values.runs);
  if (values.progress === undefined) return watch(fileURLToPath(url), first, count);

  const file = openSync(values.progress, 'w');
  process.on('unhandledRejection', (error) => fail('an unhandled rejection', error));
  process.on('uncaughtException', (error) => fail('an uncaught exception', error));
  let seed = first;
  const fail = (what, error) => {
    console.error(`seed ${seed}: ${what}`, error);
    process.exit(1);
  };
  for (; seed < first + count; seed++) {
    writeSync(file, String(seed).padEnd(20), 0);
    const hang = setTimeout(() => fail(`no end within ${longest} ms`), longest);
    try {
      await run(seed);
    } catch (error) {
      fail('failed', error);
    }
    clearTimeout(hang);
  }
  closeSync(file);
}

function watch(script, seed, count) {
  const folder = mkdtempSync(join(tmpdir(), 'pike-mixer-cases-'));
  const progress = join(folder, 'seed');
  const begun = performance.now();
  const { status, signal } = spawnSync(
    process.execPath,
    [...process.execArgv, script, `--seed=${seed}`, `--runs=${count}`, `--progress=${progress}`],
    { stdio: ['ignore', 'inherit', 'inherit'], timeout: 60_000 + count * 200, killSignal: 'SIGKILL' },
  );
  const name = script.split('/').at(-1);
  if (status === 0) {
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    console.log(`${name}: ${count} cases from seed ${seed} on, ${seconds} s`);
  } else {
    const at = readFileSync(progress, 'utf8').trim();
    console.error(
      `${name}: ${signal ?? `exit ${status}`} at seed ${at}; again: node ${script} --seed ${at} --runs 1`,
    );
    process.exitCode = 1;
  }
  rmSync(folder, { recursive: true, force: true });
}
