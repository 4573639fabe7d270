/**
 * Imported first, it starts the script again with one arena of malloc. By default glibc makes several, by the number of
 * processors, and which thread's memory stays in which is left to chance: tens of megabytes that are no leak.
 */
import { spawnSync } from 'node:child_process';

if (process.platform === 'linux' && process.env.MALLOC_ARENA_MAX === undefined) {
  const { status, signal } = spawnSync(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, MALLOC_ARENA_MAX: '1' },
  });
  if (signal) console.error(`ended by ${signal}`);
  process.exit(status ?? 1);
}
