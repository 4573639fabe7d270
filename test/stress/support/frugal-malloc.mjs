/**
 * Imported first, it starts the script again with a malloc that keeps little: one arena, and large blocks from the system
 * and back to it. What glibc's keeps by default, tens of megabytes, is left to chance and is no leak; nor is a young generation of V8's that grows.
 */
import { spawnSync } from 'node:child_process';

if (process.platform === 'linux' && process.env.MALLOC_ARENA_MAX === undefined) {
  const frugal = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '65536' };
  const { status, signal } = spawnSync(
    process.execPath,
    ['--max-semi-space-size=1', ...process.execArgv, ...process.argv.slice(1)],
    {
      stdio: 'inherit',
      env: { ...process.env, ...frugal },
    },
  );
  if (signal) console.error(`ended by ${signal}`);
  process.exit(status ?? 1);
}
